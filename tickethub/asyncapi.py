"""The description of the WebSocket by AsyncAPI 3: its frames, with the objects that OpenAPI describes."""

from functools import cache

from realtime.things import THINGS
from tickethub import openapi
from tickethub.schema import VERSION, info

VERBS = ("created", "updated", "deleted")
LINE = {"$ref": "#/channels/line"}
TEXT, ID, MOMENT = {"type": "string"}, {"type": "string", "format": "uuid"}, {"type": "string", "format": "date-time"}
PROJECT = {"type": "string", "minLength": 1, "description": "Its id or its key."}
CURSOR = {"type": "string", "description": "A place in the log. Opaque."}
REF = {"description": "Whatever the client likes; the answer repeats it."}
REASON = {"type": "string", "enum": ["requested", "access_revoked", "deleted"]}

# What each frame is, its fields, and of these the ones that may be left out.
FROM_CLIENT = {
    "authenticate": ("Say who one is: first, and again to stay longer.", {"token": TEXT}, {}),
    "subscribe": ("Follow a project, from now on or after a cursor.", {"project": PROJECT}, {"after": CURSOR}),
    "unsubscribe": ("Follow a project no longer.", {"project": PROJECT}, {}),
    "pong": ("Answer a ping.", {}, {}),
}
FROM_SERVER = {
    "authenticated": ("The token is good.", {"user": ID, "expires_at": MOMENT}, {}),
    "subscribed": ("The events after the cursor follow, then live ones.", {"project": ID, "cursor": CURSOR}, {}),
    "resync": ("`after` cannot be served: subscribe without it and load by REST.", {"project": ID}, {}),
    "unsubscribed": ("Nothing more comes of this project.", {"project": ID, "reason": REASON}, {}),
    "ping": ("Answer with pong.", {}, {}),
    "error": ("What was asked cannot be done, or why the line closes.", {"code": TEXT, "detail": TEXT}, {}),
}
ANSWERS = {
    "authenticate": ["authenticated", "error"],
    "subscribe": ["subscribed", "resync", "error"],
    "unsubscribe": ["unsubscribed", "error"],
}
TOLD = ["event", "resync", "unsubscribed", "ping", "error"]  # without being asked


def frame(kind, fields, optional):
    """The schema of a frame."""
    fields = {"type": {"const": kind}, **fields}
    return {"type": "object", "required": list(fields), "properties": {**fields, **optional}}


def message(name, summary, payload):
    return {"name": name, "summary": summary, "contentType": "application/json", "payload": payload}


def events():
    """`{name: schema}` of the frames that bring an event: one for each kind of object, and one for deletions."""
    definitions = openapi.document()["components"]["schemas"]
    told = dict(definitions["Event"]["properties"])
    del told["type"]  # a frame has one of its own
    schemas, deletions = {}, []
    for model, thing in THINGS.items():
        whole = definitions[model.__name__]
        shown = {
            name: whole["properties"][name] for name in thing.serializer.Meta.fields if name in whole["properties"]
        }
        schemas[model.__name__] = {"type": "object", "required": list(shown), "properties": shown}
        *shows, deletes = [f"{thing.name}.{verb}" for verb in VERBS]
        event = {"event": {"enum": shows}, **told, "object": {"$ref": f"#/components/schemas/{model.__name__}"}}
        schemas[f"{model.__name__}Event"] = frame("event", event, {})
        deletions.append(deletes)
    gone = {"event": {"enum": deletions}, **told, "object": {"type": "null"}}
    return schemas | {"DeletionEvent": frame("event", gone, {})}


def used(schemas):
    """These schemas, with those of OpenAPI that they refer to."""
    definitions, found, waiting = openapi.document()["components"]["schemas"], {}, list(schemas.items())
    while waiting:
        name, schema = waiting.pop(0)
        found[name] = schema
        waiting += [(other, definitions[other]) for other in references(schema) if other not in found | schemas]
    return found


def references(node):
    """The names of the schemas that a part of one refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].split("/")[-1]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)


@cache
def document():
    schemas = events()
    kinds = [{"$ref": f"#/components/schemas/{name}"} for name in schemas if name.endswith("Event")]
    messages = {"event": message("event", "A change in a project that is followed.", {"oneOf": kinds})}
    for name, (summary, fields, optional) in (FROM_CLIENT | FROM_SERVER).items():
        repeated = {} if name == "ping" else {"ref": REF}
        messages[name] = message(name, summary, frame(name, fields, optional | repeated))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{info['title']}, live",
            "version": VERSION,
            "description": "Every change in a project, in order, each once. `docs/realtime.md` says how to use it.",
            "license": info["license"],
        },
        "defaultContentType": "application/json",
        "servers": {"development": {"host": "localhost:8000", "protocol": "ws"}},
        "channels": {
            "line": {
                "address": "/ws/v1/",
                "title": "A line",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": operations(),
        "components": {"messages": messages, "schemas": used(schemas)},
    }


def operations():
    """As the server sees them: what it receives and what it answers, and what it sends unasked."""
    found = {name: {"action": "receive", "channel": LINE, "messages": on_line([name])} for name in FROM_CLIENT}
    for name, answers in ANSWERS.items():
        found[name]["reply"] = {"channel": LINE, "messages": on_line(answers)}
    return found | {"tell": {"action": "send", "channel": LINE, "messages": on_line(TOLD)}}


def on_line(names):
    return [{"$ref": f"#/channels/line/messages/{name}"} for name in names]
