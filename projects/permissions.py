"""Who may do what in a project: read as sentences. Who may see it is `visible_to` on the QuerySets."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from projects.models import Project, Role


def require_role(user, project, role, *, archived_too=False):
    """Raise PermissionDenied unless `user` has at least `role` in `project`, and Conflict if it is archived."""
    has = project.role_of(user)
    if has is None or not has.covers(role):
        raise PermissionDenied
    if not archived_too:
        project.refuse_if_archived()


class IsProjectMember(BasePermission):
    """Whoever sees an object may read it; from `member` on, one may write."""

    needed = Role.MEMBER

    def has_object_permission(self, request, view, obj):
        if request.method not in SAFE_METHODS:
            require_role(request.user, obj if isinstance(obj, Project) else obj.project, self.needed)
        return True


class IsProjectAdmin(IsProjectMember):
    needed = Role.ADMIN


class MayEditProject(BasePermission):
    """Admins edit a project, owners delete it. The serializer minds that it is archived, since it can restore it."""

    def has_object_permission(self, request, view, obj):
        if request.method not in SAFE_METHODS:
            needed = Role.OWNER if request.method == "DELETE" else Role.ADMIN
            require_role(request.user, obj, needed, archived_too=True)
        return True


def role_to_manage(role):
    """The role one needs to give or take `role`."""
    return Role.ADMIN if Role.MEMBER.covers(role) else Role.OWNER


class MayManageRole(BasePermission):
    """Admins manage viewers and members, owners everybody, and everybody may leave."""

    def has_object_permission(self, request, view, obj):
        if request.method in SAFE_METHODS:
            return True
        leaving = request.method == "DELETE" and getattr(obj, "user", None) == request.user
        require_role(request.user, obj.project, Role.VIEWER if leaving else role_to_manage(obj.role))
        return True
