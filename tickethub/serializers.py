"""What serializers of all apps share."""

from functools import cache

from rest_framework import serializers


class CountedMixin:
    """A field of many values, at most `max_length`, which are counted before any is looked at: each of a million that
    is not valid would have words of its own.
    """

    def run_child_validation(self, data):
        self.refuse_too_many(data)
        return super().run_child_validation(data)

    def refuse_too_many(self, data):
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)


class CountedListField(CountedMixin, serializers.ListField):
    pass


class CountedDictField(CountedMixin, serializers.DictField):
    max_length = 100
    default_error_messages = {"max_length": "At most {max_length} are taken."}


class OneRowMixin:
    """A field of one row, to which a list or an object is a word like any other: Django would look into each of what is
    in it for an expression.
    """

    def to_internal_value(self, data):
        return super().to_internal_value(str(data) if isinstance(data, (list, dict)) else data)


class ChangedFieldsSerializer(serializers.ModelSerializer):
    """A ModelSerializer whose update writes the named fields alone, so that two edits at once do not undo each other.

    `Meta.fixed` lists fields that are written once: the same value is taken again, another is refused.
    """

    def get_fields(self):
        self._declared_fields = {name: field for name, field in self._declared_fields.items() if self.needs(name)}
        fields = super().get_fields()
        for name in self.fixed:  # compared with what stands, not with others' rows: it would tell of hidden ones
            fields[name].validators = []
        return fields

    def get_field_names(self, *args):
        return [name for name in super().get_field_names(*args) if self.needs(name)]

    def needs(self, name):
        """Whether a field is to be made. Of what is written those alone that are sent, or that say something when they
        are not: all of them cost more than the rest.
        """
        sent = getattr(self, "initial_data", None)
        if type(sent) is not dict or name in sent:
            return True
        return name in (self.fixed if self.partial else self.told_when_left_out())

    @classmethod
    @cache
    def told_when_left_out(cls):
        """The names of what a creation needs, or fills with a default."""
        fields = cls().fields.items()
        return {name for name, field in fields if field.required or field.default is not serializers.empty}

    @property
    def fixed(self):
        return getattr(self.Meta, "fixed", []) if self.instance else []

    def update(self, instance, validated_data):
        changed = [name for name, value in validated_data.items() if getattr(instance, name) != value]
        for name in changed:
            setattr(instance, name, validated_data[name])
        if changed:
            instance.save(update_fields=changed)
        return instance

    def validate(self, attrs):
        for name in self.fixed:
            if name in attrs and attrs.pop(name) != getattr(self.instance, name):
                raise serializers.ValidationError({name: "This is fixed once made."}, code="fixed")
        return super().validate(attrs)
