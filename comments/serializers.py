"""Comments, as the API shows and takes them."""

from comments.models import Comment
from tasks.serializers import VisibleTaskField
from tickethub.serializers import ChangedFieldsSerializer


class CommentSerializer(ChangedFieldsSerializer):
    task = VisibleTaskField()

    class Meta:
        model = Comment
        fields = ["id", "task", "author", "body", "edited_at", "created_at", "updated_at"]
        read_only_fields = ["author", "edited_at"]
        extra_kwargs = {"body": {"trim_whitespace": False}}  # Markdown is returned as it came
        fixed = ["task"]

    def validate_body(self, body):
        if not body.strip():
            self.fields["body"].fail("blank")
        return body

    def update(self, instance, validated_data):
        body = validated_data.get("body", instance.body)
        if body != instance.body:
            instance.edit(body)
        return instance
