"""Events as they go over the wire: encoded once, for every socket that gets them."""

from functools import cached_property
from typing import NamedTuple

from realtime.models import Event
from realtime.serializers import EventSerializer
from realtime.wire import framed
from tickethub.projections import Projection, as_json

SHOWN = Projection.of(EventSerializer)
ENDS = {"project.deleted", "membership.deleted"}  # what ends a subscription, of everybody or of one person


class Place(NamedTuple):
    """Where in a log: right after the event of this number and nonce, which no other history has."""

    seq: int
    nonce: str

    @property
    def cursor(self):
        return Event.cursor_of(*self)


class Frame:
    """An event. `user_id` is whom a membership event is about."""

    def __init__(self, event):
        shown = SHOWN.picture(event)
        self.place = Place(event.seq, event.nonce)
        self.at = event.at.timestamp()
        self.type = shown.pop("type")
        self.user_id = event.user_id and str(event.user_id)
        # A frame has a `type` of its own, so the event's goes by the name of `event`.
        self.text = as_json({"type": "event", "event": self.type, **shown}).decode()

    @cached_property
    def data(self):
        return framed(self.text)


class Batch:
    """Some events of one project, at least one, that follow `start` and each other. `is_last`: the log has no more."""

    def __init__(self, start, frames, is_last=False):
        self.start, self.frames, self.is_last = start, frames, is_last
        self.last = frames[-1].place
        self.ends = [frame for frame in frames if frame.type in ENDS]

    @cached_property
    def data(self):
        return b"".join(frame.data for frame in self.frames)

    @property
    def texts(self):
        return [frame.text for frame in self.frames]

    def place_of(self, seq):
        """The place with a number, None where this has none."""
        index = seq - self.start.seq
        return [self.start, *(frame.place for frame in self.frames)][index] if 0 <= index <= len(self.frames) else None

    def after(self, seq):
        """What comes after a number, None if nothing does. Raises ValueError where something is missing in between."""
        if seq < self.start.seq:
            raise ValueError(f"Between {seq} and {self.start.seq} events are missing.")
        if seq == self.start.seq:
            return self
        rest = self.frames[seq - self.start.seq :]
        return Batch(self.place_of(seq), rest, self.is_last) if rest else None

    def until(self, seq):
        """What comes up to a number that is in it."""
        return self if seq == self.last.seq else Batch(self.start, self.frames[: seq - self.start.seq])
