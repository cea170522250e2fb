"""Who may do what in a project: read as sentences. Who may see it is `visible_to` on the QuerySets."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission

from projects.models import Membership, Project, Role
from tickethub.errors import Overtaken
from tickethub.prepared import Prepared
from tickethub.transactions import check_again

STANDING = Prepared(
    lambda user, project: Membership.objects.filter(user=user, project=project).values_list(
        "role", "project__archived_at"
    )
)


def require_role(user, project, role, *, archived_too=False, locked=False):
    """Raise PermissionDenied unless `user` has at least `role` in `project`, and Conflict if it is archived.

    Unless both are `locked`, they are looked at again when the write is done. By then it has a number in the log, so
    that who removes or demotes the caller or archives the project came before and is seen, or waits and comes after.
    """
    if locked or not hasattr(project, "role"):  # else it was just read as the caller sees it
        project.role, project.archived_at = standing(user, project)
    if not Role(project.role).covers(role):
        raise PermissionDenied
    if not archived_too:
        project.refuse_if_archived()
    if not locked:
        check_again(refuse_if_overtaken, user, project, role, archived_too)


def standing(user, project):
    """The role of `user` in `project`, and when that was archived. Raises Overtaken for an outsider.

    That they are by now: before, they found what they are about to write, or would not have come here.
    """
    found = STANDING.first(user.pk, project.pk)
    if found is None:
        raise Overtaken
    return Role(found[0]), found[1]


def refuse_if_overtaken(user, project, role, archived_too):
    has, archived_at = standing(user, project)
    if not has.covers(role) or (archived_at and not archived_too):
        raise Overtaken


class IsProjectMember(BasePermission):
    """Whoever sees an object may read it; from `member` on, one may write."""

    needed = Role.MEMBER

    def has_object_permission(self, request, view, obj):
        if request.method not in SAFE_METHODS:
            require_role(request.user, project_of(obj), self.needed)
        return True


def project_of(obj):
    """The project of an object, with the caller's role there where the object was read with it."""
    project = obj if isinstance(obj, Project) else obj.project
    if hasattr(obj, "callers_role"):
        project.role = obj.callers_role
    return project


class IsProjectAdmin(IsProjectMember):
    needed = Role.ADMIN


class MayEditProject(BasePermission):
    """Admins edit a project, owners delete it. The serializer minds that it is archived, since it can restore it."""

    def has_object_permission(self, request, view, obj):
        if request.method not in SAFE_METHODS:
            deletes = request.method == "DELETE"
            if deletes:  # the membership as well, which cannot be looked at again
                list(obj.memberships.filter(user=request.user).locked())
            require_role(request.user, obj, Role.OWNER if deletes else Role.ADMIN, archived_too=True, locked=deletes)
        return True


def role_to_manage(role):
    """The role one needs to give or take `role`."""
    return Role.ADMIN if Role.MEMBER.covers(role) else Role.OWNER


def still_stands(invitation):
    """Whether who made an invitation may still do so. Their membership is locked, as the project is."""
    inviter = invitation.invited_by
    if inviter is None:
        return True
    needed = role_to_manage(invitation.role)
    memberships = invitation.project.memberships.filter(user=inviter).locked()
    return inviter.is_active and any(Role(membership.role).covers(needed) for membership in memberships)


class MayManageRole(BasePermission):
    """Admins manage viewers and members, owners everybody, and everybody may leave."""

    def has_object_permission(self, request, view, obj):
        if request.method in SAFE_METHODS:
            return True
        own = getattr(obj, "user", None) == request.user
        if own:  # what allows it changes by it
            obj.project.lock()
        leaving = own and request.method == "DELETE"
        require_role(request.user, obj.project, Role.VIEWER if leaving else role_to_manage(obj.role), locked=own)
        return True
