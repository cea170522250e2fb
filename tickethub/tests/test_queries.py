"""Whatever stands in the query of a list: an answer or a refusal at that parameter, never a server error."""

from urllib.parse import quote

import pytest
from django.urls import resolve

from accounts.tests.checks import refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db
LISTS = ["users", "projects", "memberships", "invitations", "statuses", "labels", "tasks", "relations", "comments"]
MISSING = "01900000-0000-7000-8000-000000000000"
VALUES = [
    *["", " ", "x", "0", "1", "-1", "1.5", "1e999", "٣", "null", "None", "true", "[]", "{}", "%", "\\", "'; --", '"'],
    *["\0", "a\0b", "\ufffd", "\u2028", "\U0001f980", "\x7f", "\n", ",", ",,", "-", "--", "pk", "?", "__", "id__in"],
    *[MISSING, f"{{{MISSING}}}", f"urn:uuid:{MISSING}", MISSING[:-1], "MAIN", "MAIN-1", "MAIN-0", "MAIN-99999999999"],
    *["9" * 400, "9" * 5000, "x" * 10_000, "x " * 5000, "MAIN-" + "9" * 5000],
    *["0001-01-01", "9999-12-31", "0000-00-00", "2024-02-30", "10000-01-01", "0001-01-01T00:00:00+14:00"],
    *["9999-12-31T23:59:59-14:00", "2024-01-01T25:00:00Z", "2024-01-01 00:00", "99999999999999999999-01-01T00:00:00Z"],
]


def parameters(path):
    view = resolve(path).func.cls
    return [*view.filterset_class.base_filters, "limit", "offset"]


CASES = [(f"/api/v1/{name}/", parameter) for name in LISTS for parameter in parameters(f"/api/v1/{name}/")]


@pytest.fixture
def client(as_user):
    user = UserFactory()
    TaskFactory(project=ProjectFactory(key="MAIN", owner=user), created_by=user)
    client = as_user(user)
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(("path", "parameter"), CASES)
def test_no_value_of_a_parameter_gives_a_server_error(client, path, parameter):
    wrong = []
    for value in VALUES:
        response = client.get(f"{path}?{parameter}={quote(value)}")
        if response.status_code == 400:
            refused(response, 400, "invalid")
            assert set(response.json()["errors"]) == {parameter}
        elif response.status_code != 200:
            wrong.append((value[:50], response.status_code))
    assert wrong == []


@pytest.mark.parametrize(("path", "parameter"), [case for case in CASES if case[1] not in {"limit", "offset"}])
def test_a_filter_without_a_value_never_gives_the_whole_list(client, path, parameter):
    for value in ("", "%20", "%09%0A"):
        response = client.get(f"{path}?{parameter}={value}")
        if parameter == "search":
            assert response.status_code == 200
        else:
            refused(response, 400, errors={parameter: "blank"})


REPEATABLE = {
    ("/api/v1/tasks/", name) for name in ("status", "status_category", "priority", "assignee", "label", "ordering")
}


@pytest.mark.parametrize(("path", "parameter"), CASES)
def test_what_is_given_twice_is_refused_unless_any_of_both_is_found(client, path, parameter):
    value = client.get("/api/v1/tasks/").json()["results"][0].get(parameter, "1")
    response = client.get(f"{path}?{parameter}={value}&{parameter}={value}")
    if (path, parameter) in REPEATABLE:
        assert "repeated" not in response.content.decode()
    else:
        refused(response, 400, errors={parameter: "repeated"})


@pytest.mark.parametrize("path", [f"/api/v1/{name}/" for name in LISTS])
@pytest.mark.parametrize("query", ["%ED%A0%80=1", "%FF=%FF", "%00", "=", "a[]=1", "limit[]=1", "__proto__=1", "page=1"])
def test_a_name_that_no_list_knows_is_refused(client, path, query):
    refused(client.get(f"{path}?{query}"), 400, "invalid")


@pytest.mark.parametrize("path", [f"/api/v1/{name}/" for name in LISTS])
def test_a_text_that_is_no_utf8_is_taken_for_what_it_is_not(client, path):
    refused(client.get(f"{path}?limit=%FF"), 400, errors={"limit": "invalid"})


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("parameter", ["project", "after", "task", "limit"])
def test_no_query_of_the_log_gives_a_server_error(client, parameter, value):
    query = {"project": "MAIN", parameter: value}
    response = client.get("/api/v1/events/", query)
    assert response.status_code in {200, 400, 404, 410}, response.content


def test_the_log_is_asked_for_one_project(client):
    refused(client.get("/api/v1/events/?project=MAIN&project=MAIN"), 400, errors={"project": "repeated"})
