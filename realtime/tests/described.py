"""Holds the frames that tests say and hear against the description of the WebSocket."""

import json
from functools import cache

from django.conf import settings
from jsonschema import Draft202012Validator, FormatChecker

DESCRIPTION = json.loads((settings.BASE_DIR / "docs/api/asyncapi.json").read_text())
MESSAGES, SCHEMAS = (DESCRIPTION["components"][name] for name in ("messages", "schemas"))
REFUSALS = {"malformed", "unknown_type", "invalid"}  # of frames that are none of those that may be said


def strict(node):
    """A schema that takes no other fields than it has. Clients are told to ignore those, we to describe them."""
    if isinstance(node, list):
        return [strict(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    node = {name: strict(inner) for name, inner in node.items()}
    return {"additionalProperties": False, **node} if "required" in node else node


def payloads():
    """`{name: schema}` of every frame, those with an event by its name: to look through all of them takes long."""
    found = {name: each["payload"] for name, each in MESSAGES.items() if name != "event"}
    for kind in MESSAGES["event"]["payload"]["oneOf"]:
        schema = SCHEMAS[kind["$ref"].split("/")[-1]]
        found |= dict.fromkeys(schema["properties"]["event"]["enum"], schema)
    return found


@cache
def validator(name):
    schema = {**strict(payloads()[name]), "components": {"schemas": strict(SCHEMAS)}}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def check_heard(frame):
    """Assert that a frame of the server is as described."""
    validator(frame["event"] if frame["type"] == "event" else frame["type"]).validate(frame)


def check_told(frame):
    """Assert that a frame of the server is one of those that it sends without being asked."""
    told = DESCRIPTION["operations"]["tell"]["messages"]
    assert frame["type"] in {each["$ref"].split("/")[-1] for each in told}


def check_said(frame, answer):
    """Assert that a frame of a client which the server understood is as described, and that it was so answered."""
    if answer["type"] == "error" and answer["code"] in REFUSALS:
        return
    kind = frame["type"]
    validator(kind).validate(frame)
    if answer["type"] != "event":
        replies = DESCRIPTION["operations"][kind]["reply"]["messages"]
        assert answer["type"] in {reply["$ref"].split("/")[-1] for reply in replies}
