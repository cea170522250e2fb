"""Events as the API and the socket show them."""

from rest_framework import serializers

from realtime.models import Event
from tickethub.projections import ComposedField


class EventSerializer(serializers.ModelSerializer):
    project = serializers.UUIDField(source="project_id")
    id = serializers.UUIDField(source="object_id", help_text="The id of the object.")
    cursor = ComposedField(
        columns=["seq", "nonce"], compose=Event.cursor_of, help_text="Where to go on after this event. Opaque."
    )
    actor = serializers.UUIDField(
        source="actor_id",
        allow_null=True,
        help_text="Who did it, in the API or the admin; null for what nobody asked for.",
    )

    class Meta:
        model = Event
        fields = ["project", "seq", "cursor", "type", "id", "at", "actor", "request_id", "changes", "object"]
        extra_kwargs = {
            "seq": {"help_text": "Counts up in the project, without a gap, in the order of commit."},
            "type": {"help_text": "What happened to what: `task.updated`, `comment.created`, `membership.deleted`…"},
            "request_id": {"help_text": "The X-Request-ID of the request that did it, null outside of one."},
            "changes": {"help_text": "By field: its value before and after."},
            "object": {"help_text": "The object as GET gives it at that moment, null when deleted."},
        }


class PageOfEventsSerializer(serializers.Serializer):
    """Part of a project's log. `cursor` is where to go on, also when nothing came."""

    results = EventSerializer(many=True)
    cursor = serializers.CharField(help_text="Where to go on, also when nothing came.")
    has_more = serializers.BooleanField(help_text="Whether there is more after these by now.")


class EventQuerySerializer(serializers.Serializer):
    """What to read of the log."""

    project = serializers.CharField(help_text="Id or key of a project.")
    after = serializers.CharField(required=False, help_text="A cursor: what came after it is given.")
    task = serializers.CharField(required=False, help_text="Id or key of a task: its history alone, from its start.")
    limit = serializers.IntegerField(required=False, min_value=1, help_text="At most so many events.")
