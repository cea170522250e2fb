"""The description of the API: what drf-yasg generates, and the words around it."""

from django.conf import settings
from django.contrib.auth.decorators import user_passes_test
from django.http import HttpRequest
from django.views.decorators.csp import csp_override
from drf_yasg import openapi
from drf_yasg.generators import OpenAPISchemaGenerator
from drf_yasg.views import get_schema_view
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from tickethub.handlers import json_error

GUIDE = """\
Projects, the people in them, their tasks, and a log of every change, live on a WebSocket.

## From nothing to a live task in five calls

**1. Register.**

    curl http://localhost:8000/api/v1/auth/register/ --json '{
      "email": "ada@example.org", "username": "lovelace", "password": "an engine that weaves"}'

**2. Log in.** The answer has two tokens: `access` goes with every further call; when it expires, `refresh` gets the \
next pair at `auth/token/refresh/`. In Swagger: press *Authorize* and give `Bearer`, a space, and the access token.

    curl http://localhost:8000/api/v1/auth/token/ --json '{
      "email": "ada@example.org", "password": "an engine that weaves"}'
    TOKEN=…the access token…

**3. Make a project.** You are its owner; others come in by `invitations/`.

    curl http://localhost:8000/api/v1/projects/ -H "Authorization: Bearer $TOKEN" --json '{
      "key": "ENGINE", "name": "The analytical engine"}'
    PROJECT=…its id…

**4. Listen**, here from the console of a browser. From now on each change in the project arrives, numbered, each once.

    const socket = new WebSocket("ws://localhost:8000/ws/v1/");
    socket.onmessage = ({data}) => console.log(data);
    socket.onopen = () => {
      socket.send(JSON.stringify({type: "authenticate", token: "…the access token…"}));
      socket.send(JSON.stringify({type: "subscribe", project: "ENGINE"}));
    };

**5. Make a task**, and see it arrive on the socket: `ENGINE-1`.

    curl http://localhost:8000/api/v1/tasks/ -H "Authorization: Bearer $TOKEN" --json '{
      "project": "'$PROJECT'", "title": "Order the brass wheels", "priority": "high"}'

## What holds everywhere

- JSON in, JSON out; times in UTC by ISO 8601; ids are UUIDs. What was read can be written back.
- Lists come in pages of `limit` from `offset`. A filter, an ordering or a parameter that does not exist gets 400, \
never the whole list.
- PATCH changes what it names and nothing else.
- Every error is `{"detail": "<for a person>", "code": "<for a program>"}`; where a body or a query is not valid, \
`errors` says why, field by field: the first 1,000, and of what they quote, where it is long, its ends alone. \
What the caller may not see is 404, exactly as what does not exist.
- **Lost updates:** a task comes with an `ETag`; send it as `If-Match`, and a task that somebody else changed \
meanwhile is not overwritten but comes back with the 412.
- **Safe retries:** make the `id` of a task yourself, and the same POST sent twice makes one task.
- **A copy that stays true:** `events/` and the socket tell the same log; each event has a cursor to go on from. \
`docs/realtime.md` in the repository shows how to write such a client.
- **Typed clients** are generated from `/api/v1/schema/`, which says the same by OpenAPI 3.1; `docs/clients.md` in the \
repository shows how.
- Every answer has an `X-Request-ID`, your own if you sent one, and so does every event that the request caused.
"""

TAGS = {
    "auth": "Accounts, tokens and passwords.",
    "users": "The caller, and the people who share a project with them.",
    "projects": "What everything else is in.",
    "memberships": "Who is in a project, and as what: `viewer`, `member`, `admin` or `owner`.",
    "invitations": "How people come into a project.",
    "statuses": "The workflow of a project: the columns of its board.",
    "labels": "What the tasks of a project are marked with.",
    "tasks": "What is to be done.",
    "relations": "What tasks are to each other.",
    "comments": "What people say about tasks.",
    "events": "The log: all that happened in a project, in order.",
}
KEYS = {"project": "ENGINE", "task": "ENGINE-12"}
SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
EXAMPLES = {
    "Registration": {"email": "ada@example.org", "username": "lovelace", "password": "an engine that weaves"},
    "Credentials": {"email": "ada@example.org", "password": "an engine that weaves"},
    "UserChanges": {"first_name": "Ada", "last_name": "Lovelace"},
    "NewProject": {"key": "ENGINE", "name": "The analytical engine"},
    "ProjectChanges": {"description": "It weaves algebraic patterns."},
    "Import": {"data": '[{"number": 7, "title": "Order the brass wheels", "state": "open"}]', "dry_run": True},
    "MembershipChanges": {"role": "admin"},
    "NewInvitation": {"project": SOME_ID, "email": "charles@example.org", "role": "member"},
    "NewStatus": {"project": SOME_ID, "name": "On hold", "category": "backlog", "position": 6},
    "StatusChanges": {"name": "Waiting"},
    "NewLabel": {"project": SOME_ID, "name": "brass", "color": "#b08d57"},
    "LabelChanges": {"color": "#1f6feb"},
    "NewTask": {"project": SOME_ID, "title": "Order the brass wheels", "priority": "high", "due_date": "2031-12-10"},
    "TaskChanges": {"status": "in-progress", "priority": "urgent"},
    "Move": {"status": "in-progress", "before": SOME_ID},
    "Bulk": {"ids": [SOME_ID], "set": {"status": "done"}},
    "BulkChange": {"status": "done"},
    "NewTaskRelation": {"source": SOME_ID, "target": "01890a5d-ac97-7d3c-9f57-0c4d6a1b2e3f", "type": "blocks"},
    "NewComment": {"task": SOME_ID, "body": "The foundry has *none* left, @charles."},
    "CommentChanges": {"body": "The foundry has some again."},
}


def description_at(address):
    """The guide with the calls that a server at this address answers."""
    return GUIDE.replace("http://localhost:8000", address).replace("ws://localhost:8000", f"ws{address[4:]}")


VERSION = "v1"
DESCRIPTION = description_at(settings.PUBLIC_URL)
# By the first schema of OpenAPI 3.1, which some tools still go by, a name alone will not do.
LICENSE = openapi.License("MIT", url="https://opensource.org/license/mit")
info = openapi.Info(title="TicketHub", default_version=VERSION, description=DESCRIPTION, license=LICENSE)


SECURITY = {"Bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token."}}


def path_parameters(path, view_cls):
    """What stands in a path, as OpenAPI 3 has it."""
    if "{id}" not in path:
        return []
    noun = view_cls.filterset_class._meta.model._meta.verbose_name
    if noun in KEYS:
        words, shape = f"The id of the {noun}, or its key, such as `{KEYS[noun]}`.", {}
    else:
        words, shape = f"The id of the {noun}.", {"format": "uuid"}
    return [{"name": "id", "in": "path", "description": words, "required": True, "schema": {"type": "string"} | shape}]


class Generator(OpenAPISchemaGenerator):
    """drf-yasg's, giving the same whoever asks, with tags and examples."""

    def create_view(self, callback, method, request=None):
        """Give the view a request by nobody, since its `get_queryset` and the like ask for one."""
        return super().create_view(callback, method, Request(HttpRequest()))

    def get_path_parameters(self, path, view_cls):
        return [
            openapi.Parameter(each["name"], each["in"], each["description"], **each["schema"])
            for each in path_parameters(path, view_cls)
        ]

    def get_schema(self, request=None, public=False):
        schema = super().get_schema(request, public)
        schema.tags = [{"name": name, "description": words} for name, words in TAGS.items()]
        for name in EXAMPLES.keys() & schema.definitions.keys():
            schema.definitions[name].example = EXAMPLES[name]
        return schema


schema_view = get_schema_view(
    url="",  # the address that it was asked at
    public=True,
    generator_class=Generator,
    authentication_classes=[],
    permission_classes=[AllowAny],
)


def are_public():
    """Whether all may see the description of the API, and the pages that show it; else they are for staff."""
    return settings.API_PAGES == "PUBLIC"


def may_read(user):
    return are_public() or user.is_staff


def description(request, format):
    """The description itself, for programs."""
    if not may_read(request.user):
        return json_error(403, "This is for staff: log in to the administration first.", "permission_denied")
    return description_view(request, format=format)


def page(renderer):
    """The view of a page that shows the description; who may not see it is asked to log in."""
    view = schema_view.with_ui(renderer, cache_timeout=0)
    return csp_override(settings.API_PAGES_CSP)(user_passes_test(may_read, login_url="admin:login")(view))


description_view = schema_view.without_ui(cache_timeout=0)
