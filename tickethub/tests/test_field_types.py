"""Values of the wrong kind in every field that can be written: 400 at that field, never a 500, and nothing changes."""

import json

import pytest
from django.db import transaction

from accounts.tests.checks import nothing_changes, refused, undone
from accounts.tests.factories import PASSWORD, UserFactory
from comments.tests.factories import CommentFactory
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db
MISSING = "01900000-0000-7000-8000-000000000000"
LONG = "x" * 200_001

NOT_TEXT = [True, False, [], ["x"], {}, {"a": "b"}]
NO_ID = [True, False, 0, -1, 1.5, 2**128, "x", "1", MISSING, MISSING[:-1], LONG, [], [MISSING], {}, {"id": MISSING}]
KINDS = {
    "text": [*NOT_TEXT, None, "", " ", "\t\n", LONG],
    "text or blank": [*NOT_TEXT, None, LONG],
    "Markdown": [*NOT_TEXT, None, "", LONG],
    "password": [*NOT_TEXT, None, "", LONG],
    "secret": [*NOT_TEXT, None, ""],
    "token": [*NOT_TEXT, None, "", " "],
    "changes": [None, True, 0, 1.5, "", "x", [], [{}], {"nonsense": 1}, {"number": 1}, {"title": None}],
    "choice": [None, True, False, 0, -1, 1.5, "", " ", "nonsense", LONG, [], ["x"], {}, {"a": "b"}],
    "flag": [None, 2, -1, 1.5, "", " ", "maybe", LONG, [], [True], {}, {"a": True}],
    "number": [None, True, False, -1, 1.5, 1e308, 10**30, 10**4000, "", "x", "1e3", "٣x", LONG, [], [1], {}],
    "id": [*NO_ID, None, ""],
    "id or null": [*NO_ID, ""],
    "ids": [None, True, 0, 1.5, "", "x", MISSING, {}, {MISSING: 1}, *([value] for value in [*NO_ID, None, ""])],
    "new id": [None, True, -1, 1.5, 2**128, "", "x", MISSING[:-1], LONG, [], [MISSING], {}, {"id": MISSING}],
    "date": [
        *[True, 0, 20240101, 1.5, "", "x", "2024-13-01", "2024-02-30", "2023-02-29", "0000-01-01", "10000-01-01"],
        *["-2024-01-01", "2024-01-01T00:00:00Z", "99999999999999-01-01", "2024-1-1x", LONG, [], ["2024-01-01"], {}],
    ],
}
EVERYTHING = [
    *[None, True, False, 0, 1, -1, 1.5, 1e308, -1e308, 10**30, -(10**4000), "", " ", "x", "\u200b", "\U0001f980" * 300],
    *["\x7f\x01", "0001-01-01", "9999-12-31", MISSING, "0" * 32, f"urn:uuid:{MISSING}", "%00", "'; --", LONG],
    *[
        [],
        [None],
        [[]],
        [{}],
        ["x"],
        [1e308],
        ["x"] * 1001,
        {},
        {"a": None},
        {"": {"": []}},
        {"detail": "x", "code": 1},
    ],
]

# (method, path, what is sent besides, each field and its kind)
WRITES = [
    (
        "POST",
        "auth/register/",
        {"email": "new@example.org", "username": "new", "password": "difference engine"},
        {"email": "text", "username": "text", "password": "password"}
        | {"first_name": "text or blank", "last_name": "text or blank"},
    ),
    (
        "POST",
        "auth/token/",
        {"email": "a@example.org", "password": "x"},
        {"email": "token", "password": "secret"},
    ),
    ("POST", "auth/token/refresh/", {}, {"refresh": "token"}),
    ("POST", "auth/token/blacklist/", {}, {"refresh": "token"}),
    (
        "POST",
        "auth/password/change/",
        {"current_password": PASSWORD, "new_password": "a wholly new one"},
        {"current_password": "password", "new_password": "password"},
    ),
    ("POST", "auth/password/reset/", {}, {"email": "text"}),
    (
        "POST",
        "auth/password/reset/confirm/",
        {"uid": "x", "token": "x", "new_password": "a wholly new one"},
        {"uid": "text", "token": "text", "new_password": "password"},
    ),
    (
        "PATCH",
        "users/me/",
        {},
        {"email": "text", "username": "text", "first_name": "text or blank", "last_name": "text or blank"},
    ),
    (
        "POST",
        "projects/",
        {"key": "NEW", "name": "New"},
        {"key": "text", "name": "text", "description": "text or blank", "archived": "flag"},
    ),
    (
        "PATCH",
        "projects/MAIN/",
        {},
        {"key": "text", "name": "text", "description": "text or blank", "archived": "flag"},
    ),
    ("PATCH", "memberships/{membership}/", {}, {"role": "choice"}),
    (
        "POST",
        "invitations/",
        {"project": "{project}", "email": "new@example.org"},
        {"project": "id", "email": "text", "role": "choice"},
    ),
    ("POST", "invitations/accept/", {}, {"token": "token"}),
    (
        "POST",
        "statuses/",
        {"project": "{project}", "name": "New", "category": "todo"},
        {"project": "id", "name": "text", "slug": "text", "category": "choice", "position": "number"}
        | {"is_default": "flag"},
    ),
    (
        "PATCH",
        "statuses/{status}/",
        {},
        {"project": "id", "name": "text", "slug": "text", "category": "choice", "position": "number"}
        | {"is_default": "flag"},
    ),
    (
        "POST",
        "labels/",
        {"project": "{project}", "name": "New"},
        {"project": "id", "name": "text", "color": "text"},
    ),
    ("PATCH", "labels/{label}/", {}, {"project": "id", "name": "text", "color": "text"}),
    *(
        (
            method,
            path,
            sent,
            {"id": "new id", "project": "id", "title": "text", "description": "text or blank", "status": "choice"}
            | {"priority": "choice", "assignees": "ids", "labels": "ids", "parent": "id or null", "due_date": "date"},
        )
        for method, path, sent in [
            ("POST", "tasks/", {"project": "{project}", "title": "New"}),
            ("PATCH", "tasks/{task}/", {}),
        ]
    ),
    ("POST", "tasks/{task}/move/", {}, {"status": "choice", "before": "id", "after": "id"}),
    ("POST", "tasks/bulk/", {"set": {"title": "New"}}, {"ids": "ids"}),
    ("POST", "tasks/bulk/", {"ids": ["{task}"]}, {"set": "changes", "delete": "flag"}),
    (
        "POST",
        "relations/",
        {"source": "{task}", "target": "{other}", "type": "blocks"},
        {"source": "id", "target": "id", "type": "choice"},
    ),
    ("POST", "comments/", {"task": "{task}", "body": "New"}, {"task": "id", "body": "Markdown"}),
    ("PATCH", "comments/{comment}/", {}, {"task": "id", "body": "Markdown"}),
]
FIELDS = [(method, path, sent, name, fields[name]) for method, path, sent, fields in WRITES for name in fields]


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, as_user):
    """The owner's client, and the ids that the table above puts into paths and bodies: made once, for all tests."""
    with django_db_blocker.unblock(), undone():
        yield make_world(as_user)


def make_world(as_user):
    owner = UserFactory()
    project = ProjectFactory(key="MAIN", owner=owner)
    task, other = TaskFactory.create_batch(2, project=project, created_by=owner)
    rows = {
        "project": project,
        "membership": MembershipFactory(project=project),
        "invitation": InvitationFactory(project=project),
        "status": StatusFactory(project=project),
        "label": LabelFactory(project=project),
        "task": task,
        "other": other,
        "comment": CommentFactory(task=task, author=owner),
    }
    client = as_user(owner)
    client.raise_request_exception = False
    return client, {name: str(row.pk) for name, row in rows.items()}


def filled(value, ids):
    if isinstance(value, str):
        return value.format(**ids)
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return {name: filled(each, ids) for name, each in value.items()}


def sender(world, method, path, sent):
    client, ids = world
    call, address, body = getattr(client, method.lower()), f"/api/v1/{filled(path, ids)}", filled(sent, ids)
    return lambda name, value: call(address, {**body, name: value})


@pytest.mark.parametrize(("method", "path", "sent", "name", "kind"), FIELDS)
def test_a_value_of_the_wrong_kind_is_refused_at_its_field(world, method, path, sent, name, kind):
    send = sender(world, method, path, sent)
    with nothing_changes():
        answers = [(value, send(name, value)) for value in KINDS[kind]]
    accepted = [
        (str(value)[:80], answer.status_code, answer.content[:200])
        for value, answer in answers
        if answer.status_code != 400
        or {field.partition(".")[0] for field in answer.json()["errors"]} - {"non_field_errors"} != {name}
    ]
    assert accepted == []


@pytest.mark.parametrize(("method", "path", "sent", "name", "kind"), FIELDS)
def test_no_value_whatever_gives_a_server_error(world, method, path, sent, name, kind):
    send = sender(world, method, path, sent)
    failed = []
    for value in EVERYTHING:
        with transaction.atomic():
            answer = send(name, value)
            transaction.set_rollback(True)
        if answer.status_code >= 500:
            failed.append((str(value)[:80], answer.status_code))
    assert failed == []


@pytest.mark.parametrize("body", [None, True, 0, 1.5, "x", [], [{}], [[]], ["name"]])
@pytest.mark.parametrize(("method", "path", "sent"), [write[:3] for write in WRITES])
def test_a_body_that_is_no_object_is_refused(world, method, path, sent, body):
    client, ids = world
    with nothing_changes():
        address = f"/api/v1/{filled(path, ids)}"
        answer = client.generic(method, address, json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] in {"invalid", "parse_error"}


@pytest.mark.parametrize(("method", "path", "sent"), [write[:3] for write in WRITES])
def test_an_unknown_parameter_is_refused_beside_whatever_body(world, method, path, sent):
    client, ids = world
    send = getattr(client, method.lower())
    with nothing_changes():
        answer = send(f"/api/v1/{filled(path, ids)}?dry_run=1", filled(sent, ids))
        refused(answer, 400, errors={"dry_run": "unknown_parameter"})


def test_a_method_that_is_not_offered_gets_405_whatever_the_parameters(world):
    refused(world[0].post("/api/v1/memberships/?dry_run=1"), 405, "method_not_allowed")
