"""A copy of everything that the log tells of, kept by applying events as a client does."""

from realtime.models import Event
from realtime.things import THINGS

NAMES = {thing.name: model for model, thing in THINGS.items()}


class Replica:
    def __init__(self):
        self.objects = {name: {} for name in NAMES}

    @classmethod
    def load(cls):
        """What the database holds."""
        replica = cls()
        for name, model in NAMES.items():
            for pk in model.objects.values_list("pk", flat=True):
                replica.objects[name][str(pk)] = THINGS[model].show(pk)
        return replica

    def apply(self, event):
        """Take an event: an Event, or a frame or REST object as a client gets it."""
        if isinstance(event, Event):
            event = {"type": event.type, "id": str(event.object_id), "object": event.object}
        name, verb = (event.get("event") or event["type"]).split(".")
        if verb == "deleted":
            del self.objects[name][event["id"]]
            self.forget_what_hung_on(name, event["id"])
        else:
            assert (event["id"] in self.objects[name]) == (verb == "updated"), event
            self.objects[name][event["id"]] = event["object"]

    def forget_what_hung_on(self, name, pk):
        hangs_on = {
            "task": {"comment": ["task"], "relation": ["source", "target"]},
            "project": {other: ["project"] for other in NAMES},
        }
        for other, fields in hangs_on.get(name, {}).items():
            gone = [key for key, value in self.objects[other].items() if pk in [value.get(field) for field in fields]]
            for key in gone:
                del self.objects[other][key]
                if other == "task":
                    self.forget_what_hung_on("task", key)

    def __eq__(self, other):
        return self.objects == other.objects

    def __repr__(self):
        return repr(self.objects)


class Watch:
    """Asserts that what happens within it is told by the log: the state before and the events give the state after."""

    def __enter__(self):
        self.before = Replica.load()
        self.seen = set(Event.objects.values_list("pk", flat=True))
        return self

    def __exit__(self, exc_type, exc, traceback):
        if exc_type is None:
            self.events = list(Event.objects.exclude(pk__in=self.seen).order_by("project_id", "seq"))
            for event in self.events:
                self.before.apply(event)
            assert self.before == Replica.load()

    @property
    def types(self):
        return [event.type for event in self.events]
