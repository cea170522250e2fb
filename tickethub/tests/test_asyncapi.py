"""The description of the WebSocket: that it is the committed one. Each line of a test holds its frames against it."""

import json

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator, ValidationError

from realtime.tests.described import DESCRIPTION, MESSAGES, SCHEMAS, check_heard, check_said, payloads
from realtime.things import THINGS
from tickethub.asyncapi import document
from tickethub.tests.test_openapi import DEFINITIONS

REFRESH = "manage.py asyncapi --settings tickethub.tests.settings > docs/api/asyncapi.json"


def test_it_is_the_committed_one(capsys):
    call_command("asyncapi")
    printed = json.loads(capsys.readouterr().out)
    assert printed == document()
    assert printed == DESCRIPTION, f"The protocol changed. If that is meant, run `uv run {REFRESH}` and commit it."


def test_its_schemas_are_valid_and_all_that_they_refer_to_is_there():
    for schema in [*SCHEMAS.values(), *(message["payload"] for message in MESSAGES.values())]:
        Draft202012Validator.check_schema(schema)
    referred = set(json.dumps(DESCRIPTION).split('"$ref": "#/')[1:])
    for path in {text.split('"')[0] for text in referred}:
        node = DESCRIPTION
        for name in path.split("/"):
            node = node[name]


def test_it_has_every_event_and_shows_objects_as_the_api_does():
    events = {f"{thing.name}.{verb}" for thing in THINGS.values() for verb in ("created", "updated", "deleted")}
    assert events <= payloads().keys()
    for name in SCHEMAS.keys() & DEFINITIONS.keys() - {"Project"}:
        assert SCHEMAS[name].get("properties") == DEFINITIONS[name].get("properties")


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "subscribed", "project": "01890a5d-ac96-774b-bcce-b302099a8057"},
        {"type": "subscribed", "project": "AB", "cursor": "1.x"},
        {"type": "unsubscribed", "project": "01890a5d-ac96-774b-bcce-b302099a8057", "reason": "bored"},
        {"type": "ping", "at": "noon"},
        {"type": "error", "code": 7, "detail": "Seven."},
        {"type": "event", "event": "task.created"},
    ],
)
def test_a_frame_that_is_not_as_described_is_noticed(frame):
    with pytest.raises(ValidationError):
        check_heard(frame)


def test_what_the_server_takes_has_to_be_described():
    with pytest.raises(ValidationError):
        check_said({"type": "subscribe", "key": "AB"}, {"type": "subscribed"})
    with pytest.raises(AssertionError):
        check_said({"type": "subscribe", "project": "AB"}, {"type": "authenticated"})
