"""Tasks, how they hang together, and where they stand on the board."""

import re
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Greatest, Least
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.functional import cached_property

from projects.models import InProjectQuerySet, Label, Project, Status, as_uuid
from tasks import positions
from tickethub.models import TrackedModel, TrackedQuerySet


class Board(models.Model):
    """The counter of a project's task numbers, and the lock on the order of its tasks.

    It is a row of its own since a stale `project.save()` would set back a counter kept there.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True)
    last_number = models.PositiveIntegerField(default=0)

    LONGEST_POSITION = 200

    def __str__(self):
        return f"{self.project_id} at {self.last_number}"

    @classmethod
    def locked(cls, project_id):
        """The board of a project, locked until the transaction ends."""
        boards = cls.objects.select_for_update().filter(pk=project_id)
        if (board := boards.first()) is None:
            cls.objects.get_or_create(project_id=project_id)
            board = boards.get()
        return board

    def take_number(self):
        self.last_number += 1
        self.save(update_fields=["last_number"])
        return self.last_number

    @property
    def places(self):
        tasks = Task.objects.filter(project=self.project_id).order_by("position")
        return tasks.values_list("position", flat=True)

    def last_place(self):
        """The place after all tasks."""
        return positions.after(self.places.last())

    def place_beside(self, task, *, before, mover):
        """The place just before or just after a task, for `mover`, which leaves its own."""
        places = self.places.exclude(pk=mover.pk)
        if before:
            neighbour = places.filter(position__lt=task.position).last()
        else:
            neighbour = places.filter(position__gt=task.position).first()
        if neighbour is None:
            return positions.before(task.position) if before else positions.after(task.position)
        place = positions.between(*sorted([task.position, neighbour]))
        if len(place) <= self.LONGEST_POSITION:
            return place
        self.respread(mover)
        return self.place_beside(Task.objects.get(pk=task.pk), before=before, mover=mover)

    def respread(self, mover):
        """Give every task but the mover a short place anew, in the same order: after hundreds of moves into one gap."""
        place = self.places.last()
        tasks = Task.objects.filter(project=self.project_id).exclude(pk=mover.pk)
        list(tasks.locked())
        for task in tasks.order_by("position"):
            task.position = place = positions.after(place)
            task.save(update_fields=["position"])


def children_first(tasks):
    """The tasks in an order in which none loses its parent before it goes itself: that would be a change to tell of."""
    left = {task.pk: task for task in tasks}
    while left:
        parents = {task.parent_id for task in left.values()}
        for task in [task for task in left.values() if task.pk not in parents] or list(left.values()):
            yield left.pop(task.pk)


class IdsField(models.TextField):
    """Ids that the database put together, as the API shows them: texts in one order."""

    def from_db_value(self, value, expression, connection):
        return sorted(str(UUID(each)) for each in value.split(",")) if value else []


class IdsOf(models.Func):
    """The ids of what hangs on a task, as a column of it: a row of each for every task would cost far more.

    It is written out, since Django takes longer to put a subquery together than the database to answer it.
    """

    template = (
        """(SELECT STRING_AGG(CAST("%(column)s" AS text), ',') FROM "%(table)s" WHERE "task_id" = %(expressions)s)"""
    )

    def __init__(self, through, column):
        table = through._meta.db_table
        super().__init__("pk", table=table, column=f"{column}_id", output_field=IdsField())

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, template=self.template.replace("STRING_AGG", "GROUP_CONCAT"))


class TaskQuerySet(InProjectQuerySet):
    KEY = re.compile(r"([A-Z][A-Z0-9]{1,9})-([1-9][0-9]{0,8})")

    def named(self, name):
        """The task with this id or key (`PROJ-12`), none for a word that is neither."""
        if match := self.KEY.fullmatch(name):
            return self.filter(project__key=match[1], number=match[2])
        return self.filter(pk=as_uuid(name))

    def to_be_deleted(self):
        return children_first(super().to_be_deleted())

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

    project = models.ForeignKey(Project, models.CASCADE, related_name="tasks")
    number = models.PositiveIntegerField(editable=False)
    title = models.CharField(max_length=255)
    description = models.TextField(max_length=LONGEST_TEXT, blank=True, default="", help_text="Markdown.")
    # A status in use cannot be deleted, but goes with its project, which is what RESTRICT means.
    status = models.ForeignKey(Status, models.RESTRICT, related_name="tasks")
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NONE)
    assignees = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="assigned_tasks")
    labels = models.ManyToManyField(Label, blank=True, related_name="tasks")
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    due_date = models.DateField(null=True, blank=True)
    position = models.CharField(max_length=255, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="created_tasks"
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
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="task_newest")]

    def __str__(self):
        return f"{self.key} {self.title}"

    @property
    def key(self):
        return f"{self.project.key}-{self.number}"

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

    def prepare_new(self):
        board = Board.locked(self.project_id)
        self.number = board.take_number()
        self.position = board.last_place()
        if self.status_id is None:
            self.status = self.project.statuses.get(is_default=True)

    def mind_completion(self):
        is_done = self.status.category == Status.Category.DONE
        self.completed_at = (self.completed_at or timezone.now()) if is_done else None

    def delete(self, *args, **kwargs):
        """Delete the task and what hangs on it. Its children stay, each of them changed by losing its parent."""
        with transaction.atomic(savepoint=False):
            self.lock()
            self.children.update(parent=None)
            return super().delete(*args, **kwargs)

    @contextmanager
    def as_one_change(self):
        """Within this, changes of assignees and labels do not grow the version: the task's own save does."""
        self.in_one_change = True
        try:
            with transaction.atomic(savepoint=False):
                yield
        finally:
            self.in_one_change = False

    def descends_from(self, other):
        """Whether `other` is this task or above it."""
        seen, pk = set(), self.pk
        while pk is not None and pk not in seen:
            if pk == other.pk:
                return True
            seen.add(pk)
            pk = Task.objects.filter(pk=pk).values_list("parent", flat=True).first()
        return False

    @transaction.atomic
    def move(self, *, status=None, before=None, after=None):
        """Put the task beside another on the board, or last, and into a status. The order is the project's."""
        board = Board.locked(self.project_id)
        fields = []
        if status is not None and status != self.status:
            self.status = status
            fields.append("status")
        if before or after:
            beside = Task.objects.get(pk=(before or after).pk)
            self.position = board.place_beside(beside, before=before is not None, mover=self)
            fields.append("position")
        elif fields:
            self.position = board.last_place()
            fields.append("position")
        if fields:
            self.save(update_fields=fields)


def ids_in(rows):
    return sorted(map(str, rows.order_by().values_list("pk", flat=True)))


@receiver(post_save, sender=Task)
def hang_on(sender, instance, **kwargs):
    """Write what a new task `begins_with`, by relation: before the log, which is connected later, tells of the task."""
    for name, rows in instance.__dict__.pop("begins_with", {}).items():
        field = Task._meta.get_field(name)
        through, column = field.remote_field.through, f"{field.m2m_reverse_field_name()}_id"
        through.objects.bulk_create(through(task=instance, **{column: pk}) for pk in {row.pk for row in rows})


@receiver(m2m_changed, sender=Task.assignees.through)
@receiver(m2m_changed, sender=Task.labels.through)
def forget_ids(sender, instance, action, reverse, **kwargs):
    if not reverse and action.startswith("post_"):
        instance.__dict__.pop("label_ids" if sender is Task.labels.through else "assignee_ids", None)


@receiver(m2m_changed, sender=Task.assignees.through)
@receiver(m2m_changed, sender=Task.labels.through)
def grow_version(sender, instance, action, reverse, pk_set, **kwargs):
    """Who is assigned and what is labelled is part of a task: a change of it outside a save of the task is one too."""
    if reverse and action == "pre_clear":
        # A clear from the far side does not say what it clears, so it is done here, task by task.
        name = "labels" if sender is Task.labels.through else "assignees"
        for task in Task.objects.filter(**{name: instance}).locked():
            getattr(task, name).remove(instance)
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


class TaskRelationQuerySet(TrackedQuerySet):
    def visible_to(self, user):
        if not user.is_authenticated:
            return self.none()
        return self.filter(source__project__memberships__user=user)


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
