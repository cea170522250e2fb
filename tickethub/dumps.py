"""Dumps as JSON lines that hold times as they are: Django's own cut them to milliseconds."""

from datetime import datetime

from django.core.serializers import jsonl
from django.core.serializers.json import DjangoJSONEncoder

Deserializer = jsonl.Deserializer


class ExactEncoder(DjangoJSONEncoder):
    def default(self, o):
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


class Serializer(jsonl.Serializer):
    def _init_options(self):
        super()._init_options()
        self.json_kwargs["cls"] = ExactEncoder
