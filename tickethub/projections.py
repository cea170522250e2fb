"""How what is stored is shown: from the columns of a query straight to what a serializer would give, which is several
times as fast as to make an instance of the model for each row and ask a field for each value.
"""

from functools import cache
from operator import attrgetter

import orjson
from rest_framework import renderers, serializers

# What JSON has anyway, or orjson writes as these fields would.
AS_STORED = {
    field.to_representation
    for field in (
        serializers.BooleanField,
        serializers.CharField,
        serializers.ChoiceField,
        serializers.DateField,
        serializers.DateTimeField,
        serializers.IntegerField,
        serializers.JSONField,
        serializers.ReadOnlyField,
        serializers.UUIDField,
    )
}


def as_json(value):
    """The bytes of a JSON text. Times are ISO 8601 with `Z`, as Django REST framework has them."""
    return orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z)


class JSONRenderer(renderers.JSONRenderer):
    charset = None

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return b"" if data is None else as_json(data)


class ComposedField(serializers.ReadOnlyField):
    """What a model puts together from columns that are not all shown."""

    def __init__(self, *, columns, compose, **kwargs):
        self.columns, self.compose = columns, compose
        super().__init__(**kwargs)


class Projection:
    """The columns that a serializer shows, and what becomes of them."""

    def __init__(self, serializer, within=""):
        self.columns, self.parts = [], []
        for name, field in serializer.fields.items():
            if not field.write_only:
                columns, make = plan(field, within)
                place = len(self.columns)
                self.columns += columns
                self.parts.append((name, slice(place, place + len(columns)) if make else place, make))
        self.getters = [attrgetter(column.replace("__", ".")) for column in self.columns]

    @classmethod
    @cache
    def of(cls, serializer_class):
        return cls(serializer_class())

    def read(self, rows, **instead):
        """A QuerySet of the columns, each row of which `show` takes; `instead` has expressions to read for some."""
        return rows.values_list(*(instead.get(column, column) for column in self.columns))

    def show(self, row):
        return {name: make(*row[place]) if make else row[place] for name, place, make in self.parts}

    def picture(self, instance):
        """What is shown of an instance of the model, as it is in memory."""
        return self.show([get(instance) for get in self.getters])


def plan(field, within):
    """The columns of a field, and the function of their values that gives what it shows; None where it is the value."""
    source = within + field.source.replace(".", "__")
    if isinstance(field, serializers.Serializer):
        inner = Projection(field, f"{source}__")
        return inner.columns, lambda *row: inner.show(row)
    if columns := getattr(field, "columns", None):
        return [within + column for column in columns], getattr(field, "compose", None)
    if isinstance(field, serializers.SlugRelatedField):
        return [f"{source}__{field.slug_field}"], None
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        return [f"{source}_id"], None
    if type(field).to_representation in AS_STORED:
        return [source], None
    return [source], lambda value: None if value is None else field.to_representation(value)
