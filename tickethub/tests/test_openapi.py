"""The description by OpenAPI 3.1: that it is valid, the committed one, and says what the one by Swagger 2.0 says."""

import json

import pytest
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from tickethub.described import File
from tickethub.openapi import Generator
from tickethub.tests.swagger import METHODS
from tickethub.tests.swagger import SCHEMA as SWAGGER

SNAPSHOT = settings.BASE_DIR / "docs/api/openapi.json"
REFRESH = "manage.py spectacular --format openapi-json --file docs/api/openapi.json --settings tickethub.tests.settings"
OPENAPI = json.loads(SNAPSHOT.read_text())
DEFINITIONS = OPENAPI["components"]["schemas"]
# Of texts, drf-yasg forgets some other limits, and has a format `slug` that is none of JSON Schema's.
LIMITS = {"maxLength", "minimum", "maximum", "minItems", "maxItems", "default"}
KNOWN = LIMITS | {"type", "format", "enum", "description"}


def generate():
    return json.loads(json.dumps(Generator().get_schema(public=True)))


@pytest.fixture(scope="module")
def document():
    return generate()


def test_it_is_valid_and_made_without_a_warning(document):
    validate_schema(document)
    assert document["openapi"].startswith("3.1")
    assert not GENERATOR_STATS


def test_it_is_the_committed_one(document):
    assert document == OPENAPI, f"The API changed. If that is meant, run `uv run {REFRESH}` and commit the difference."


# --- Both say the same --------------------------------------------------------------------------------------------


def name_of(reference):
    return reference["$ref"].split("/")[-1]


def unwrapped(schema):
    """The schema without what is around a reference, and whether it may be null."""
    schema = dict(schema)
    is_nullable = schema.pop("x-nullable", False)
    for form in schema.keys() & {"oneOf", "allOf"}:
        [inner, *null] = schema.pop(form)
        is_nullable |= null == [{"type": "null"}]
        schema |= inner
    if isinstance(schema.get("type"), list):
        [schema["type"], null] = schema["type"]
        is_nullable |= null == "null"
    return schema, is_nullable


def plain(schema):
    """What a schema of either kind says of a value: its type, whether it may be null, its limits, what is in it."""
    schema, is_nullable = unwrapped(schema)
    if "$ref" in schema:
        if "enum" not in DEFINITIONS.get(name_of(schema), {}):
            return {"of": name_of(schema), "is_nullable": is_nullable}  # Swagger can say no more of a reference
        schema |= DEFINITIONS[name_of(schema)]  # Swagger has it in each place
    told = {name: value for name, value in schema.items() if name in KNOWN and value != "slug"}
    if "items" in schema:
        told["items"] = plain(schema["items"])
    if schema.get("additionalProperties"):
        told["each"] = plain(schema["additionalProperties"])
    return told | {"is_nullable": is_nullable}


def fields(definition):
    """`{name: what is said of it}` of the fields of a definition."""
    required = definition.get("required", [])
    return {
        name: {"is_required": name in required, **plain(schema)}
        for name, schema in definition.get("properties", {}).items()
    }


def content(answer):
    """What is in an answer or a body of either kind: the name of a definition, or the fields of a page."""
    if "content" in answer:
        shapes = {kind: each["schema"] for kind, each in answer["content"].items()}
        assert shapes == File.shapes or len({str(shape) for shape in shapes.values()}) == 1
        answer = answer["content"]["application/json"]
    schema = answer.get("schema")
    if schema is None:
        return None
    if "$ref" not in schema:
        return fields(schema)
    name = name_of(schema)
    if name.startswith("PageOf") and name not in SWAGGER["definitions"]:  # which Swagger has in each place
        return fields(DEFINITIONS[name])
    return {} if name == "Empty" else name


def answers(operation):
    return {
        status: {
            "description": answer["description"],
            "content": content(answer),
            "headers": {
                name: (header["description"], header.get("schema", header)["type"])
                for name, header in answer.get("headers", {}).items()
            },
        }
        for status, answer in operation["responses"].items()
    }


def parameters(listed):
    return {
        (each["in"], each["name"]): {
            "description": each["description"],
            "is_required": each.get("required", False),
            "is_repeated": each.get("collectionFormat") == "multi" or each.get("explode", False),
            **plain(each.get("schema", each)),
        }
        for each in listed
        if each["in"] != "body"
    }


def body(operation):
    bodies = [each for each in operation.get("parameters", []) if each["in"] == "body"]
    if "requestBody" in operation:
        bodies.append(operation["requestBody"])
    return [(content(each), each["required"]) for each in bodies]


def kinds(document, operation):
    """Of what kinds the answers are."""
    if "openapi" not in document:
        return set(operation.get("produces", document["produces"]))
    return {kind for answer in operation["responses"].values() for kind in answer.get("content", ())}


def told(document):
    """Each operation of a document of either kind."""
    return {
        (method, path): {
            **{name: operation[name] for name in ("operationId", "summary", "description", "tags")},
            "needs_token": operation.get("security", [] if "openapi" in document else None) != [],
            "parameters": parameters([*item.get("parameters", []), *operation.get("parameters", [])]),
            "body": body(operation),
            "answers": answers(operation),
            "kinds": kinds(document, operation),
        }
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


OPERATIONS = told(OPENAPI)


def test_both_have_the_same_operations():
    assert told(SWAGGER).keys() == OPERATIONS.keys()


@pytest.mark.parametrize(("operation", "expected"), told(SWAGGER).items(), ids=map(" ".join, told(SWAGGER)))
def test_both_say_the_same_of_an_operation(operation, expected):
    assert OPERATIONS[operation] == expected


@pytest.mark.parametrize("name", sorted(SWAGGER["definitions"].keys() - {"Empty"}))
def test_both_say_the_same_of_a_definition(name):
    assert fields(DEFINITIONS[name]) == fields(SWAGGER["definitions"][name])


def test_there_are_no_other_definitions_than_pages_and_choices():
    others = {
        name for name, definition in DEFINITIONS.items() if "enum" not in definition and not name.startswith("PageOf")
    }
    assert others == {name for name in SWAGGER["definitions"] if not name.startswith("PageOf")} - {"Empty"}


def test_the_sample_program_uses_every_path():
    """CI compiles it against the types that are generated, and runs it."""
    program = (settings.BASE_DIR / "clients/typescript/sample.ts").read_text()
    assert {path for path in OPENAPI["paths"] if f'("{path}"' not in program} == set()
