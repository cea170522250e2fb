"""Projects and what belongs to them, as the API shows and takes them."""

from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from rest_framework import serializers

from accounts.authentication import hold_account
from accounts.serializers import UserSerializer
from projects.mail import send_invitation
from projects.models import Invitation, Label, Membership, Project, Role, Status, visible_by_id
from projects.permissions import require_role, role_to_manage
from tickethub.mail import in_background
from tickethub.serializers import ChangedFieldsSerializer, OneRowMixin


class ProjectField(OneRowMixin, serializers.PrimaryKeyRelatedField):
    """A project by its id, among those the caller may see. It is looked up once for all that share a context."""

    def get_queryset(self):
        return Project.objects.visible_to(self.context["request"].user)

    def to_internal_value(self, data):
        found = self.context.setdefault("projects", {})
        key = repr(data)  # what is sent may be of any kind
        if key not in found:
            project = visible_by_id(Project).first(data, self.context["request"].user.pk)
            found[key] = project or super().to_internal_value(data)  # which says what is wrong with it
        return found[key]


class ProjectSerializer(ChangedFieldsSerializer):
    role = serializers.ChoiceField(choices=Role, read_only=True, help_text="The caller's role.")
    archived = serializers.BooleanField(
        write_only=True, required=False, help_text="true archives the project, false restores it; owners alone."
    )

    class Meta:
        model = Project
        fields = ["id", "key", "name", "description", "role", "archived", "archived_at", "created_at", "updated_at"]
        read_only_fields = ["archived_at"]
        fixed = ["key"]

    def validate_archived(self, value):
        if self.instance is None:
            raise serializers.ValidationError("A project is made first, then archived.")
        require_role(self.context["request"].user, self.instance, Role.OWNER, archived_too=True)
        return value

    def validate(self, attrs):
        attrs = super().validate(attrs)
        archived = attrs.pop("archived", None)
        if self.instance and archived is not False:
            self.instance.refuse_if_archived()
        if archived is not None:
            attrs["archived_at"] = timezone.now() if archived else None
        return attrs

    @transaction.atomic
    def create(self, validated_data):
        owner = self.context["request"].user
        hold_account(owner)  # or, closed in this moment, it would leave a project that nobody owns
        project = super().create(validated_data)
        project.memberships.create(user=owner, role=Role.OWNER)
        project.role = Role.OWNER
        return project


class MembershipSerializer(ChangedFieldsSerializer):
    user = UserSerializer(read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "project", "user", "role", "created_at"]
        read_only_fields = ["project"]


class InvitationSerializer(serializers.ModelSerializer):
    serializer_field_mapping = UserSerializer.serializer_field_mapping

    project = ProjectField()

    class Meta:
        model = Invitation
        fields = ["id", "project", "email", "role", "expires_at", "accepted_at", "created_at"]
        read_only_fields = ["expires_at", "accepted_at"]

    def validate(self, attrs):
        if attrs["project"].memberships.filter(user__email=attrs["email"]).exists():
            raise serializers.ValidationError(
                {"email": "This person is in the project already."}, code="already_member"
            )
        return attrs


class NewInvitationSerializer(InvitationSerializer):
    """An invitation as the answer to its making shows it, the one time its token can be read."""

    token = serializers.CharField(read_only=True)
    accept_url = serializers.URLField(read_only=True)

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "token", "accept_url"]

    def create(self, validated_data):
        """Make the invitation in place of an open one to the same address, and mail it.

        The project is locked by now: of two at once to the same address, the second replaces the first.
        """
        inviter, project = self.context["request"].user, validated_data["project"]
        replaced = project.invitations.open().filter(email=validated_data["email"])
        for role in set(replaced.values_list("role", flat=True)):
            require_role(inviter, project, role_to_manage(role))
        replaced.delete()
        invitation = Invitation(**validated_data, invited_by=inviter)
        invitation.token = invitation.make_token()
        invitation.accept_url = f"{settings.PUBLIC_URL}/invitations/accept/#{invitation.token}"
        invitation.save()
        transaction.on_commit(partial(in_background, send_invitation, invitation, inviter))
        return invitation


class AcceptSerializer(serializers.Serializer):
    token = serializers.CharField(max_length=128)


class StatusSerializer(ChangedFieldsSerializer):
    project = ProjectField()
    slug = serializers.SlugField(
        max_length=50,
        required=False,
        help_text="Names the status in tasks; made of the name when left out; fixed once made.",
    )

    class Meta:
        model = Status
        fields = ["id", "project", "slug", "name", "category", "position", "is_default"]
        validators = []  # the model takes the default from another status, which DRF would refuse
        fixed = ["project", "slug"]

    def validate(self, attrs):
        attrs = super().validate(attrs)
        if self.instance:
            self.validate_change(attrs)
        else:
            attrs["slug"] = self.validate_new_slug(attrs)
        return attrs

    def validate_change(self, attrs):
        if self.instance.is_default and attrs.get("is_default") is False:
            raise serializers.ValidationError({"is_default": "Make another status the default instead."})
        if attrs.get("category", self.instance.category) != self.instance.category:
            self.instance.refuse_another_category()

    def validate_new_slug(self, attrs):
        slug = attrs.get("slug") or Status.slug_of(attrs["name"])
        if not slug:
            raise serializers.ValidationError({"slug": "This name gives no slug; name one."}, code="required")
        if attrs["project"].statuses.filter(slug=slug).exists():
            raise serializers.ValidationError({"slug": "This project has a status of this slug."}, code="unique")
        return slug


class LabelSerializer(ChangedFieldsSerializer):
    project = ProjectField()

    class Meta:
        model = Label
        fields = ["id", "project", "name", "color"]
        fixed = ["project"]
