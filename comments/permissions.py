"""Who may do what with a comment."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from projects.models import Role
from projects.permissions import require_role
from tasks.permissions import refuse_deletion_of_others


class CommentPermission(BasePermission):
    """Members comment; only its author edits one, whatever their role by now; its author and admins delete it."""

    def has_object_permission(self, request, view, obj):
        if request.method in SAFE_METHODS:
            return True
        if request.method == "DELETE":
            refuse_deletion_of_others(request.user, obj.project, obj.author_id)
        elif request.method == "PATCH":
            if obj.author_id != request.user.pk:
                raise PermissionDenied
            require_role(request.user, obj.project, Role.VIEWER)
        else:
            require_role(request.user, obj.project, Role.MEMBER)
        return True
