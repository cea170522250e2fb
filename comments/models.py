"""What people say about tasks."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from projects.models import InProjectQuerySet
from tasks.models import LONGEST_TEXT, Task
from tickethub.models import TrackedModel


class CommentQuerySet(InProjectQuerySet):
    way = "task__project"


class Comment(TrackedModel):
    task = models.ForeignKey(Task, models.CASCADE, related_name="comments", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    body = models.TextField(max_length=LONGEST_TEXT, help_text="Markdown.")
    edited_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CommentQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        indexes = [
            models.Index(fields=["created_at", "id"], name="comment_oldest_of_all"),
            models.Index(fields=["task", "created_at", "id"], name="comment_oldest"),
        ]

    def __str__(self):
        return f"{self.author} on {self.task}"

    @property
    def project(self):
        return self.task.project

    def edit(self, body):
        """Change what was said, and say so."""
        self.body = body
        self.edited_at = timezone.now()
        self.save(update_fields=["body", "edited_at"])
