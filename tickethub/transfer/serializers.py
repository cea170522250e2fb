"""Imports, as the API takes them and tells of them."""

from rest_framework import serializers

from tickethub.serializers import CountedDictField
from tickethub.transfer.reading import FORMATS


class MeaningsField(CountedDictField):
    """`{word of the file: what it means here}`."""

    child = serializers.CharField(max_length=254)
    max_length = 1000


class ImportSerializer(serializers.Serializer):
    """A file, and how to take it."""

    data = serializers.CharField(trim_whitespace=False, help_text="The text of the file.")
    format = serializers.ChoiceField(choices=list(FORMATS), required=False, help_text="Left out, the file shows it.")
    dry_run = serializers.BooleanField(default=False, help_text="`true` says what would come of it, and no more.")
    statuses = MeaningsField(
        required=False, help_text="Words for a status in the file: the slug that each means. At most 1,000."
    )
    people = MeaningsField(
        required=False,
        help_text="Names of people in the file: the address or handle of the member each is. At most 1,000.",
    )


class ImportCountsSerializer(serializers.Serializer):
    """How many of each were made."""

    tasks = serializers.IntegerField()
    comments = serializers.IntegerField()
    relations = serializers.IntegerField()
    labels = serializers.IntegerField()
    statuses = serializers.IntegerField()


class ImportWarningSerializer(serializers.Serializer):
    row = serializers.IntegerField(
        help_text="Of the file, the first that this is about: the line, or the place in the list."
    )
    rows = serializers.IntegerField(help_text="How many it is about.")
    field = serializers.CharField()
    code = serializers.CharField(help_text="A word for a program.")
    detail = serializers.CharField(help_text="A sentence for a person.")


class ImportReportSerializer(serializers.Serializer):
    """What came of an import."""

    format = serializers.ChoiceField(choices=list(FORMATS))
    dry_run = serializers.BooleanField()
    made = ImportCountsSerializer()
    standing = serializers.IntegerField(help_text="Tasks that were here already, and are left as they are.")
    statuses = serializers.DictField(child=serializers.CharField(), help_text="The slug that each word was taken for.")
    warnings = ImportWarningSerializer(many=True, help_text="What was not taken as it stands; the first 1,000.")


class ExportQuerySerializer(serializers.Serializer):
    format = serializers.ChoiceField(choices=["json", "csv"], default="json", help_text="json unless asked.")
