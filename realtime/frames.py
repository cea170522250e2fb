"""Events as they go over the wire: encoded once, for every socket that gets them."""

import json
from dataclasses import dataclass
from functools import cached_property

from rest_framework.utils.encoders import JSONEncoder

from realtime.serializers import EventSerializer
from realtime.wire import framed

ENDS = {"project.deleted", "membership.deleted"}  # what ends a subscription, of everybody or of one person


@dataclass(frozen=True, slots=True)
class Frame:
    """An event. `user_id` is whom a membership event is about."""

    seq: int
    type: str
    user_id: str | None
    text: str

    @classmethod
    def of(cls, event):
        """The frame of an Event. A frame has a `type` of its own, so the event's goes by the name of `event`."""
        shown = EventSerializer(event).data
        kind = shown.pop("type")
        text = json.dumps(
            {"type": "event", "event": kind, **shown}, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":")
        )
        return cls(event.seq, kind, event.user_id and str(event.user_id), text)


class Batch:
    """Some events of one project that follow each other without a gap; at least one. `is_last`: the log has no more."""

    def __init__(self, frames, is_last=False):
        self.frames, self.is_last = frames, is_last
        self.first, self.last = frames[0].seq, frames[-1].seq
        self.ends = [frame for frame in frames if frame.type in ENDS]

    @cached_property
    def data(self):
        return b"".join(framed(text) for text in self.texts)

    @property
    def texts(self):
        return [frame.text for frame in self.frames]

    def after(self, seq):
        """What comes after a number, None if nothing does."""
        if seq < self.first:
            return self
        return Batch(self.frames[seq - self.first + 1 :], self.is_last) if seq < self.last else None

    def until(self, seq):
        """What comes up to a number that is in it."""
        return self if seq == self.last else Batch(self.frames[: seq - self.first + 1])
