"""The admin of projects and of what belongs to them."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts.admin import EVERYWHERE, AdminBasics, DomainAdmin, MadeElsewhere, UserAdmin, refuse_for_last_owner
from projects.models import Invitation, Label, Membership, Project, Role, Status
from tickethub.errors import Conflict


class InProjectAdmin(DomainAdmin):
    """The admin of what has a `project`: it is read-only while that is archived."""

    def save_model(self, request, obj, form, change):
        obj.project.refuse_while_archived()
        super().save_model(request, obj, form, change)

    def delete_model(self, request, obj):
        obj.project.refuse_while_archived()
        super().delete_model(request, obj)


class RowForm(forms.ModelForm):
    """A row of an inline. What is `fixed` once made is shown in rows that stand, without a query for each."""

    fixed = ()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            for name in self.fields.keys() & self.fixed:
                self.fields[name].disabled = True
                if isinstance(self.fields[name], forms.ModelChoiceField):
                    row = getattr(self.instance, name)
                    self.fields[name].widget = forms.Select(choices=[(row.pk, row)])


class MembershipForm(RowForm):
    fixed = {"project", "user"}


class RowFormSet(forms.BaseInlineFormSet):
    """Rows of which what was changed is written, and nothing else."""

    def save_existing(self, form, obj, commit=True):
        if commit:
            form.instance.save(update_fields={field.name for field in obj._meta.fields} & set(form.changed_data))
        return form.instance


class MembershipFormSet(RowFormSet):
    """Memberships changed together: it counts who owns a project in the end."""

    def save(self, commit=True):
        changed = [form for form in self.forms if form.has_changed()]
        for form in changed:
            form.instance.project.refuse_while_archived()
        saved = super().save(commit)
        for form in changed:
            if form.initial.get("role") == Role.OWNER:
                refuse_for_last_owner(form.instance)
        return saved


class StatusForm(RowForm):
    fixed = {"slug"}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = "Made of the name when left out; fixed once made."

    def clean(self):
        cleaned = super().clean()
        if self.instance._state.adding and not cleaned.get("slug") and "slug" not in self.errors:
            cleaned["slug"] = Status.slug_of(cleaned.get("name", ""))
            if "name" in cleaned and not cleaned["slug"]:
                self.add_error("slug", "This name gives no slug; name one.")
        return cleaned

    def clean_category(self):
        category = self.cleaned_data["category"]
        if not self.instance._state.adding and category != self.initial["category"]:
            try:
                self.instance.refuse_another_category()
            except Conflict as refusal:
                raise ValidationError(refusal.detail) from refusal
        return category


class ProjectInline(AdminBasics, admin.TabularInline):
    formfield_overrides = {
        **AdminBasics.formfield_overrides,
        models.CharField: {"widget": forms.TextInput(attrs={"size": 18})},  # or a row would not fit on the page
    }
    formset = RowFormSet
    extra = 0
    show_change_link = True
    list_select_related = ["project"]


class MembershipInline(ProjectInline):
    model = Membership
    form = MembershipForm
    formset = MembershipFormSet
    fields = ["user", "role"]
    autocomplete_fields = ["user"]
    ordering = ["user__username"]
    list_select_related = ["project", "user"]


class MembershipOfUserInline(MembershipInline):
    fields = ["project", "role"]
    autocomplete_fields = ["project"]
    ordering = ["project__key"]


class StatusInline(ProjectInline):
    model = Status
    form = StatusForm
    fields = ["name", "slug", "category", "position", "is_default"]
    readonly_fields = ["is_default"]
    ordering = ["position"]
    delete_confirmation_max_display = 5  # of the tasks that have a status


class LabelInline(ProjectInline):
    model = Label
    fields = ["name", "color"]
    ordering = ["name"]


class InvitationInline(MadeElsewhere, ProjectInline):
    """Whoever invites gets the token in the API's answer, the one time it can be read; here one looks and withdraws."""

    model = Invitation
    fields = ["email", "role", "expires_at", "accepted_at"]
    ordering = ["-created_at"]


UserAdmin.inlines = [MembershipOfUserInline]  # accounts knows nothing of projects


@admin.register(Project)
class ProjectAdmin(DomainAdmin):
    list_display = ["key", "name", "archived_at", "created_at", "updated_at"]
    list_filter = [("archived_at", admin.EmptyFieldListFilter), "created_at", "updated_at"]
    search_fields = ["key", "name", "description", "id__exact"]
    date_hierarchy = "created_at"
    ordering = ["key"]
    fields = ["key", "name", "description", "archived_at", "created_at", "updated_at"]
    readonly_fields = ["archived_at", "created_at", "updated_at"]
    fixed = ["key"]
    inlines = [MembershipInline, StatusInline, LabelInline, InvitationInline]
    actions = ["archive", "restore"]

    def get_inlines(self, request, obj):
        return self.inlines if obj else [MembershipInline]  # statuses come with the project

    def save_model(self, request, obj, form, change):
        obj.refuse_while_archived()
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        memberships = form.instance.memberships
        if not change and not memberships.owning().filter(user__is_active=True).exists():
            memberships.update_or_create(user=request.user, defaults={"role": Role.OWNER})

    @admin.action(permissions=["change"], description="Archive", location=EVERYWHERE)
    def archive(self, request, queryset):
        count = queryset.filter(archived_at=None).update(archived_at=timezone.now())
        self.message_user(request, f"Archived: {count}.", messages.SUCCESS)

    @admin.action(permissions=["change"], description="Restore", location=EVERYWHERE)
    def restore(self, request, queryset):
        count = queryset.exclude(archived_at=None).update(archived_at=None)
        self.message_user(request, f"Restored: {count}.", messages.SUCCESS)


@admin.register(Membership)
class MembershipAdmin(InProjectAdmin):
    list_display = ["user", "project", "role", "created_at"]
    list_filter = ["role", "created_at", "project"]
    list_select_related = ["user", "project"]
    search_fields = ["user__email", "user__username", "project__key", "project__name", "id__exact"]
    date_hierarchy = "created_at"
    ordering = ["project__key", "user__username"]
    fields = ["project", "user", "role", "created_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["project", "user"]
    fixed = ["project", "user"]

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if form.initial.get("role") == Role.OWNER != obj.role:
            refuse_for_last_owner(obj)

    def delete_model(self, request, obj):
        super().delete_model(request, obj)
        if obj.role == Role.OWNER:
            refuse_for_last_owner(obj)


@admin.register(Status)
class StatusAdmin(InProjectAdmin):
    list_display = ["slug", "name", "project", "category", "position", "is_default"]
    list_filter = ["category", "is_default", "project"]
    list_select_related = ["project"]
    search_fields = ["slug", "name", "project__key", "project__name", "id__exact"]
    ordering = ["project__key", "position"]
    form = StatusForm
    fields = ["project", "name", "slug", "category", "position", "is_default", "created_at"]
    readonly_fields = ["is_default", "created_at"]
    autocomplete_fields = ["project"]
    fixed = ["project", "slug"]
    actions = ["make_default"]

    @admin.action(permissions=["change"], description="Make the default of its project", location=EVERYWHERE)
    def make_default(self, request, queryset):
        for status in queryset.filter(is_default=False).order_by("pk"):
            status.project.refuse_while_archived()
            status.is_default = True
            status.save(update_fields=["is_default"])
            self.message_user(request, f"{status.name} is the default of {status.project} now.", messages.SUCCESS)


@admin.register(Label)
class LabelAdmin(InProjectAdmin):
    list_display = ["name", "project", "color", "created_at"]
    list_filter = ["created_at", "project"]
    list_select_related = ["project"]
    search_fields = ["name", "project__key", "project__name", "id__exact"]
    ordering = ["project__key", "name"]
    fields = ["project", "name", "color", "created_at"]
    readonly_fields = ["created_at"]
    autocomplete_fields = ["project"]
    fixed = ["project"]


@admin.register(Invitation)
class InvitationAdmin(MadeElsewhere, InProjectAdmin):
    list_display = ["email", "project", "role", "expires_at", "accepted_at", "created_at"]
    list_filter = ["role", ("accepted_at", admin.EmptyFieldListFilter), "expires_at", "project"]
    list_select_related = ["project"]
    search_fields = ["email", "project__key", "project__name", "id__exact"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    fields = ["project", "email", "role", "expires_at", "accepted_at", "created_at"]
