"""The admin of people, and what the admin of all apps shares."""

import logging
from collections import Counter
from functools import wraps

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import ActionLocation, IncorrectLookupParameters
from django.contrib.admin.utils import NestedObjects, model_ngettext
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.contrib.messages.storage import default_storage
from django.core.exceptions import ObjectNotUpdated, ValidationError
from django.db import DataError, IntegrityError, models, router
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse

from accounts.models import Session, User
from tickethub.errors import Conflict, Overtaken
from tickethub.models import as_uuid
from tickethub.pool import ANY_LENGTH, set_bounds
from tickethub.transactions import in_transaction

logger = logging.getLogger(__name__)
EVERYWHERE = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]
# Of a value that no form has looked at, such as the ids of what is selected: the database cannot be asked for it.
CANNOT_BE_ASKED = (ValidationError, ValueError, OverflowError, DataError)


def all_or_nothing(view):
    """Let a view of the admin do all it is asked to or nothing, and answer what the domain refuses with a message."""

    @in_transaction
    def attempt(self, request, *args, **kwargs):
        forget_messages(request)
        set_bounds(ANY_LENGTH)
        return view(self, request, *args, **kwargs)

    @wraps(view)
    def answer(self, request, *args, **kwargs):
        if request.method != "POST":
            return view(self, request, *args, **kwargs)
        try:
            return attempt(self, request, *args, **kwargs)
        except Conflict as refusal:
            words = str(refusal.detail)
        except (IntegrityError, ObjectNotUpdated, Overtaken):  # two requests at once: the forms let both pass
            words = "Somebody else has just made the same, or removed what this names."
        except CANNOT_BE_ASKED:
            logger.exception("The admin cannot do what it was asked for")
            words = "This cannot be done as it was asked for."
        forget_messages(request)
        self.message_user(request, words, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    return answer


def forget_messages(request):
    """Drop what was said of an attempt that is undone, such as that it succeeded."""
    request._messages = default_storage(request)


class MarkdownField(forms.CharField):
    """Markdown, kept as it is, though browsers send the end of every line as CRLF."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "strip": False})

    def to_python(self, value):
        return super().to_python(value).replace("\r\n", "\n")

    def has_changed(self, initial, data):
        return super().has_changed(self.to_python(initial), data)


class ByIdMixin:
    """An autocomplete field in which nothing is chosen by what is no id. Django asks the database for it."""

    def optgroups(self, name, value, attr=None):
        return super().optgroups(name, [each for each in value if not each or as_uuid(each)], attr)


class SelectById(ByIdMixin, AutocompleteSelect):
    pass


class SelectMultipleById(ByIdMixin, AutocompleteSelectMultiple):
    pass


class ListBasics:
    """For lists of the admin, whose address anybody may write."""

    changeform_view = all_or_nothing(admin.ModelAdmin.changeform_view)
    changelist_view = all_or_nothing(admin.ModelAdmin.changelist_view)
    delete_view = all_or_nothing(admin.ModelAdmin.delete_view)

    def get_changelist_instance(self, request):
        """Django's. A value that the database cannot be asked for is as wrong as one that is no number."""
        try:
            return super().get_changelist_instance(request)
        except CANNOT_BE_ASKED as error:
            logger.warning("A list of the admin cannot be shown as it was asked for", exc_info=True)
            raise IncorrectLookupParameters(error) from error

    def get_search_results(self, request, queryset, search_term):
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))


class AdminBasics:
    """For admins and inlines alike: what rows relate to is fetched with them, or for all rows of a page at once."""

    formfield_overrides = {models.TextField: {"form_class": MarkdownField}}
    list_select_related = ()
    shows_what_stood = True  # beside each field, so that a page changes what was changed on it and nothing else

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            field.show_hidden_initial = field.show_hidden_initial or self.shows_what_stood
        return field

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", SelectById(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request):
        return with_related(super().get_queryset(request), self)

    def get_field_queryset(self, db, db_field, request):
        queryset = super().get_field_queryset(db, db_field, request)
        related_admin = self.admin_site._registry.get(db_field.remote_field.model)
        return None if queryset is None else with_related(queryset, related_admin)


def with_related(rows, model_admin):
    names = model_admin.list_select_related
    return (rows.select_related(*names) if names else rows).fetch_mode(models.FETCH_PEERS)


class MadeElsewhere:
    """For admins and inlines of what is neither made nor changed here: one looks, and may take it away."""

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class DomainAdmin(ListBasics, AdminBasics, admin.ModelAdmin):
    """An admin that writes as the rest of TicketHub does: row by row, what changed and nothing else."""

    fixed = ()  # fields that are written once, when the row is made
    object_history_template = "tickethub/admin/history.html"
    show_full_result_count = False  # which would count a table beside what is asked of it

    def get_readonly_fields(self, request, obj=None):
        return [*super().get_readonly_fields(request, obj), *(self.fixed if obj else ())]

    def save_model(self, request, obj, form, change):
        if not change:
            obj.save()
        elif form.has_changed():
            obj.save(update_fields={field.name for field in obj._meta.fields} & set(form.changed_data))

    def history_view(self, request, object_id, extra_context=None):
        """Django's, of what was done here, below what the log tells: whoever may see the log sees that."""
        page = super().history_view(request, object_id, extra_context)
        if isinstance(page, TemplateResponse) and request.user.has_perm("realtime.view_event"):
            page.context_data["changes"] = self.admin_site.changes_of(page.context_data["object"])
        return page

    def delete_queryset(self, request, queryset):
        for obj in queryset.to_be_deleted():
            self.delete_model(request, obj)

    def get_deleted_objects(self, objs, request):
        """Name what is deleted, and count what goes with it: to name all of that takes queries for each row."""
        collector = NestedObjects(router.db_for_write(self.model), origin=objs)
        collector.collect(objs)
        counts = {model._meta.verbose_name_plural: len(rows) for model, rows in collector.model_objs.items()}
        lacking = {
            model._meta.verbose_name
            for model in collector.model_objs
            if self.admin_site.is_registered(model)
            and not self.admin_site.get_model_admin(model).has_delete_permission(request)
        }
        protected = Counter(type(row) for row in collector.protected)
        in_the_way = [f"{count} {model_ngettext(model, count)}" for model, count in protected.items()]
        return [str(obj) for obj in objs], counts, lacking, in_the_way


def refuse_for_last_owner(membership):
    """Raise Conflict, naming the membership, if nobody else owns its project."""
    try:
        membership.refuse_for_last_owner()
    except Conflict as refusal:
        raise Conflict(f"{membership}: {refusal.detail}", refusal.detail.code) from refusal


def has_more_rights(user, staff):
    """Whether `user` may be somebody who can do here what `staff` cannot."""
    if not user or user == staff or staff.is_superuser:
        return False
    return user.is_staff or user.is_superuser or user.groups.exists() or user.user_permissions.exists()


def refuse_if_more_rights(user, staff):
    """Raise Conflict where only a superuser may change `user`."""
    if has_more_rights(user, staff):
        raise Conflict(f"Only a superuser changes {user}, who has rights.", "staff")


@admin.register(User)
class UserAdmin(DomainAdmin, DjangoUserAdmin):
    """People are not deleted, since what they wrote stays; they are deactivated.

    Superusers alone give rights, and change others who have some: or whoever may change people could do everything.
    """

    list_display = ["email", "username", "first_name", "last_name", "is_active", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff", "is_superuser", "date_joined", "last_login"]
    search_fields = ["email", "username", "first_name", "last_name", "id__exact"]
    date_hierarchy = "date_joined"
    ordering = ["email"]
    readonly_fields = ["active", "last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["email", "username", "password"]}),
        ("Name", {"fields": ["first_name", "last_name"]}),
        ("Permissions", {"fields": ["active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "username", "first_name", "last_name"]}),
        ("Password", {"classes": ["wide"], "fields": ["usable_password", "password1", "password2"]}),
    ]
    actions = ["deactivate", "reactivate"]

    # Django's opens a transaction, within which this would wait for the other writers of SQLite.
    add_view = all_or_nothing(DjangoUserAdmin.add_view)

    def save_model(self, request, obj, form, change):
        """Of a person who stands left to save_related: it shows in memberships, of which some may be removed there."""
        if not change:
            super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        if change:
            super().save_model(request, form.instance, form, change)

    def has_change_permission(self, request, obj=None):
        return super().has_change_permission(request, obj) and not has_more_rights(obj, request.user)

    def has_delete_permission(self, request, obj=None):
        return False

    def get_readonly_fields(self, request, obj=None):
        given = () if request.user.is_superuser else ("is_staff", "is_superuser", "groups", "user_permissions")
        return [*super().get_readonly_fields(request, obj), *given]

    @admin.display(boolean=True)
    def active(self, user):
        return user.is_active

    @admin.action(permissions=["change"], description="Deactivate", location=EVERYWHERE)
    def deactivate(self, request, queryset):
        users = queryset.filter(is_active=True).order_by("pk").select_for_update(no_key=True)
        for user in users:
            if user == request.user:
                raise Conflict("You cannot deactivate yourself.", "self")
            refuse_if_more_rights(user, request.user)
            for membership in user.memberships.owning_locked():
                refuse_for_last_owner(membership)
            user.deactivate()
            self.log_change(request, user, "Deactivated.")
        self.message_user(request, f"Deactivated: {len(users)}.", messages.SUCCESS)

    @admin.action(permissions=["change"], description="Reactivate", location=EVERYWHERE)
    def reactivate(self, request, queryset):
        users = queryset.filter(is_active=False).order_by("pk").select_for_update(no_key=True)
        for user in users:
            refuse_if_more_rights(user, request.user)
            user.is_active = True
            user.save(update_fields=["is_active"])
            self.log_change(request, user, "Reactivated.")
        self.message_user(request, f"Reactivated: {len(users)}.", messages.SUCCESS)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ListBasics, DjangoGroupAdmin):
    """A group gives rights to who is in it, which superusers alone do."""

    def has_add_permission(self, request, obj=None):
        return request.user.is_superuser

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Session)
class SessionAdmin(MadeElsewhere, DomainAdmin):
    """Logins are made by logging in; here one looks, and ends them."""

    list_display = ["user", "created_at", "rotated_at", "expires_at", "ended_at"]
    list_filter = [("ended_at", admin.EmptyFieldListFilter), "created_at", "expires_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__username", "id__exact", "user__id__exact"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    fields = ["user", "created_at", "rotated_at", "expires_at", "ended_at"]
    actions = ["end"]

    def has_delete_permission(self, request, obj=None):
        return False

    def has_end_permission(self, request):
        return DomainAdmin.has_change_permission(self, request)

    @admin.action(permissions=["end"], description="End sessions", location=EVERYWHERE)
    def end(self, request, queryset):
        sessions = queryset.open().order_by("pk").select_for_update(of=("self",), no_key=True)
        for session in sessions:
            refuse_if_more_rights(session.user, request.user)
            session.end()
            self.log_change(request, session, "Ended.")
        self.message_user(request, f"Ended: {len(sessions)}.", messages.SUCCESS)
