"""What Silk may keep. It stands alone, since the settings name it."""

import re

from django.urls import Resolver404, resolve

# Requests whose bodies carry passwords or tokens, either way, or that look up a session by its key.
SECRET_PATHS = re.compile(
    r"^/(api/v1/auth/|api/v1/invitations/|api/v1/users/me/|admin/|password/|silk/|swagger|redoc/)"
)


def may_be_recorded(request):
    """Whether Silk may keep this request: not where passwords and tokens travel, or where they go astray."""
    return not SECRET_PATHS.match(request.path_info) and leads_somewhere(request.path_info)


def leads_somewhere(path):
    try:
        return resolve(path).url_name != "unknown"
    except Resolver404:
        return False
