"""Tasks, and how they hang together."""

import re
from contextlib import contextmanager
from copy import copy

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models.functions import Greatest, Least
from django.db.models.lookups import Exact, In
from django.db.models.signals import m2m_changed
from django.db.models.sql.where import AND
from django.dispatch import receiver
from django.utils import timezone
from django.utils.functional import cached_property

from projects.models import InProjectQuerySet, Label, Project, Status
from tasks import positions
from tasks.board import Board
from tasks.bulk import IDS, children_first, delete_all, take_off
from tasks.expressions import IdsOf
from tasks.tallies import TasksOfAssignee, are_kept
from tickethub.errors import Overtaken
from tickethub.models import Among, TrackedModel, as_uuid, sum_of
from tickethub.pool import PATIENT, set_bounds
from tickethub.prepared import Prepared

OF_ASSIGNEE = ("-assignments__created_at", "-assignments__task")  # the order in which PostgreSQL has them in an index
DEFAULT_STATUS = Prepared(  # with the last position on the board, which a new task needs as well
    lambda project: Status.objects.filter(project=project, is_default=True).annotate(
        last_position=models.Subquery(Board(project).places.reverse()[:1])
    )
)

WAY_UP = """
    WITH RECURSIVE way (id) AS (
        VALUES (%s)
        UNION
        SELECT tasks_task.parent_id FROM way JOIN tasks_task ON tasks_task.id = way.id
    )
    SELECT id FROM way WHERE id IS NOT NULL
"""  # UNION, unlike UNION ALL, comes to an end in a circle too


class TaskQuerySet(InProjectQuerySet):
    KEY = re.compile(r"([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,8})")

    def named(self, name):
        """The task with this id or key (`PROJ-12`), none for a word that is neither."""
        if match := self.KEY.fullmatch(name):
            return self.filter(project__key=match[1], number=match[2])
        return self.filter(pk=as_uuid(name))

    def of_assignee(self, user, project=None):
        """Those that `user` is assigned to, in one project or in all, newest first unless they are ordered anew."""
        if not Assignment.is_complete():
            return self.filter(assignments__user=user)
        asked = {"assignments__user": user} | ({"assignments__project": project} if project else {})
        return self.filter(**asked).order_by(*OF_ASSIGNEE)

    def count(self):
        counted = self.count_elsewhere()
        return super().count() if counted is None else sum(counted)

    def count_elsewhere(self):
        """The boards know of all tasks of some projects, tallies of those of an assignee there."""
        asked = self.asked()
        if asked is None:
            return None
        if any(name.startswith("user") for name in asked):
            return sum_of(TasksOfAssignee.objects.filter(**asked), "tasks") if are_kept() else None
        return sum_of(Board.objects.filter(**asked), models.F("last_number") - models.F("deleted"))

    def found_elsewhere(self, place):
        """The assignments know an assignee's tasks. Were the tasks asked for their project once more, PostgreSQL, which
        takes one that is new for empty, would go through all of it for each assignment.
        """
        asked = self.asked() if self.query.order_by == OF_ASSIGNEE else None
        if asked is None:
            return None
        ids = Assignment.objects.filter(**asked).order_by("-created_at", "-task").values("task")[place]
        found = self.model.objects.filter(
            Among(models.F("assignments__task"), ids), assignments__user=asked["user__exact"]
        )
        return found.order_by(*OF_ASSIGNEE)

    def asked(self):
        """The conditions, `{lookup: value}`; None if there is one of anything but the project and the assignee."""
        query, where = self.query, self.query.where
        if query.is_sliced or query.combinator or query.group_by is not None:
            return None
        if not where.children or where.negated or where.connector != AND:
            return None
        names = {Task.project.field: "project", Assignment.project.field: "project", Assignment.user.field: "user"}
        asked = {}
        for condition in where.children:
            name = isinstance(condition, (Exact, In)) and names.get(self.own_column(condition.lhs))
            if not name or asked.setdefault(f"{name}__{condition.lookup_name}", condition.rhs) != condition.rhs:
                return None
        return asked

    def own_column(self, expression):
        """The column if it is one of the tasks or of their assignments, and not of what else is joined to them."""
        table = self.query.alias_map.get(getattr(expression, "alias", None))
        own = {(None, self.model._meta.db_table), (self.query.base_table, Assignment._meta.db_table)}
        return expression.target if table and (table.parent_alias, table.table_name) in own else None

    def to_be_deleted(self):
        return children_first(super().to_be_deleted())

    def once_locked(self):
        """The tasks with all that the API shows of them, locked first and read then: as they stand."""
        tasks = self
        if connection.features.has_select_for_update:
            tasks = self.filter(pk__in=list(self.locked().values_list("pk", flat=True)))
        return tasks.order_by("pk").with_all_shown()

    def take_off(self, name, pk):
        """Take the assignee or the label by which these are filtered off all of them."""
        set_bounds(PATIENT)
        take_off(name, pk, list(self.once_locked()))

    def with_all_shown(self):
        """The tasks with all that the API shows of them, in one query.

        Not to be locked: PostgreSQL, when it has waited for a task that has another status by then, finds the join no
        longer true, and would give the assignees and labels of before.
        """
        return self.select_related("project", "status").annotate(
            assignee_ids=IdsOf(Task.assignees.through, "user"), label_ids=IdsOf(Task.labels.through, "label")
        )


# An event tells a text three times: before, after, and in the object. At six bytes a character (an escaped control
# character) that has to fit into the 1 MiB that a WebSocket frame of Daphne may have.
LONGEST_TEXT = 50_000


class Task(TrackedModel):
    class Priority(models.IntegerChoices):
        NONE = 0
        LOW = 1
        MEDIUM = 2
        HIGH = 3
        URGENT = 4

    # Without an index of its own where another one, below, begins with it.
    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks", db_index=False)
    number = models.PositiveIntegerField(editable=False)
    title = models.CharField(max_length=255)
    description = models.TextField(max_length=LONGEST_TEXT, blank=True, default="", help_text="Markdown.")
    # A status in use cannot be deleted, but goes with its project, which is what RESTRICT means.
    status = models.ForeignKey(Status, models.RESTRICT, related_name="tasks", db_index=False)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NONE)
    assignees = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="assigned_tasks")
    labels = models.ManyToManyField(Label, blank=True, related_name="tasks")
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    due_date = models.DateField(null=True, blank=True)
    position = models.CharField(max_length=255, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="created_tasks", db_index=False
    )
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TaskQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="task_number_once"),
            models.UniqueConstraint(fields=["project", "position"], name="task_position_once"),
            models.CheckConstraint(condition=~models.Q(parent=models.F("id")), name="task_not_own_parent"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id", "project"], name="task_newest_of_all"),
            models.Index(fields=["project", "-created_at", "-id"], name="task_newest"),
            models.Index(fields=["status", "-created_at", "-id", "project"], name="task_newest_of_status"),
            models.Index(fields=["created_by", "-created_at", "-id", "project"], name="task_newest_of_maker"),
            models.Index(fields=["status", "position", "id", "project"], name="task_placed_of_status"),
            models.Index(fields=["project", "priority", "id"], name="task_by_priority"),
            models.Index(fields=["project", "due_date", "id"], name="task_by_due_date"),
            models.Index(fields=["project", "updated_at", "id"], name="task_by_update"),
        ]

    def __str__(self):
        return f"{self.key} {self.title}"

    @property
    def key(self) -> str:
        return self.key_of(self.project.key, self.number)

    @staticmethod
    def key_of(project_key, number):
        return f"{project_key}-{number}"

    @cached_property
    def assignee_ids(self):
        return ids_in(self.assignees)

    @cached_property
    def label_ids(self):
        return ids_in(self.labels)

    def save(self, *, update_fields=None, **kwargs):
        """Write the task as one change: its version grows by one, from whatever the database holds."""
        with transaction.atomic(savepoint=False):
            if self._state.adding:
                self.prepare_new()
            else:
                self.version = models.F("version") + 1
            sets_status = update_fields is None or not {"status", "status_id"}.isdisjoint(update_fields)
            if sets_status:
                self.mind_completion()
            if update_fields is not None:
                derived = {"version", "completed_at"} if sets_status else {"version"}
                update_fields = {*update_fields, *derived}
            super().save(update_fields=update_fields, **kwargs)

    def has(self, values):
        """Whether the task is as `change_all` would make it."""
        return all(
            getattr(self, IDS.get(name) or self._meta.get_field(name).attname) == getattr(value, "pk", value)
            for name, value in values.items()
        )

    def changed(self, values, at):
        """The task as `change_all` makes it."""
        task = copy(self)
        for name, value in values.items():
            setattr(task, IDS.get(name, name), value)
        if "status" in values:
            task.mind_completion(at)
        task.version, task.updated_at = self.version + 1, at
        return task

    def prepare_new(self):
        """Number and place a new task, and give it a status. Raises Overtaken if its project is gone."""
        self.number = Board.take_number(self.project_id)
        if self.status_id is not None:
            self.position = Board(self.project_id).last_place()
            return
        status = DEFAULT_STATUS.first(self.project_id)
        if status is None:  # the project has been deleted meanwhile
            raise Overtaken
        self.status, self.position = status, positions.after(status.last_position)

    def mind_completion(self, at=None):
        self.completed_at = (self.completed_at or at or timezone.now()) if self.status.completes else None
        self.status.keep_category()

    def delete(self, using=None, keep_parents=False):
        """Delete the task and what hangs on it. Its children stay, each of them changed by losing its parent."""
        with transaction.atomic(savepoint=False):
            self.lock()
            return delete_all([self])

    @contextmanager
    def as_one_change(self):
        """Within this, changes of assignees and labels do not grow the version: the task's own save does."""
        self.in_one_change = True
        try:
            with transaction.atomic(savepoint=False):
                yield
        finally:
            self.in_one_change = False

    def descends_from(self, *others):
        """Whether one of the others is this task or above it. One statement, however deep this hangs."""
        with connection.cursor() as cursor:
            cursor.execute(WAY_UP, [Task._meta.pk.get_db_prep_value(self.pk, connection)])
            return not {as_uuid(pk) for [pk] in cursor}.isdisjoint(other.pk for other in others)

    @transaction.atomic
    def move(self, **where):
        """Put the task beside another on the board, or last, and into a status. The order is the project's."""
        if values := Board.locked(self.project_id).values_of_move(self, **where):
            for name, value in values.items():
                setattr(self, name, value)
            self.save(update_fields=values)


class Assignment(models.Model):
    """A row of `Task.assignees` with what PostgreSQL keeps beside it, so that lists of it need no look at each task."""

    task = models.ForeignKey(Task, models.DO_NOTHING, related_name="assignments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+")
    project = models.ForeignKey(Project, models.DO_NOTHING, related_name="+")
    created_at = models.DateTimeField(help_text="When the task was made.")

    class Meta:
        managed = False
        auto_created = True  # as Django's own model of the rows is: so that it is in no dump, admin or permission
        db_table = "tasks_task_assignees"

    def __str__(self):
        return f"{self.user_id} of {self.task_id}"

    @staticmethod
    def is_complete():
        """Whether the database has the project and the age of the task in the row."""
        return connection.vendor == "postgresql"

    @classmethod
    def of_task(cls, task, project):
        """Those of a task. PostgreSQL, which is to look at many tasks, is helped by their project."""
        known = {"project": project} if project and cls.is_complete() else {}
        return cls.objects.filter(task=task, **known)


def ids_in(rows):
    return sorted(map(str, rows.order_by().values_list("pk", flat=True)))


@receiver(m2m_changed, sender=Task.assignees.through)
@receiver(m2m_changed, sender=Task.labels.through)
def forget_ids(sender, instance, action, reverse, **kwargs):
    if not reverse and action.startswith("post_"):
        instance.__dict__.pop("label_ids" if sender is Task.labels.through else "assignee_ids", None)


@receiver(m2m_changed, sender=Task.assignees.through)
@receiver(m2m_changed, sender=Task.labels.through)
def grow_version(sender, instance, action, reverse, pk_set, raw, **kwargs):
    """Who is assigned and what is labelled is part of a task: a change of it outside a save of the task is one too."""
    if raw:  # of a fixture, which brings the version that the task had with them
        return
    if reverse and action == "pre_clear":
        # A clear from the far side does not say what it clears, so it is done here.
        name = "labels" if sender is Task.labels.through else "assignees"
        Task.objects.filter(**{name: instance}).take_off(name, instance.pk)
        return
    if action == "pre_add" and sender is Task.labels.through:
        Label.lock_all([instance.pk] if reverse else pk_set)
    if action.startswith("pre_") and not getattr(instance, "in_one_change", False):
        changed = tasks_about_to_change(sender, instance, action, reverse, pk_set)
        for task in Task.objects.filter(pk__in=changed).locked():
            task.save(update_fields=[])


def tasks_about_to_change(through, instance, action, reverse, pk_set):
    """The ids of the tasks that gain or lose something: not of those that have it, or lack it, already."""
    if action == "pre_add":  # its `pk_set` is what is missing
        return pk_set if reverse else [instance.pk] if pk_set else []
    other = "label" if through is Task.labels.through else "user"
    rows = through.objects.filter(**{other if reverse else "task": instance})
    if action == "pre_remove":
        rows = rows.filter(**{f"{'task' if reverse else other}__in": pk_set})
    return rows.values("task")


class TaskRelationQuerySet(InProjectQuerySet):
    way = "source__project"


class TaskRelation(TrackedModel):
    """What one task is to another of the same project."""

    class Type(models.TextChoices):
        BLOCKS = "blocks"
        RELATES_TO = "relates_to"
        DUPLICATES = "duplicates"

    source = models.ForeignKey(Task, models.CASCADE, related_name="relations_from")
    target = models.ForeignKey(Task, models.CASCADE, related_name="relations_to")
    type = models.CharField(max_length=10, choices=Type)

    objects = TaskRelationQuerySet.as_manager()

    class Meta(TrackedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                Least("source", "target"),
                Greatest("source", "target"),
                "type",
                name="relation_once",
                violation_error_message="These tasks have this relation already.",
            ),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")),
                name="relation_of_two",
                violation_error_message="A task has no relation to itself.",
            ),
        ]

    def __str__(self):
        return f"{self.source} {self.type} {self.target}"

    @property
    def project(self):
        return self.source.project
