"""Filters of lists: by project, and by what projects bring."""

from django import forms
from django_filters import rest_framework as filters

from projects.models import Invitation, Label, Membership, Project, Role, Status, find_visible
from tickethub.filters import AskedFilterSet, SearchFilter, TrueOrFalseFilter


class AskedBySomebodyMixin:
    """A filter whose field knows who asks."""

    @property
    def field(self):
        field = super().field
        field.user = getattr(self.get_request(), "user", None)
        return field


class NamedChoiceField(forms.ModelChoiceField):
    """A row that its user may see, by whatever its QuerySet's `named` understands: id or key."""

    user = None

    def to_python(self, value):
        if value in self.empty_values:
            return None
        row = find_visible(self.queryset.model, value, self.user)
        if row is None:
            raise forms.ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return row


class NamedFilter(AskedBySomebodyMixin, filters.ModelChoiceFilter):
    field_class = NamedChoiceField

    def __init__(self, model, **kwargs):
        super().__init__(queryset=model.objects.all(), **kwargs)


def visible(model):
    """A callable that gives the rows of `model` that the caller of a request may see."""
    return lambda request: model.objects.visible_to(request.user)


class ProjectFilter(AskedFilterSet):
    role = filters.ChoiceFilter(choices=Role, help_text="The caller's role.")
    archived = TrueOrFalseFilter(
        field_name="archived_at",
        lookup_expr="isnull",
        exclude=True,
        help_text="The archived ones, or the others; both when left out.",
    )
    search = SearchFilter("key", "name", "description", help_text="Words in the key, the name or the description.")

    class Meta:
        model = Project
        fields = []


class InProjectFilter(AskedFilterSet):
    project = NamedFilter(Project, help_text="Id or key of a project.")


class MembershipFilter(InProjectFilter):
    role = filters.ChoiceFilter(choices=Role, help_text="Those of this role.")

    class Meta:
        model = Membership
        fields = []


class InvitationFilter(InProjectFilter):
    class Meta:
        model = Invitation
        fields = []


class StatusFilter(InProjectFilter):
    class Meta:
        model = Status
        fields = []


class LabelFilter(InProjectFilter):
    class Meta:
        model = Label
        fields = []
