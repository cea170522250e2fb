"""What serializers of all apps share."""

from rest_framework import serializers


class ChangedFieldsSerializer(serializers.ModelSerializer):
    """A ModelSerializer whose update writes the named fields alone, so that two edits at once do not undo each other.

    `Meta.fixed` lists fields that are written once: the same value is taken again, another is refused.
    """

    def get_fields(self):
        fields = super().get_fields()
        for name in self.fixed:  # compared with what stands, not with others' rows: it would tell of hidden ones
            fields[name].validators = []
        return fields

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
