"""The description of the API: that it is valid, says all that it should, and is the committed one."""

import json
import logging
import uuid

import pytest
from django.urls import resolve
from drf_yasg.codecs import OpenAPICodecJson

from tickethub.schema import EXAMPLES, TAGS, Generator, info
from tickethub.tests.swagger import OPERATIONS, SCHEMA, every_operation, validate

REFRESH = "manage.py generate_swagger docs/api/swagger.json -o --settings tickethub.tests.settings"


def generate():
    return json.loads(OpenAPICodecJson(validators=["ssv"]).encode(Generator(info).get_schema(public=True)))


def view_of(path):
    return resolve("/api/v1" + path.replace("{id}", str(uuid.uuid4()))).func.cls


def test_it_is_valid_and_made_without_a_warning_or_a_query(caplog):
    with caplog.at_level(logging.WARNING):
        assert generate()["swagger"] == "2.0"
    assert caplog.records == []


def test_it_is_the_committed_one():
    assert generate() == SCHEMA, f"The API changed. If that is meant, run `uv run {REFRESH}` and commit the difference."


def test_it_is_served_the_same_at_any_address_and_with_any_token(client):
    response = client.get("/swagger.json", headers={"host": "127.0.0.1:1234", "Authorization": "Bearer nonsense"})
    assert response.json() == SCHEMA
    assert "host" not in SCHEMA
    assert client.get("/swagger.yaml").status_code == 200


@pytest.mark.parametrize("page", ["/swagger/", "/redoc/"])
def test_its_pages_are_served(client, page):
    response = client.get(page, headers={"accept": "text/html"})
    assert response.status_code == 200
    assert b"swagger.json" in response.content
    assert b"<title>TicketHub</title>" in response.content
    assert b"tickethub/api.css" in response.content
    assert b'href="/api/v1/schema/"' in response.content


def test_it_says_what_this_is_and_how_to_begin():
    assert SCHEMA["info"]["title"] == "TicketHub"
    assert SCHEMA["info"]["license"] == {"name": "MIT", "url": "https://opensource.org/license/mit"}
    calls = ["auth/register/", "auth/token/", "projects/", "tasks/", "/ws/v1/"]
    assert all(call in SCHEMA["info"]["description"] for call in calls)
    assert SCHEMA["securityDefinitions"]["Bearer"]["name"] == "Authorization"
    assert SCHEMA["basePath"] == "/api/v1"


def test_operations_are_told_apart_by_their_ids():
    ids = [param.values[2]["operationId"] for param in OPERATIONS]
    assert len(ids) == len(set(ids))


@every_operation
def test_every_operation_is_described(path, method, operation):
    assert 0 < len(operation["summary"]) <= 120
    assert operation["description"]
    assert operation["tags"] == [path.split("/")[1]]
    assert operation["tags"][0] in TAGS
    assert any(status < "400" for status in operation["responses"])
    assert {"400", "429", "503"} <= set(operation["responses"])
    assert all(response["description"] for response in operation["responses"].values())
    for status, response in operation["responses"].items():
        assert status < "400" or "$ref" in response["schema"]


@every_operation
def test_every_body_is_documented(path, method, operation):
    bodies = [parameter for parameter in operation["parameters"] if parameter["in"] == "body"]
    assert len(bodies) == (method in {"post", "patch"})
    for body in bodies:
        definition = SCHEMA["definitions"][body["schema"]["$ref"].split("/")[-1]]
        assert not any(shape.get("readOnly") for shape in definition["properties"].values())
        assert method != "patch" or "required" not in definition


@every_operation
def test_every_parameter_is_described_and_there_are_no_others(path, method, operation):
    listed = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
    known = set()
    if operation["operationId"] == "events_list":
        known = {"project", "task", "after", "limit"}
    elif operation["operationId"] == "projects_export":
        known = {"format"}
    elif operation["operationId"].endswith("_list"):
        known = {*view_of(path).filterset_class.base_filters, "limit", "offset"}
    assert listed == known
    described = [*SCHEMA["paths"][path]["parameters"], *(p for p in operation["parameters"] if p["in"] != "body")]
    assert all(parameter["description"] for parameter in described)
    assert [parameter["name"] for parameter in SCHEMA["paths"][path]["parameters"]] == ["id"] * path.count("{id}")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_valid_one(name):
    validate(EXAMPLES[name], {"$ref": f"#/definitions/{name}"})


def test_definitions_have_names_that_a_person_would_choose():
    chosen = {"User", "Registration", "Project", "NewTask", "Task", "TaskChanges", "Event", "Error", "ValidationError"}
    assert chosen <= set(SCHEMA["definitions"])
    assert not [name for name in SCHEMA["definitions"] if "Serializer" in name]
