"""The committed description of the API by Swagger 2.0, as tests go through it."""

import json

import pytest
from django.conf import settings
from jsonschema import Draft4Validator, FormatChecker

METHODS = ("get", "post", "patch", "delete")
SCHEMA = json.loads((settings.BASE_DIR / "docs/api/swagger.json").read_text())
OPERATIONS = [
    pytest.param(path, method, item[method], id=f"{method} {path}")
    for path, item in SCHEMA["paths"].items()
    for method in METHODS
    if method in item
]
every_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
every_list = pytest.mark.parametrize(
    ("path", "method", "operation"), [param for param in OPERATIONS if "_list" in param.values[2]["operationId"]]
)


def strict(node):
    """A schema of Swagger as one of JSON Schema, that refuses what is not documented."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: strict(inner) for name, inner in node.items()}
    if node.get("type") == "object" and "additionalProperties" not in node and "properties" in node:
        node["additionalProperties"] = False
    return {"anyOf": [{"type": "null"}, node]} if node.pop("x-nullable", False) else node


DEFINITIONS = {name: strict(definition) for name, definition in SCHEMA["definitions"].items()}


def validate(value, schema):
    """Raise jsonschema's ValidationError for a value that is not as this schema of the description has it."""
    schema = {"allOf": [strict(schema)], "definitions": DEFINITIONS}
    Draft4Validator(schema, format_checker=FormatChecker()).validate(value)
