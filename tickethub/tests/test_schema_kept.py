"""Whether the description of the API is true: each call answers as it says."""

import json
import re
import uuid
from dataclasses import dataclass, field
from string import Template

import pytest
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import OperationalError
from django.utils.http import urlsafe_base64_encode
from rest_framework.throttling import BaseThrottle

from accounts.tests.factories import PASSWORD, UserFactory
from comments.tests.factories import CommentFactory
from projects.models import Invitation
from projects.tests.factories import LabelFactory, ProjectFactory, StatusFactory
from realtime.models import Event
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tasks.views import TaskViewSet
from tickethub.schema import EXAMPLES
from tickethub.tests.swagger import OPERATIONS, SCHEMA, every_list, every_operation, validate


def check(response):
    """Hold an answer against what is documented of its operation."""
    path = re.sub(r"<[^>]*>", "{id}", response.resolver_match.route.removeprefix("api/v1"))
    operation = SCHEMA["paths"][path][response.request["REQUEST_METHOD"].lower()]
    documented = operation["responses"][str(response.status_code)]
    if documented.get("schema") == {"type": "file"}:
        assert response.streaming
    elif "schema" in documented:
        validate(response.json(), documented["schema"])
    else:
        assert response.content == b""
    for name in documented.get("headers", {}):
        assert name in response.headers
    return operation["operationId"], str(response.status_code)


@pytest.fixture
def people():
    names = ["owner", "member", "viewer", "stranger", "leaving"]
    return {name: UserFactory(username=name, password=PASSWORD) for name in names}


@pytest.fixture
def ids(people, as_user):
    """What the calls below refer to: `$task` is the id of a task, and so on."""
    owner, member, stranger = people["owner"], people["member"], people["stranger"]
    roles = {role: people[role] for role in ("owner", "member", "viewer")}
    project = ProjectFactory(key="WEB", **roles)
    task, second = TaskFactory.create_batch(2, project=project, created_by=owner)
    task.assignees.add(member)
    invitation = Invitation(project=project, email=stranger.email)
    token = invitation.make_token()
    invitation.save()
    refresh = as_user().post("/api/v1/auth/token/", {"email": stranger.email, "password": PASSWORD}).json()["refresh"]
    stranger.refresh_from_db()  # logging in has been noted, and is part of what a link for a new password rests on
    rows = {
        "project": project,
        "task": task,
        "second": second,
        "archived": ProjectFactory(owner=owner, archived_at="2031-01-01T00:00Z"),
        "membership": project.memberships.get(user=member),
        "ownership": project.memberships.get(user=owner),
        "invitation": invitation,
        "status": StatusFactory(project=project),
        "used_status": task.status,
        "label": LabelFactory(project=project),
        "comment": CommentFactory(task=task, author=owner),
        "relation": TaskRelationFactory(source=task, target=second),
        **people,
    }
    return {
        **{name: str(row.pk) for name, row in rows.items()},
        "token": token,
        "refresh": refresh,
        "uid": urlsafe_base64_encode(str(stranger.pk).encode()),
        "reset": default_token_generator.make_token(stranger),
        "fresh": str(uuid.uuid4()),
        "cursor": Event.objects.of(project.pk).first().cursor,
    }


@dataclass
class Call:
    caller: str | None
    method: str
    path: str
    status: int
    body: object = None
    headers: dict = field(default_factory=dict)

    def __str__(self):
        return f"{self.method} {self.path} {self.status}"

    def make(self, as_user, people, ids):
        client = as_user(people.get(self.caller), **self.headers)
        path = "/api/v1/" + Template(self.path).substitute(ids)
        if self.method in {"GET", "DELETE"}:
            return client.generic(self.method, path)
        text = self.body if isinstance(self.body, str) else Template(json.dumps(self.body)).substitute(ids)
        content_type = self.headers.get("Content-Type", "application/json")
        return client.generic(self.method, path, text, content_type=content_type)


NEW_PASSWORD = "another horse entirely"
CALLS = [
    Call(None, "POST", "auth/register/", 201, EXAMPLES["Registration"]),
    Call(None, "POST", "auth/token/", 200, {"email": "owner@example.org", "password": PASSWORD}),
    Call(None, "POST", "auth/token/refresh/", 200, {"refresh": "$refresh"}),
    Call(None, "POST", "auth/token/blacklist/", 200, {"refresh": "$refresh"}),
    Call("owner", "POST", "auth/password/change/", 204, {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    Call(None, "POST", "auth/password/reset/", 202, {"email": "nobody@example.org"}),
    Call(
        None,
        "POST",
        "auth/password/reset/confirm/",
        204,
        {"uid": "$uid", "token": "$reset", "new_password": NEW_PASSWORD},
    ),
    Call("owner", "GET", "users/", 200),
    Call("owner", "GET", "users/$member/", 200),
    Call("owner", "GET", "users/me/", 200),
    Call("owner", "PATCH", "users/me/", 200, EXAMPLES["UserChanges"]),
    Call("leaving", "DELETE", "users/me/", 204),
    Call("owner", "GET", "projects/", 200),
    Call("owner", "POST", "projects/", 201, EXAMPLES["NewProject"]),
    Call("owner", "GET", "projects/WEB/", 200),
    Call("owner", "GET", "projects/$archived/", 200),
    Call("owner", "PATCH", "projects/$archived/", 200, {"archived": False}),
    Call("owner", "DELETE", "projects/$project/", 204),
    Call("viewer", "GET", "projects/WEB/export/", 200),
    Call("owner", "POST", "projects/WEB/import/", 200, EXAMPLES["Import"]),
    Call("owner", "GET", "memberships/?project=WEB", 200),
    Call("owner", "PATCH", "memberships/$membership/", 200, EXAMPLES["MembershipChanges"]),
    Call("member", "DELETE", "memberships/$membership/", 204),
    Call("owner", "GET", "invitations/", 200),
    Call("owner", "POST", "invitations/", 201, EXAMPLES["NewInvitation"] | {"project": "$project"}),
    Call("owner", "DELETE", "invitations/$invitation/", 204),
    Call("stranger", "POST", "invitations/accept/", 201, {"token": "$token"}),
    Call("owner", "GET", "statuses/", 200),
    Call("owner", "POST", "statuses/", 201, EXAMPLES["NewStatus"] | {"project": "$project"}),
    Call("owner", "GET", "statuses/$status/", 200),
    Call("owner", "PATCH", "statuses/$status/", 200, EXAMPLES["StatusChanges"]),
    Call("owner", "DELETE", "statuses/$status/", 204),
    Call("owner", "GET", "labels/", 200),
    Call("owner", "POST", "labels/", 201, EXAMPLES["NewLabel"] | {"project": "$project"}),
    Call("owner", "GET", "labels/$label/", 200),
    Call("owner", "PATCH", "labels/$label/", 200, EXAMPLES["LabelChanges"]),
    Call("owner", "DELETE", "labels/$label/", 204),
    Call("owner", "GET", "tasks/", 200),
    Call("owner", "POST", "tasks/", 201, EXAMPLES["NewTask"] | {"project": "$project", "assignees": ["$member"]}),
    Call("owner", "POST", "tasks/", 200, {"id": "$task", "project": "$project", "title": "Once"}),
    Call("owner", "GET", "tasks/WEB-1/", 200),
    Call("owner", "GET", "tasks/$second/", 304, headers={"If-None-Match": '"1"'}),
    Call("owner", "PATCH", "tasks/$task/", 200, EXAMPLES["TaskChanges"] | {"parent": "$second"}),
    Call("owner", "PATCH", "tasks/$second/", 200, {"status": "done"}, {"If-Match": '"1"'}),
    Call("owner", "DELETE", "tasks/$task/", 204),
    Call("owner", "POST", "tasks/$task/move/", 200, EXAMPLES["Move"] | {"before": "$second"}),
    Call("owner", "POST", "tasks/bulk/", 200, EXAMPLES["Bulk"] | {"ids": ["$task", "$second"]}),
    Call("owner", "POST", "tasks/bulk/", 204, {"ids": ["$task"], "delete": True}),
    Call("owner", "GET", "relations/", 200),
    Call("owner", "POST", "relations/", 201, {"source": "$second", "target": "$task", "type": "relates_to"}),
    Call("owner", "DELETE", "relations/$relation/", 204),
    Call("owner", "GET", "comments/", 200),
    Call("owner", "POST", "comments/", 201, EXAMPLES["NewComment"] | {"task": "$task"}),
    Call("owner", "GET", "comments/$comment/", 200),
    Call("owner", "PATCH", "comments/$comment/", 200, EXAMPLES["CommentChanges"]),
    Call("owner", "DELETE", "comments/$comment/", 204),
    Call("owner", "GET", "events/?project=WEB", 200),
    Call("owner", "GET", "events/?project=WEB&after=$cursor", 200),
    # What is refused
    Call(None, "POST", "auth/register/", 400, {"email": "owner@example.org", "username": "", "password": "short"}),
    Call(None, "POST", "auth/token/", 401, {"email": "owner@example.org", "password": "a guess"}),
    Call(None, "POST", "auth/token/refresh/", 401, {"refresh": "nonsense"}),
    Call(None, "POST", "auth/token/blacklist/", 401, {"refresh": "nonsense"}),
    Call(None, "GET", "tasks/", 401),
    Call(None, "GET", "tasks/", 401, headers={"Authorization": "Bearer nonsense"}),
    Call("owner", "POST", "auth/password/change/", 400, {"current_password": "a guess", "new_password": NEW_PASSWORD}),
    Call("owner", "DELETE", "users/me/", 409),
    Call("owner", "GET", "tasks/?statsu=done", 400),
    Call("owner", "GET", "tasks/$task/?expand=all", 400),
    Call("owner", "POST", "tasks/", 400, "{"),
    Call("owner", "POST", "tasks/", 400, {"project": "$archived", "title": "", "assignees": ["$stranger"]}),
    Call("owner", "POST", "tasks/", 409, {"project": "$archived", "title": "Late"}),
    Call("member", "POST", "tasks/", 409, {"id": "$task", "project": "$project", "title": "Not mine"}),
    Call("owner", "POST", "tasks/", 413, "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)),
    Call("owner", "POST", "tasks/", 415, "title=x", {"Content-Type": "application/x-www-form-urlencoded"}),
    Call("viewer", "POST", "tasks/", 403, {"project": "$project", "title": "May I?"}),
    Call("viewer", "POST", "tasks/bulk/", 403, {"ids": ["$task"], "delete": True}),
    Call("owner", "POST", "tasks/bulk/", 400, {"ids": ["$fresh"], "set": {"status": "done"}}),
    Call("owner", "POST", "tasks/bulk/", 400, {"ids": ["$task"], "set": {"status": "nonsense"}}),
    Call("viewer", "POST", "tasks/$task/move/", 403, {"status": "done"}),
    Call("owner", "PATCH", "tasks/$task/", 412, {"title": "Stale"}, {"If-Match": '"0"'}),
    Call("owner", "DELETE", "tasks/$task/", 412, headers={"If-Match": '"0"'}),
    Call("stranger", "GET", "tasks/$task/", 404),
    Call("stranger", "GET", "events/?project=WEB", 404),
    Call("owner", "GET", "events/", 400),
    Call("owner", "POST", "projects/WEB/import/", 400, {"data": "[]"}),
    Call("member", "POST", "projects/WEB/import/", 403, EXAMPLES["Import"]),
    Call("owner", "GET", "events/?project=WEB&after=1.00000000", 410),
    Call("owner", "POST", "invitations/accept/", 404, {"token": "$token"}),
    Call("owner", "DELETE", "memberships/$ownership/", 409),
    Call("owner", "DELETE", "statuses/$used_status/", 409),
    Call("viewer", "PATCH", "comments/$comment/", 403, {"body": "Not mine"}),
    Call("owner", "PATCH", "projects/$archived/", 409, {"name": "Late"}),
    Call("owner", "POST", "relations/", 400, {"source": "$task", "target": "$task", "type": "blocks"}),
]


@pytest.mark.django_db
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_answers_are_as_documented(as_user, people, ids, call):
    response = call.make(as_user, people, ids)
    assert response.status_code == call.status, response.content
    check(response)


def test_every_documented_success_is_among_the_calls():
    documented = {
        (param.values[1].upper(), param.values[0], int(status))
        for param in OPERATIONS
        for status in param.values[2]["responses"]
        if status < "400"
    }
    assert documented == {
        (call.method, "/" + re.sub(r"\$\w+|WEB(-1)?", "{id}", call.path.partition("?")[0]), call.status)
        for call in CALLS
        if call.status < 400
    }


@every_operation
@pytest.mark.django_db
def test_what_needs_no_token_says_so(anonymous, path, method, operation):
    response = anonymous.generic(method.upper(), "/api/v1" + path.replace("{id}", str(uuid.uuid4())))
    assert (response.status_code == 401) == (operation.get("security") != [])


@every_list
@pytest.mark.django_db
def test_every_documented_choice_of_a_filter_is_taken(as_user, people, ids, path, method, operation):
    client = as_user(people["owner"])
    samples = {"date": ["2031-12-10"], "date-time": ["2031-12-10T12:00:00Z"]}
    always = {"project": "WEB"} if path == "/events/" else {}
    for parameter in operation["parameters"]:
        shape = parameter.get("items", parameter)
        limits = [shape[name] for name in ("minimum", "maximum", "default") if name in shape]
        for value in shape.get("enum", samples.get(shape.get("format"), limits)):
            response = client.get("/api/v1" + path, {**always, parameter["name"]: value})
            assert response.status_code == 200, response.json()
            check(response)


@pytest.mark.django_db
def test_who_asks_too_often_is_told_when_to_come_back(as_user, people, monkeypatch):
    class Never(BaseThrottle):
        def allow_request(self, request, view):
            return False

        def wait(self):
            return 3

    monkeypatch.setattr(TaskViewSet, "throttle_classes", [Never])
    assert check(as_user(people["owner"]).get("/api/v1/tasks/")) == ("tasks_list", "429")


@pytest.mark.django_db
def test_a_database_that_is_away_is_told_as_documented(as_user, people, monkeypatch):
    def away(view):
        raise OperationalError

    monkeypatch.setattr(TaskViewSet, "get_queryset", away)
    assert check(as_user(people["owner"]).get("/api/v1/tasks/")) == ("tasks_list", "503")
