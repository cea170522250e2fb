"""The root of the API: it lists what there is; and who may read the description there."""

import re
import shlex

import pytest
from django.urls import resolve

from accounts.tests.checks import refused
from accounts.tests.factories import UserFactory
from tasks.models import Task
from tickethub.schema import DESCRIPTION, description_at
from tickethub.tests.test_openapi import OPENAPI

pytestmark = pytest.mark.django_db


def test_the_root_lists_what_there_is(anonymous):
    told = anonymous.get("/api/v1/").json()

    documented = {path.strip("/") for path in OPENAPI["paths"] if "{" not in path}
    assert set(told["resources"]) == documented
    assert (told["name"], told["version"]) == ("TicketHub", "v1")
    assert told["websocket"] == "ws://testserver/ws/v1/"
    for address in [*told["resources"].values(), *told["documentation"].values()]:
        assert address.startswith("http://testserver/")
        resolve(address.removeprefix("http://testserver"))


def test_the_root_takes_no_parameters_and_is_read_alone(anonymous):
    refused(anonymous.get("/api/v1/?page=2"), 400)
    refused(anonymous.post("/api/v1/", {}), 405)


def test_the_description_is_the_committed_one_whoever_asks(anonymous, as_user):
    assert anonymous.get("/api/v1/schema/").json() == OPENAPI
    assert as_user(UserFactory()).get("/api/v1/schema/").json() == OPENAPI
    assert anonymous.get("/api/v1/schema/", headers={"Authorization": "Bearer nonsense"}).json() == OPENAPI


@pytest.fixture
def for_staff(settings):
    settings.API_PAGES = "STAFF"


@pytest.mark.usefixtures("for_staff")
def test_where_it_is_for_staff_they_read_it_with_a_token_or_from_the_admin(client, as_user):
    staff = UserFactory(is_staff=True)

    assert as_user(staff).get("/api/v1/schema/").json() == OPENAPI
    client.force_login(staff)
    assert client.get("/api/v1/schema/").json() == OPENAPI


@pytest.mark.usefixtures("for_staff")
def test_where_it_is_for_staff_nobody_else_reads_it(anonymous, client, as_user):
    member = UserFactory()
    client.force_login(member)

    for answer, status in [
        (anonymous.get("/api/v1/schema/"), 401),
        (as_user(member).get("/api/v1/schema/"), 403),
        (client.get("/api/v1/schema/"), 403),
    ]:
        refused(answer, status)
        assert b"paths" not in answer.content
    assert anonymous.get("/api/v1/").status_code == 200


# --- The description begins with a way that works ---


def calls(text):
    """`(path, body)` of each curl command in a text, the names of a shell left in."""
    for command in re.findall(r"^ {4}curl .*?\}'$", text, re.DOTALL | re.MULTILINE):
        _, address, *rest = shlex.split(command.replace("'$PROJECT'", "$PROJECT"))
        yield address.removeprefix("http://localhost:8000"), rest[rest.index("--json") + 1]


def test_the_calls_of_the_description_lead_from_registering_to_a_task(as_user, anonymous):
    (register, person), (login, credentials), (projects, project), (tasks, task) = calls(DESCRIPTION)
    send = {"content_type": "application/json"}

    assert anonymous.post(register, person, **send).status_code == 201
    token = anonymous.post(login, credentials, **send).json()["access"]
    caller = as_user(None, Authorization=f"Bearer {token}")
    made = caller.post(projects, project, **send).json()
    answer = caller.post(tasks, task.replace("$PROJECT", made["id"]), **send)

    assert answer.status_code == 201
    assert Task.objects.get().key == answer.json()["key"] == "ENGINE-1"


def test_the_calls_of_the_description_go_to_where_it_is_served():
    told = description_at("https://tickets.example.org")
    assert 'WebSocket("wss://tickets.example.org/ws/v1/")' in told
    assert told.count("curl https://tickets.example.org/api/v1/") == 4
    assert "localhost" not in told
