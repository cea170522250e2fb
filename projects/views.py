"""Projects, and what belongs to them."""

from django.http import Http404
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from accounts.authentication import hold_account
from projects.filters import InvitationFilter, LabelFilter, MembershipFilter, ProjectFilter, StatusFilter
from projects.models import Invitation, Label, Membership, Project, Role, Status
from projects.permissions import (
    IsProjectAdmin,
    IsProjectMember,
    MayEditProject,
    MayManageRole,
    require_role,
    role_to_manage,
    still_stands,
)
from projects.serializers import (
    AcceptSerializer,
    InvitationSerializer,
    LabelSerializer,
    MembershipSerializer,
    NewInvitationSerializer,
    ProjectSerializer,
    StatusSerializer,
)
from projects.viewsets import InProjectViewSet
from tickethub.errors import Conflict
from tickethub.throttling import take
from tickethub.transactions import in_transaction
from tickethub.viewsets import (
    CreateModelMixin,
    DestroyModelMixin,
    GenericViewSet,
    ListModelMixin,
    ModelViewSet,
    UpdateModelMixin,
)


class ProjectViewSet(ModelViewSet):
    """The caller's projects. One is named by its id or its key.

    create: Make a project. The caller becomes its owner, and it gets the statuses `backlog`, `todo` (the default),
    `in-progress`, `in-review`, `done` and `cancelled`.

    partial_update: Change a project, as an admin. Owners alone archive it (`archived: true`), which makes it and all in
    it read-only: every change but its deletion gets 409 until they restore it (`archived: false`).

    destroy: Delete a project and all that is in it, as an owner.
    """

    serializer_class = ProjectSerializer
    permission_classes = [IsAuthenticated, MayEditProject]
    filterset_class = ProjectFilter

    def get_queryset(self):
        return Project.objects.visible_to(self.request.user).order_by("-created_at", "-pk")


class MembershipViewSet(UpdateModelMixin, DestroyModelMixin, ListModelMixin, GenericViewSet):
    """Who is in the caller's projects, and as what.

    partial_update: Give another role. Admins give and take `viewer` and `member`, owners every role. 409 if the project
    would be without an owner.

    destroy: Remove a person from a project, or leave it, where the membership is the caller's own. Their tasks there
    are unassigned. 409 for the last owner.
    """

    serializer_class = MembershipSerializer
    permission_classes = [IsAuthenticated, MayManageRole]
    filterset_class = MembershipFilter
    lookup_value_converter = "uuid"

    def get_queryset(self):
        memberships = Membership.objects.visible_to(self.request.user)
        return memberships.select_related("user", "project").order_by("created_at", "pk")

    def perform_update(self, serializer):
        role = serializer.validated_data.get("role", serializer.instance.role)
        own = serializer.instance.user == self.request.user
        require_role(self.request.user, serializer.instance.project, role_to_manage(role), locked=own)
        if serializer.instance.role == Role.OWNER != role:
            self.refuse_for_last_owner(serializer.instance)
        serializer.save()

    def perform_destroy(self, instance):
        if instance.role == Role.OWNER:
            self.refuse_for_last_owner(instance)
        instance.delete()

    def refuse_for_last_owner(self, membership):
        """Raise Conflict for the last owner, unless the caller may not do this any more: then that is the answer."""
        try:
            membership.refuse_for_last_owner()
        except Conflict:
            own = membership.user == self.request.user
            require_role(self.request.user, membership.project, Role.VIEWER if own else Role.OWNER, locked=True)
            raise


class InvitationViewSet(CreateModelMixin, DestroyModelMixin, ListModelMixin, GenericViewSet):
    """Invitations into the caller's projects, by mail or by a link that the maker passes on.

    create: Invite somebody by their address, in place of an open invitation to the same one. A mail goes to it; this
    answer alone also shows the `token` and `accept_url`. Admins invite viewers and members, owners everybody; so they
    replace such an invitation.

    destroy: Withdraw an invitation.
    """

    permission_classes = [IsAuthenticated, MayManageRole]
    filterset_class = InvitationFilter
    lookup_value_converter = "uuid"

    @property
    def throttle_scope(self):
        return {"create": "invitation", "accept": "accept"}.get(self.action)

    def get_queryset(self):
        invitations = Invitation.objects.visible_to(self.request.user)
        return invitations.select_related("project").order_by("-created_at", "-pk")

    def get_serializer_class(self):
        serializers = {"create": NewInvitationSerializer, "accept": AcceptSerializer}
        return serializers.get(self.action, InvitationSerializer)

    def perform_create(self, serializer):
        invitation = Invitation(**serializer.validated_data)
        self.check_object_permissions(self.request, invitation)
        take("invited", invitation.email.lower())  # or many people could fill somebody's mailbox
        invitation.project.lock()
        serializer.save()

    @action(detail=False, methods=["post"])
    @in_transaction
    def accept(self, request):
        """Accept an invitation made to the caller's address. 404 for every token that is not theirs to use."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        invitations = Invitation.objects.open().with_token(serializer.validated_data["token"])
        invitations = invitations.filter(email=request.user.email).select_related("project")
        if (invitation := invitations.first()) is None:
            raise Http404
        hold_account(request.user)
        invitation.project.lock()  # before the invitation, as the deletion of the project has it
        invitation = invitations.select_for_update(no_key=True, of=["self"]).first()
        if invitation is None or not still_stands(invitation):
            raise Http404
        invitation.project.refuse_if_archived()
        membership = invitation.accept(request.user)
        return Response(MembershipSerializer(membership).data, status=status.HTTP_201_CREATED)


class StatusViewSet(InProjectViewSet):
    """The workflows of the caller's projects: what statuses a task can have, in the order of the board.

    create: Add a status to the workflow of a project, as an admin.

    partial_update: Change a status, as an admin. A new default takes the place of the old one. 409 for another category
    while tasks have the status.

    destroy: Delete a status, as an admin. 409 for the default one, and while tasks have it.
    """

    queryset = Status.objects.order_by("project_id", "position", "pk")
    serializer_class = StatusSerializer
    permission_classes = [IsAuthenticated, IsProjectAdmin]
    filterset_class = StatusFilter


class LabelViewSet(InProjectViewSet):
    """The labels of the caller's projects.

    create: Add a label to a project.

    partial_update: Change a label, on all tasks that have it.

    destroy: Delete a label, which takes it off all tasks that have it.
    """

    queryset = Label.objects.order_by("name", "pk")
    serializer_class = LabelSerializer
    permission_classes = [IsAuthenticated, IsProjectMember]
    filterset_class = LabelFilter
