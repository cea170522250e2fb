"""What the caller may not see is answered byte for byte as what does not exist, wherever its id stands.

Each name in the table of permissions, place by place, is made to mean something hidden, then something absent. For
those outside, what is hidden is the table's own project; for those inside, another one.
"""

import json
from itertools import product

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.checks import undone
from accounts.tests.factories import UserFactory
from tickethub.tests.world import ROWS_WITH_IDS, absent, asked_twice, filled

pytestmark = pytest.mark.django_db
CALLERS = ["outsider", "staff", "viewer", "owner"]
PATHS = sorted({path for _, path, _ in ROWS_WITH_IDS if "{" in path.partition("?")[0]})
OF_A_REQUEST = {"X-Request-ID", "Date"}  # headers that say nothing of what was asked for
WRITES = ("INSERT", "UPDATE", "DELETE")
CONDITIONS = [{"If-Match": '"0"', "If-None-Match": '"1"'}, {"If-Match": "*", "If-None-Match": "*"}]


def answer(world, role, method, path, body, headers=None):
    """What a request gives, which must not write, and what is in it for whoever compares."""
    letters = len(mail.outbox)
    with undone(), CaptureQueriesContext(connection) as captured:
        response = world.request(role, method, path, body, headers)
    assert not [query["sql"] for query in captured.captured_queries if query["sql"].startswith(WRITES)]
    assert len(mail.outbox) == letters
    headers = {name: value for name, value in response.items() if name not in OF_A_REQUEST}
    return response.status_code, headers, response.content.decode()


@pytest.mark.parametrize("role", CALLERS)
@pytest.mark.parametrize(("method", "path", "body"), ROWS_WITH_IDS, ids=[" ".join(row[:2]) for row in ROWS_WITH_IDS])
def test_what_is_hidden_is_answered_as_what_is_absent(world, role, method, path, body):
    for hidden, nowhere, ask_hidden, ask_nowhere in asked_twice(world, role, path, body):
        status, headers, content = answer(world, role, method, *ask_hidden)
        content = content.replace(hidden, nowhere)
        assert (status, headers, content) == answer(world, role, method, *ask_nowhere)
        assert world.hidden(role).word not in content
        assert (status == 200 and '"count":0' in content) if "search=" in path else status >= 400


@pytest.mark.parametrize("role", ["outsider", "owner"])
@pytest.mark.parametrize("path", ["invitations/", "statuses/", "labels/", "tasks/"])
def test_a_bad_body_does_not_tell_them_apart_either(world, role, path):
    hidden = str(world.hidden_names(role)["project"])
    body = {"name": "", "title": "", "email": "x", "slug": "main-column", "assignees": ["x"]}
    status, headers, content = answer(world, role, "POST", path, body | {"project": hidden})
    content = content.replace(hidden, absent(hidden))
    assert (status, headers, content) == answer(world, role, "POST", path, body | {"project": absent(hidden)})
    assert status == 400


@pytest.mark.parametrize("role", ["outsider", "owner"])
@pytest.mark.parametrize("path", PATHS)
def test_neither_head_nor_options_nor_etags_tell_them_apart(world, role, path):
    """Neither 304 nor 412 says that what is hidden is there."""
    asked = [("HEAD", {}), ("OPTIONS", {}), *product(("GET", "PATCH", "DELETE"), CONDITIONS)]
    for method, headers in asked:
        for hidden, nowhere, ask_hidden, ask_nowhere in asked_twice(world, role, path, None):
            status, told, content = answer(world, role, method, *ask_hidden, headers)
            content = content.replace(hidden, nowhere)
            assert (status, told, content) == answer(world, role, method, *ask_nowhere, headers)
            assert status in ({200} if method == "OPTIONS" else {404, 405})


# What has to be unique everywhere cannot be taken again, so that it is taken shows. Nothing else does.
TAKEN = [
    ("POST", "projects/", {"key": "{key}", "name": "New"}, 400),
    ("PATCH", "users/me/", {"email": "{address}"}, 400),
    ("PATCH", "users/me/", {"username": "{handle}"}, 400),
    ("POST", "tasks/", {"id": "{id_of_another}", "project": "{own_project}", "title": "New"}, 409),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), TAKEN)
def test_what_is_taken_is_refused_alike_whether_or_not_one_sees_who_has_it(world, method, path, body, status):
    own = {"own_project": world.main.project.pk}
    seen, hidden = (
        answer(world, "owner", method, *filled(path, body, site.names | own)) for site in (world.main, world.dark)
    )
    assert seen == hidden
    assert seen[0] == status
    assert world.dark.word not in hidden[2]


def test_whether_an_invited_address_is_somebodys_shows_nowhere(world):
    body, answers = {"project": str(world.main.project.pk)}, []
    for address in (world.dark.names["address"], absent(world.dark.names["address"])):
        with undone(), CaptureQueriesContext(connection) as captured:
            response = world.request("admin", "POST", "invitations/", body | {"email": address})
        assert (response.status_code, response.json().pop("email")) == (201, address)
        answers.append((len(captured), len(response.content), sorted(response.json()), sorted(response.headers)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("field", ["assignees", "labels", "parent", "status"])
@pytest.mark.parametrize("role", ["outsider", "owner"])
def test_without_a_project_nothing_is_told_of_what_else_a_task_names(world, role, field):
    """Not of a person either who is in no project at all."""
    hidden = world.hidden_names(role)
    project = str(absent(hidden["project"]))
    people = [hidden["person"], UserFactory().pk]
    values = {"assignees": people, "labels": [hidden["label"]], "parent": [hidden["task"]], "status": [hidden["slug"]]}
    for value in map(str, values[field]):
        answers = []
        for named in (value, absent(value)):
            body = {"project": project, "title": "New", field: [named] if field in {"assignees", "labels"} else named}
            status, headers, content = answer(world, role, "POST", "tasks/", body)
            answers.append((status, headers, content.replace(value, absent(value))))
        assert answers[0] == answers[1]
        assert set(refused_fields(answers[0][2])) == {"project", field}


def refused_fields(content):
    return json.loads(content)["errors"]


def test_the_task_in_a_412_is_shown_to_nobody_who_may_not_change_it(world):
    path = f"tasks/{world.main.names['task']}/"
    for role, status in {"outsider": 404, "staff": 404, "viewer": 403, "member": 412}.items():
        given, _, content = answer(world, role, "PATCH", path, {"title": "New"}, {"If-Match": '"0"'})
        assert given == status
        assert ("current" in content) == (world.main.word in content) == (role == "member")


@pytest.mark.parametrize("name", ["project__name", "created_by__email", "assignees__email", "parent__title", "labels"])
def test_nothing_is_ordered_by_what_lies_across_a_relation(world, name):
    for path in ("tasks/", "comments/", "memberships/", "users/"):
        status, _, content = answer(world, "owner", "GET", f"{path}?ordering=-{name}", None)
        assert status == 400
        assert set(refused_fields(content)) == {"ordering"}
