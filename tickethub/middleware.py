"""The request that is being answered: its id, and how what it causes finds it."""

import logging
import re
import uuid
from contextvars import ContextVar

from django.utils import timezone

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Requests whose bodies carry passwords or tokens, either way, or that look up a session by its key.
SECRET_PATHS = re.compile(
    r"^/(api/v1/auth/|api/v1/invitations/|api/v1/users/me/|admin/|password/|silk/|swagger|redoc/)"
)

current_request = ContextVar("current_request", default=None)


def is_api(request):
    return request.path.startswith("/api/")


class RequestIDMiddleware:
    """Give every request an id, the client's own X-Request-ID when it is a sane one, and the response the same.

    And note when it began.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.began_at = timezone.now()
        given = request.headers.get("X-Request-ID", "")
        request.id = given if SANE_REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        token = current_request.set(request)
        try:
            response = self.get_response(request)
        finally:
            current_request.reset(token)
        response["X-Request-ID"] = request.id
        return response


class CacheControlMiddleware:
    """Let no cache on the way keep what the API answers to one person, and none at all what has tokens in it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if is_api(request):
            value = "no-store" if SECRET_PATHS.match(request.path) else "private, no-cache"
            response.headers.setdefault("Cache-Control", value)
        return response


class RequestIDFilter(logging.Filter):
    """Put the id of the request into each log record, `-` outside of one."""

    def filter(self, record):
        request = getattr(record, "request", None) or current_request.get()
        record.request_id = getattr(request, "id", "-")
        return True


def may_be_recorded(request):
    """Whether Silk may keep this request: not where passwords and tokens travel."""
    return not SECRET_PATHS.match(request.path)
