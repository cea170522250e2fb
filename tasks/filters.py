"""Filters of task lists."""

from django import forms
from django.db.models import Exists, Func, OuterRef, Q, TextField
from django_filters import rest_framework as filters

from accounts.models import User
from projects.filters import AskedBySomebodyMixin, InProjectFilter, NamedFilter, visible
from projects.models import Label, Project, Status
from tasks.models import Assignment, Task, TaskQuerySet, TaskRelation
from tickethub.filters import AskedFilterSet, DayFilter, HasWord, MomentFilter, SearchFilter, StableOrderingFilter
from tickethub.models import as_uuid

PRIORITIES = [(priority.name.lower(), priority.label) for priority in Task.Priority]


class IdsField(forms.ModelMultipleChoiceField):
    """Rows by id, in whatever form: Django compares them as texts."""

    def clean(self, value):
        return super().clean([str(as_uuid(item) or item) for item in value or []])


class IdsFilter(filters.ModelMultipleChoiceFilter):
    field_class = IdsField


class PeopleField(IdsField):
    """People by id, or by the words `me` and `none`. Nobody has to be looked up to find themselves."""

    WORDS = frozenset({"me", "none"})
    user = None

    def clean(self, value):
        value = ["me" if self.user and as_uuid(item) == self.user.pk else item for item in value or []]
        ids = [item for item in value if item not in self.WORDS]
        people = list(super().clean(ids)) if ids else []
        return people + [word for word in self.WORDS if word in value]


class PeopleFilter(AskedBySomebodyMixin, filters.ModelMultipleChoiceFilter):
    field_class = PeopleField


class SearchedText(Func):
    """What a search looks at: on PostgreSQL, as HasWord has it, the very words of the index `task_search`."""

    template, arg_joiner = "%(expressions)s", " || CHAR(10) || "
    output_field = TextField()

    def as_postgresql(self, compiler, connection):
        return self.as_sql(compiler, connection, arg_joiner=r" || E'\n' || ")


def makers(request):
    """The people whom the caller of a request sees, and whoever made a task that the caller sees, and may have left."""
    made = Task.objects.visible_to(request.user).filter(created_by=OuterRef("pk"))
    return User.objects.visible_to(request.user) | User.objects.filter(Exists(made))


def statuses(request):
    """Those that the caller sees, as rows: one slug may be that of a status in each of many projects."""
    return visible(Status)(request).values_list("pk", "slug", "project_id", named=True)


class TaskFilter(InProjectFilter):
    status = filters.ModelMultipleChoiceFilter(
        queryset=statuses, method="with_status", to_field_name="slug", help_text="Slugs; repeatable."
    )
    status_category = filters.MultipleChoiceFilter(
        choices=Status.Category, method="with_category", help_text="Repeatable."
    )
    priority = filters.MultipleChoiceFilter(choices=PRIORITIES, method="of_priority", help_text="Repeatable.")
    assignee = PeopleFilter(queryset=visible(User), method="assigned_to", help_text="Ids, `me` or `none`; repeatable.")
    label = IdsFilter(queryset=visible(Label), method="labelled", help_text="Ids; repeatable.")
    created_by = filters.ModelChoiceFilter(queryset=makers, help_text="Id of a person.")
    parent = filters.ModelChoiceFilter(queryset=visible(Task), help_text="Id of a task.")
    due_before = DayFilter(field_name="due_date", lookup_expr="lt", help_text="Due before this day.")
    due_after = DayFilter(field_name="due_date", lookup_expr="gt", help_text="Due after this day.")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gt", help_text="Made after this moment.")
    updated_after = MomentFilter(field_name="updated_at", lookup_expr="gt", help_text="Changed after this moment.")
    search = SearchFilter(
        method="find", keys=TaskQuerySet.KEY, help_text="Words in the title or the description, or keys."
    )
    ordering = StableOrderingFilter(
        fields=["created_at", "updated_at", "due_date", "priority", "number", "position"],
        help_text="Newest first unless said; `-` turns round. Without a date comes last.",
    )

    class Meta:
        model = Task
        fields = []

    def of_priority(self, queryset, name, values):
        return queryset.filter(priority__in=[Task.Priority[value.upper()] for value in values])

    # Of one project, its own statuses alone: those of the others would only mislead the database.

    def with_status(self, queryset, name, values):
        project = self.form.cleaned_data.get("project")
        of_project = [row.pk for row in values if project is None or row.project_id == project.pk]
        return queryset.filter(status__in=of_project)

    def with_category(self, queryset, name, values):
        statuses = Status.objects.filter(category__in=values).values_list("pk", flat=True)
        if project := self.form.cleaned_data.get("project"):  # by their ids, of which an index knows the tasks
            return queryset.filter(status__in=list(statuses.filter(project=project)))
        return queryset.filter(status__in=statuses)

    def assigned_to(self, queryset, name, values):
        people = [value for value in values if isinstance(value, User)]
        people += [self.request.user] if "me" in values else []
        if len(people) == len(values) == 1:
            return queryset.of_assignee(*people, project=self.form.cleaned_data.get("project"))
        found = Q(pk__in=Assignment.objects.filter(user__in=people).values("task"))
        if "none" in values:  # no join: it would give a task once for each of its assignees
            found |= ~Exists(Assignment.of_task(OuterRef("pk"), project=self.form.cleaned_data.get("project")))
        return queryset.filter(found)

    def labelled(self, queryset, name, values):
        return queryset.filter(pk__in=Task.labels.through.objects.filter(label__in=values).values("task"))

    def find(self, queryset, name, value):
        for word in value:
            found = Q(HasWord(SearchedText("title", "description"), word))
            if key := TaskQuerySet.KEY.fullmatch(word.upper()):
                # By the id, since of a project's key beside the text no index could be asked.
                found |= Q(pk=Task.objects.filter(project__key=key[1], number=key[2]).values("pk")[:1])
            queryset = queryset.filter(found)
        return queryset


class TaskRelationFilter(AskedFilterSet):
    project = NamedFilter(Project, field_name="source__project", help_text="Id or key of a project.")
    task = NamedFilter(Task, method="of_task", help_text="Id or key of a task, on either side.")
    type = filters.ChoiceFilter(choices=TaskRelation.Type, help_text="Those of this type.")

    class Meta:
        model = TaskRelation
        fields = []

    def of_task(self, queryset, name, value):
        return queryset.filter(Q(source=value) | Q(target=value))
