"""The admin of tasks and their relations. Boards, which only count, are not shown."""

from itertools import groupby
from operator import attrgetter

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db.models import Q

from accounts.admin import AdminBasics, SelectMultipleById
from projects.admin import InProjectAdmin
from projects.models import Label, Status
from tasks.board import Board
from tasks.bulk import change_all
from tasks.models import Task, TaskRelation
from tickethub.errors import Conflict


class KnownSelectMultiple(SelectMultipleById):
    """Does not ask the database again for what is chosen where the form, in `known`, has it already."""

    known = ()

    def optgroups(self, name, value, attr=None):
        known = {str(one.pk): one for one in self.known}
        if not known.keys() >= set(value):
            return super().optgroups(name, value, attr)
        label = self.choices.field.label_from_instance
        return [(None, [self.create_option(name, pk, label(known[pk]), True, at) for at, pk in enumerate(value)], 0)]


class TaskForm(forms.ModelForm):
    """A task, all of whose relations are of its project, as it stood when the page was opened."""

    opened_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "status" not in self.fields:  # a page to look at
            return
        if self.instance._state.adding:
            self.fields["status"].required = False
            self.fields["status"].help_text = "The project's default when left out."
        else:
            self.initial["opened_version"] = self.instance.version
            statuses = self.instance.project.statuses.order_by("position")
            self.fields["status"].widget = forms.Select(choices=[(status.pk, status.name) for status in statuses])
            for label in self.initial["labels"]:
                label.project = self.instance.project  # of which its name tells
            for name in ("assignees", "labels"):
                self.fields[name].widget.widget.known = self.initial[name]

    def clean(self):
        cleaned = super().clean()
        is_new = self.instance._state.adding
        project = cleaned.get("project") if is_new else self.instance.project
        # Locked before the task, as who takes them off their tasks does.
        members = project.memberships.filter(user__in=cleaned.get("assignees", ())).locked() if project else ()
        members = {membership.user_id for membership in members}
        Label.lock_all([label.pk for label in cleaned.get("labels", ())])
        if not is_new:
            self.refuse_if_changed_meanwhile(cleaned.get("opened_version"))
        if project is not None:
            for name, words in self.strangers(project, members, cleaned).items():
                self.add_error(name, words)
        return cleaned

    def refuse_if_changed_meanwhile(self, opened_version):
        task = Task.objects.filter(pk=self.instance.pk).locked()
        if task.values_list("version", flat=True).first() != opened_version:
            self.add_error(None, "This task was changed since you opened this page. Open it anew.")

    def strangers(self, project, members, cleaned):
        """What is wrong with the relations that were chosen, by field."""
        status, parent = cleaned.get("status"), cleaned.get("parent")
        wrong = {}
        if status and status.project_id != project.pk:
            wrong["status"] = f"This status is not one of {project}."
        if labels := [label.name for label in cleaned.get("labels", ()) if label.project_id != project.pk]:
            wrong["labels"] = f"Not labels of {project}: {', '.join(labels)}."
        if people := [str(user) for user in cleaned.get("assignees", ()) if user.pk not in members]:
            wrong["assignees"] = f"Not members of {project}: {', '.join(people)}."
        if parent and parent.project_id != project.pk:
            wrong["parent"] = f"This task is not one of {project}."
        elif parent and not self.instance._state.adding:
            Board.locked(project.pk)  # of two moves that together make a circle one must see the other
            if parent.descends_from(self.instance):
                wrong["parent"] = "A task cannot be below itself."
        return wrong


class TaskRelationForm(forms.ModelForm):
    def clean(self):
        cleaned = super().clean()
        source, target = cleaned.get("source"), cleaned.get("target")
        if source and target and source.project_id != target.project_id:
            raise ValidationError("Both tasks have to be in one project.")
        return cleaned


class RelationFormSet(forms.BaseInlineFormSet):
    """The relations of a task in one direction; those of both are asked for at once."""

    def get_queryset(self):
        task = self.instance
        if task._state.adding:
            return []
        if not hasattr(task, "known_relations"):
            relations = TaskRelation.objects.filter(Q(source=task) | Q(target=task)).order_by("created_at")
            task.known_relations = list(relations.select_related("source__project", "target__project"))
        return [relation for relation in task.known_relations if getattr(relation, self.fk.attname) == task.pk]


class RelationInline(AdminBasics, admin.TabularInline):
    """Relations are made and deleted, not changed."""

    model = TaskRelation
    form = TaskRelationForm
    formset = RelationFormSet
    extra = 0

    def has_change_permission(self, request, obj=None):
        return False


class RelationFromInline(RelationInline):
    fk_name = "source"
    fields = ["type", "target"]
    autocomplete_fields = ["target"]
    verbose_name_plural = "relations of this task to others"


class RelationToInline(RelationInline):
    fk_name = "target"
    fields = ["source", "type"]
    autocomplete_fields = ["source"]
    verbose_name_plural = "relations of others to this task"


def first_status(project, **asked):
    """The first status of a board that is as asked. Raises Conflict where there is none."""
    status = Status.objects.filter(project=project, **asked).order_by("position", "pk").first()
    if status is None:
        raise Conflict(f"{project} has no such status.", "no_status")
    return status


class TaskActionForm(ActionForm):
    priority = forms.ChoiceField(choices=[("", "Priority …"), *Task.Priority.choices], required=False)


@admin.register(Task)
class TaskAdmin(InProjectAdmin):
    list_display = ["key", "title", "status__name", "priority", "assigned", "due_date", "updated_at"]
    list_filter = ["status__category", "priority", "due_date", "created_at", "updated_at", "project"]
    list_select_related = ["project", "status", "created_by"]
    search_fields = ["title", "description", "project__key"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    form = TaskForm
    shows_what_stood = False  # it is told by the version
    fieldsets = [
        (None, {"fields": ["project", "title", "description", "opened_version"]}),
        ("State", {"fields": ["status", ("priority", "due_date", "completed_at")]}),
        ("Relations", {"fields": ["assignees", "labels", "parent"]}),
        ("Record", {"fields": [("number", "position", "version"), ("created_by", "created_at", "updated_at")]}),
    ]
    readonly_fields = ["completed_at", "number", "position", "version", "created_by", "created_at", "updated_at"]
    autocomplete_fields = ["project", "status", "assignees", "labels", "parent"]
    fixed = ["project"]
    inlines = [RelationFromInline, RelationToInline]
    actions = ["complete", "reopen", "prioritize", "unassign"]
    action_form = TaskActionForm

    @admin.action(permissions=["change"], description="Complete")
    def complete(self, request, queryset):
        self.change_all(request, queryset, lambda project: {"status": first_status(project, category="done")})

    @admin.action(permissions=["change"], description="Reopen, with the status of new tasks")
    def reopen(self, request, queryset):
        done = queryset.filter(status__category__in=["done", "cancelled"])
        self.change_all(request, done, lambda project: {"status": first_status(project, is_default=True)})

    @admin.action(permissions=["change"], description="Give the priority chosen here")
    def prioritize(self, request, queryset):
        chosen = request.POST.get("priority")
        if chosen not in map(str, Task.Priority):
            raise Conflict("Choose a priority beside the action.", "no_priority")
        self.change_all(request, queryset, lambda project: {"priority": int(chosen)})

    @admin.action(permissions=["change"], description="Unassign")
    def unassign(self, request, queryset):
        self.change_all(request, queryset, lambda project: {"assignees": []})

    def change_all(self, request, queryset, values_in):
        """Change tasks of any projects, in each to the values that `values_in` gives for it."""
        tasks, changed = Task.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))).once_locked(), []
        for project, ours in groupby(sorted(tasks, key=attrgetter("project_id")), attrgetter("project")):
            project.refuse_while_archived()
            before = list(ours)
            after = change_all(before, values_in(project))
            changed += [task for task, was in zip(after, before, strict=True) if task.version != was.version]
        if changed:
            LogEntry.objects.log_actions(request.user.pk, changed, CHANGE, "Changed with others.")
        self.message_user(request, f"Changed: {len(changed)}.", messages.SUCCESS)

    @admin.display(ordering="number")
    def key(self, task):
        return task.key

    @admin.display(description="assignees")
    def assigned(self, task):
        return ", ".join(map(str, task.assignees.all()))

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        widget = KnownSelectMultiple(db_field, self.admin_site)
        return super().formfield_for_manytomany(db_field, request, **{"widget": widget} | kwargs)

    def get_fieldsets(self, request, obj=None):
        return self.fieldsets if obj else self.fieldsets[:-1]  # there is no record yet

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("assignees")

    def get_search_results(self, request, queryset, search_term):
        """Find words, and a task by its id or key as well."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        return found | queryset.named(search_term.strip().upper()), may_have_duplicates

    def save_model(self, request, obj, form, change):
        """Left to save_related: a task, its assignees and its labels are saved as one change."""

    def save_related(self, request, form, formsets, change):
        task = form.instance
        if not change:
            task.created_by = request.user
        with task.as_one_change():
            super().save_model(request, task, form, change)
            super().save_related(request, form, formsets, change)


@admin.register(TaskRelation)
class TaskRelationAdmin(InProjectAdmin):
    list_display = ["source", "type", "target", "created_at"]
    list_filter = ["type", "created_at", "source__project"]
    list_select_related = ["source__project", "target__project"]
    search_fields = ["source__title", "target__title", "source__project__key", "id__exact"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    form = TaskRelationForm
    fields = ["source", "type", "target"]
    autocomplete_fields = ["source", "target"]

    def has_change_permission(self, request, obj=None):
        return False
