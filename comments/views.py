"""Comments on tasks."""

from rest_framework.permissions import IsAuthenticated

from comments.filters import CommentFilter
from comments.models import Comment
from comments.permissions import CommentPermission
from comments.serializers import CommentSerializer
from projects.viewsets import InProjectViewSet


class CommentViewSet(InProjectViewSet):
    """The comments on the tasks of the caller's projects, oldest first.

    create: Comment on a task.

    partial_update: Edit a comment, as its author.

    destroy: Delete a comment, as its author or as an admin.
    """

    queryset = Comment.objects.select_related("task__project").order_by("created_at", "pk")
    serializer_class = CommentSerializer
    permission_classes = [IsAuthenticated, CommentPermission]
    filterset_class = CommentFilter
    scopes = {"task"}  # of a project it depends on how many tasks it has

    def perform_create(self, serializer):
        self.check_object_permissions(self.request, Comment(**serializer.validated_data))
        serializer.save(author=self.request.user)
