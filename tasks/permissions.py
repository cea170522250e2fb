"""Who may delete a task: members their own, admins all."""

from rest_framework.permissions import BasePermission

from projects.models import Role
from projects.permissions import require_role


class MayDelete(BasePermission):
    """Members delete what they made, admins everything."""

    def has_object_permission(self, request, view, obj):
        if request.method == "DELETE":
            refuse_deletion_of_others(request.user, obj.project, obj.created_by_id)
        return True


def refuse_deletion_of_others(user, project, maker_id):
    """Raise PermissionDenied unless `user` is an admin, or a member who made it."""
    require_role(user, project, Role.MEMBER if maker_id == user.pk else Role.ADMIN)
