"""The admin of the log, to look at: what happened is not changed."""

import json

from django.contrib import admin
from django.db.models import Exists, OuterRef, Subquery
from django.utils.html import format_html

from accounts.admin import ListBasics, MadeElsewhere
from accounts.models import User
from projects.models import Project
from realtime.models import Event, Stream
from realtime.things import THINGS


class ProjectStandsFilter(admin.SimpleListFilter):
    title = "project"
    parameter_name = "project_stands"

    def lookups(self, request, model_admin):
        return [("yes", "Stands"), ("no", "Deleted")]

    def queryset(self, request, queryset):
        if self.value() not in {"yes", "no"}:
            return queryset
        stands = Exists(Project.objects.filter(pk=OuterRef("project_id")))
        return queryset.filter(stands if self.value() == "yes" else ~stands)


class TypeFilter(admin.SimpleListFilter):
    """By type, of those there can be: to ask a long log which it has takes long."""

    title = parameter_name = "type"

    def lookups(self, request, model_admin):
        types = [f"{thing.name}.{verb}" for thing in THINGS.values() for verb in ("created", "updated", "deleted")]
        return [(name, name) for name in types]

    def queryset(self, request, queryset):
        return queryset.filter(type=self.value()) if self.value() else queryset


class LogAdmin(MadeElsewhere, ListBasics, admin.ModelAdmin):
    """Read-only. Projects are shown by their key; the log has no foreign keys, and may outlive them."""

    show_full_result_count = False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        projects = Project.objects.filter(pk=OuterRef("project_id"))
        return super().get_queryset(request).annotate(project_key=Subquery(projects.values("key")))

    def get_search_results(self, request, queryset, search_term):
        """Find by the ids that were logged, or all of a project by its key."""
        project = Project.objects.filter(key=search_term.strip().upper()).first()
        if project:
            return queryset.filter(project_id=project.pk), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(ordering="project_id")
    def project(self, row):
        return row.project_key or row.project_id


@admin.register(Stream)
class StreamAdmin(LogAdmin):
    list_display = ["project", "head"]
    list_filter = [ProjectStandsFilter]
    search_fields = ["project_id__exact"]
    ordering = ["project_id"]
    fields = ["project", "project_id", "head"]


@admin.register(Event)
class EventAdmin(LogAdmin):
    list_display = ["at", "project", "seq", "type", "object_id", "actor"]
    list_filter = [TypeFilter, "at", ProjectStandsFilter]
    search_fields = [
        "type",
        "request_id__exact",
        "object_id__exact",
        "project_id__exact",
        "actor_id__exact",
        "task_id__exact",
        "other_task_id__exact",
        "user_id__exact",
        "id__exact",
    ]
    ordering = ["-pk"]  # which is by age, and has an index
    fieldsets = [
        (None, {"fields": ["type", "object_id", "at", "actor", "request_id"]}),
        ("Place in the log", {"fields": ["project", "project_id", "seq", "nonce"]}),
        ("What", {"fields": ["changes_in_lines", "object_in_lines"]}),
        ("About", {"fields": ["task_id", "other_task_id", "user_id"]}),
    ]

    def get_queryset(self, request):
        people = User.objects.filter(pk=OuterRef("actor_id"))
        return super().get_queryset(request).annotate(actor_name=Subquery(people.values("username")))

    @admin.display(ordering="actor_id")
    def actor(self, event):
        return event.actor_name and f"@{event.actor_name}"

    @admin.display(description="changes")
    def changes_in_lines(self, event):
        return in_lines(event.changes)

    @admin.display(description="object")
    def object_in_lines(self, event):
        return in_lines(event.object)


def in_lines(data):
    return format_html("<pre>{}</pre>", json.dumps(data, indent=2, ensure_ascii=False))
