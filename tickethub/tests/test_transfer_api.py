"""Import and export by REST. Who may do what is in the table of permissions."""

import asyncio
import json
import threading
import warnings

import pytest

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from realtime.models import Event
from tasks.tests.factories import TaskFactory
from tickethub.streaming import PiecewiseResponse
from tickethub.transfer import reading

pytestmark = pytest.mark.django_db
ISSUES = json.dumps([{"number": 7, "title": "Order the wheels", "state": "open"}])


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="ENGINE", owner=ada)


@pytest.fixture
def client(as_user, ada):
    return as_user(ada)


def post(client, data=ISSUES, **body):
    return client.post("/api/v1/projects/ENGINE/import/", {"data": data, **body})


def test_an_owner_imports_and_is_told_what_came_of_it(client, project, ada):
    response = post(client)

    assert response.status_code == 200
    assert response.json() == {
        "format": "github-json",
        "dry_run": False,
        "made": {"tasks": 1, "comments": 0, "relations": 0, "labels": 0, "statuses": 0},
        "standing": 0,
        "statuses": {"open": "todo"},
        "warnings": [],
    }
    task = project.tasks.get()
    assert (task.key, task.created_by) == ("ENGINE-7", ada)
    event = Event.objects.of(project.pk).last()
    assert (event.type, event.actor_id, event.request_id) == ("task.created", ada.pk, response["X-Request-ID"])


def test_a_dry_run_tells_the_same_and_changes_nothing(client, project):
    with nothing_changes():
        dry = post(client, dry_run=True).json()

    assert dry == post(client).json() | {"dry_run": True}


def test_a_dry_run_makes_statuses_and_undoes_them(client, project):
    data = "id,key,title,status,status_name,status_category\nx,OLD-1,Brew,brewing,Brewing,in_progress\n"
    with nothing_changes():
        response = post(client, data, dry_run=True)
    assert response.status_code == 200
    assert response.json()["made"]["statuses"] == 1


def test_a_file_sent_again_makes_nothing(client, project):
    post(client)

    with nothing_changes():
        assert post(client).json()["standing"] == 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_taken_is_told_by_row_and_nothing_is_taken(client, project, dry_run):
    data = json.dumps(
        [{"number": 1, "title": "Fine", "labels": ["new"]}, {"number": 2, "title": "", "labels": ["x" * 51]}]
    )

    with nothing_changes():
        response = post(client, data, dry_run=dry_run)

    refused(response, 400, "invalid", {"data.2.title": "blank", "data.2.labels": "max_length"})


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"data": "no,columns\n1,2\n"}, {"data": "unknown_format"}),
        ({"data": "{"}, {"data": "malformed"}),
        ({"data": ""}, {"data": "blank"}),
        ({"format": "xml"}, {"format": "invalid_choice"}),
        ({"statuses": {"open": "nowhere"}}, {"statuses": "does_not_exist"}),
        ({"people": {"octocat": "nobody"}}, {"people": "does_not_exist"}),
        ({"statuses": []}, {"statuses": "not_a_dict"}),
        ({"dry_run": "perhaps"}, {"dry_run": "invalid"}),
    ],
)
def test_bad_input_is_refused_in_words(client, project, body, errors):
    with nothing_changes():
        refused(post(client, **body), 400, "invalid", errors)


def test_an_archived_project_takes_nothing(client, project):
    client.patch("/api/v1/projects/ENGINE/", {"archived": True})

    with nothing_changes():
        refused(post(client), 409, "archived")


def test_a_file_may_be_larger_than_other_bodies_up_to_a_limit(client, project, settings):
    issue = {"number": 1, "title": "Large", "body": "x" * 40_000, "comments": [{"body": "y" * 40_000}] * 80}
    data = json.dumps([issue])
    assert len(data) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE

    assert post(client, data).json()["made"]["comments"] == 80
    settings.IMPORT_MAX_SIZE = len(data)
    with nothing_changes():
        refused(post(client, data), 413, "payload_too_large")


@pytest.mark.parametrize(
    "data",
    [
        "title\na\nb\nc\n",
        json.dumps([{"title": "a"}] * 3),
        json.dumps({"tickethub": 1, "tasks": [{"id": str(n), "title": "a"} for n in range(3)]}),
        json.dumps([{"title": "a", "comments": [{}] * 20}]),
    ],
)
def test_a_file_of_too_many_rows_is_refused_before_they_are_made(client, project, settings, data):
    settings.IMPORT_MAX_ROWS = 2
    with nothing_changes():
        errors = refused(post(client, data), 400)["errors"]
    assert [each["code"] for each in errors["data"]] == ["too_many"]
    settings.IMPORT_MAX_ROWS = 20
    assert post(client, data).status_code == 200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("issue key,summary,comment,comment,comment\nA-1,a,x,y,z\n", "At most 2 comments"),
        ("issue key,summary" + ",outward issue link (blocks)" * 3 + "\nA-1,a,A-2,A-3,A-4\n", "At most 2 relations"),
        ('title,labels\na,"1,2,3,4,5,6,7"\nb,"1,2,3,4,5,6,7"\n', "At most 4 labels and assignees"),
        ("title" + ",x" * 200 + "\na" + "," * 200, "At most 200 cells"),
        ('title,labels\na,"1,2"\nb,"3,4"\n', "At most 3 labels and"),
        (json.dumps([{"title": "a", "labels": ["1", "2", "3", "4"]}]), "At most 3 labels and"),
    ],
)
def test_what_hangs_on_the_rows_has_limits_too(client, project, settings, monkeypatch, data, words):
    settings.IMPORT_MAX_ROWS = 2
    monkeypatch.setattr(reading, "MOST_LABELS", 3 if "3 labels" in words else 10)
    with nothing_changes():
        [error] = refused(post(client, data), 400)["errors"]["data"]
    assert error["code"] == "too_many"
    assert error["detail"].startswith(words)
    settings.IMPORT_MAX_ROWS = 20
    monkeypatch.setattr(reading, "MOST_LABELS", 10)
    assert post(client, data).status_code == 200


def test_an_export_is_given_whatever_is_accepted(client, project):
    response = client.get("/api/v1/projects/ENGINE/export/", {"format": "csv"}, headers={"Accept": "text/csv"})
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")


def test_imports_and_exports_have_limits_of_their_own(client, project, rates):
    rates["import"] = rates["export"] = "1/hour"

    for ask in (lambda: post(client, dry_run=True), lambda: client.get("/api/v1/projects/ENGINE/export/")):
        assert ask().status_code == 200
        refused(ask(), 429, "throttled")


@pytest.mark.parametrize(("format", "kind"), [("json", "application/json"), ("csv", "text/csv; charset=utf-8")])
def test_an_export_is_a_file_that_can_be_imported(client, as_user, project, format, kind):
    TaskFactory(project=project, title="=wheels")
    viewer = UserFactory()
    project.memberships.create(user=viewer, role="viewer")

    response = as_user(viewer).get("/api/v1/projects/ENGINE/export/", {"format": format})

    assert response.status_code == 200
    assert response["Content-Type"] == kind
    assert response["Content-Disposition"] == f'attachment; filename="ENGINE.{format}"'
    text = b"".join(response.streaming_content).decode()
    other = ProjectFactory(key="OTHER", owner=project.memberships.get(role="owner").user)
    assert client.post("/api/v1/projects/OTHER/import/", {"data": text}).status_code == 200
    assert other.tasks.get().title == "=wheels"


@pytest.mark.parametrize("query", [{"format": "xml"}, {"fromat": "csv"}])
def test_an_export_takes_no_other_parameter(client, project, query):
    refused(client.get("/api/v1/projects/ENGINE/export/", query), 400, "invalid")


def test_pieces_are_made_one_by_one_as_they_are_sent_and_not_on_the_event_loop():
    made = []

    def pieces():
        for number in range(3):
            made.append((number, threading.current_thread() is threading.main_thread()))
            yield b"%d" % number

    async def send():
        return [(piece, len(made)) async for piece in PiecewiseResponse(pieces())]

    with warnings.catch_warnings(action="error"):
        assert asyncio.run(send()) == [(b"0", 1), (b"1", 2), (b"2", 3)]
    assert not any(on_loop for _, on_loop in made)
