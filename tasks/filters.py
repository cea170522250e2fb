"""Filters of task lists."""

from django import forms
from django.db.models import Exists, OuterRef, Q
from django_filters import rest_framework as filters

from accounts.models import User
from projects.filters import InProjectFilter, NamedFilter, visible
from projects.models import Label, Project, Status
from tasks.models import Task, TaskQuerySet, TaskRelation
from tickethub.filters import DayFilter, MomentFilter, SearchFilter, StableOrderingFilter

PRIORITIES = [(priority.name.lower(), priority.label) for priority in Task.Priority]


class AnyOfFilter(filters.ModelMultipleChoiceFilter):
    """Rows that have any of the given ones, each once."""

    def filter(self, qs, value):
        return qs.filter(**{f"{self.field_name}__in": value}) if value else qs


class PeopleField(forms.ModelMultipleChoiceField):
    """People by id, or by the words `me` and `none`."""

    WORDS = frozenset({"me", "none"})

    def clean(self, value):
        value = value or []
        ids = [item for item in value if item not in self.WORDS]
        people = list(super().clean(ids)) if ids else []
        return people + [word for word in value if word in self.WORDS]


class PeopleFilter(filters.ModelMultipleChoiceFilter):
    field_class = PeopleField


class TaskFilter(InProjectFilter):
    status = AnyOfFilter(queryset=visible(Status), to_field_name="slug", help_text="Slugs; repeatable.")
    status_category = filters.MultipleChoiceFilter(
        field_name="status__category", choices=Status.Category, distinct=False, help_text="Repeatable."
    )
    priority = filters.MultipleChoiceFilter(choices=PRIORITIES, method="of_priority", help_text="Repeatable.")
    assignee = PeopleFilter(queryset=visible(User), method="assigned_to", help_text="Ids, `me` or `none`; repeatable.")
    label = filters.ModelMultipleChoiceFilter(queryset=visible(Label), method="labelled", help_text="Ids; repeatable.")
    created_by = filters.ModelChoiceFilter(queryset=visible(User), help_text="Id of a person.")
    parent = filters.ModelChoiceFilter(queryset=visible(Task), help_text="Id of a task.")
    due_before = DayFilter(field_name="due_date", lookup_expr="lt", help_text="Due before this day.")
    due_after = DayFilter(field_name="due_date", lookup_expr="gt", help_text="Due after this day.")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt", help_text="Made after this moment.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt", help_text="Changed after this moment.")
    search = SearchFilter(method="find", help_text="Words in the title or the description, or keys.")
    ordering = StableOrderingFilter(
        fields=["created_at", "updated_at", "due_date", "priority", "number", "position"],
        help_text="Newest first unless said; `-` turns round. Without a date comes last.",
    )

    class Meta:
        model = Task
        fields = []

    def of_priority(self, queryset, name, values):
        return queryset.filter(priority__in=[Task.Priority[value.upper()] for value in values])

    def assigned_to(self, queryset, name, values):
        people = [value for value in values if isinstance(value, User)]
        people += [self.request.user] if "me" in values else []
        assignments = Task.assignees.through.objects.all()
        found = Q(pk__in=assignments.filter(user__in=people).values("task"))
        if "none" in values:  # no join: it would give a task once for each of its assignees
            found |= ~Exists(assignments.filter(task=OuterRef("pk")))
        return queryset.filter(found)

    def labelled(self, queryset, name, values):
        if not values:
            return queryset
        return queryset.filter(pk__in=Task.labels.through.objects.filter(label__in=values).values("task"))

    def find(self, queryset, name, value):
        for word in value.split():
            found = Q(title__icontains=word) | Q(description__icontains=word)
            if key := TaskQuerySet.KEY.fullmatch(word.upper()):
                found |= Q(project__key=key[1], number=key[2])
            queryset = queryset.filter(found)
        return queryset


class TaskRelationFilter(filters.FilterSet):
    project = NamedFilter(field_name="source__project", queryset=visible(Project), help_text="Id or key of a project.")
    task = NamedFilter(queryset=visible(Task), method="of_task", help_text="Id or key of a task, on either side.")
    type = filters.ChoiceFilter(choices=TaskRelation.Type, help_text="Those of this type.")

    class Meta:
        model = TaskRelation
        fields = []

    def of_task(self, queryset, name, value):
        return queryset.filter(Q(source=value) | Q(target=value))
