"""What changes and deletes many tasks: a few statements, and yet one change of each to tell of."""

from collections import Counter, deque

from django.apps import apps
from django.db import connection, models, router, transaction
from django.db.models.deletion import Collector
from django.db.models.functions import Coalesce
from django.db.models.signals import post_save, pre_delete
from django.dispatch import receiver
from django.utils import timezone

from projects.models import Project
from tasks.board import Board
from tickethub.models import UUIDModel, rows_going

IDS = {"assignees": "assignee_ids", "labels": "label_ids"}  # by relation, where a task has the ids as they are shown


def model():
    return apps.get_model("tasks", "Task")  # whose module imports this one


def change_all(tasks, values):
    """Give tasks, got `once_locked`, these values, as one change of each; gives them as they are then, in their order.

    `assignees` and `labels` are ids, as they are shown. Those that were so already do not change.
    """
    at = timezone.now()
    changed = {task.pk: (task, task.changed(values, at)) for task in tasks if not task.has(values)}
    if changed:
        columns = {name: value for name, value in values.items() if name not in IDS}
        if "status" in columns:
            columns["completed_at"] = Coalesce("completed_at", at) if columns["status"].completes else None
        with transaction.atomic(savepoint=False):
            for name in IDS.keys() & values.keys():
                set_related(name, values[name], [before for before, _ in changed.values()])
            model().objects.become(list(changed.values()), **columns, version=models.F("version") + 1, updated_at=at)
    return [changed[task.pk][1] if task.pk in changed else task for task in tasks]


def take_off(name, pk, tasks):
    """Take an assignee or a label off tasks, got `once_locked`, which all have it: as one change of each."""
    if not tasks:
        return
    (through, column), at = kept_in(name), timezone.now()
    changes = []
    for task in tasks:
        left = [other for other in getattr(task, IDS[name]) if other != str(pk)]
        changes.append((task, task.changed({name: left}, at)))
    with transaction.atomic(savepoint=False):
        through.objects.filter(task__in=tasks, **{column: pk}).delete()
        model().objects.become(changes, version=models.F("version") + 1, updated_at=at)


def delete_all(tasks):
    """Delete locked tasks and what hangs on them. Other tasks below them stay, each changed by losing its parent.

    Gives how many rows went, in all and by model.
    """
    with transaction.atomic(savepoint=False):
        gone = model().objects.filter(pk__in=[task.pk for task in tasks])
        left_behind = list(model().objects.filter(parent__in=tasks).exclude(pk__in=gone.values("pk")).once_locked())
        # As every writer does, it locks tasks first, then what hangs on them, the board, and the log.
        if connection.features.has_select_for_update:
            gone.lock_what_goes_along()
        for project, count in gone.order_by("project").values_list("project").annotate(models.Count("pk")):
            Board.objects.filter(pk=project).update(deleted=models.F("deleted") + count)
        change_all(left_behind, {"parent": None})
        SpentId.objects.bulk_create((SpentId(pk=task.pk) for task in tasks), ignore_conflicts=True)
        rows_going.send(sender=model(), rows=list(children_first(tasks)))
        collector = Collector(router.db_for_write(model()), origin=tasks[0])
        collector.collect(tasks)
        return collector.delete()


def set_related(name, ids, tasks):
    """Have the tasks have these ids and no others in a relation. It is for the caller to count and tell the change."""
    through, column = kept_in(name)
    through.objects.filter(task__in=tasks).exclude(**{f"{column}__in": ids}).delete()
    missing = [(task, pk) for task in tasks for pk in ids if pk not in getattr(task, IDS[name])]
    through.objects.bulk_create(through(task=task, **{column: pk}) for task, pk in missing)


def kept_in(name):
    """What keeps a task's `assignees` or `labels`: the model, and the field with the id."""
    field = model()._meta.get_field(name)
    return field.remote_field.through, f"{field.m2m_reverse_field_name()}_id"


def children_first(tasks):
    """The tasks in an order in which none loses its parent before it goes itself: that would be a change to tell of."""
    left = {task.pk: task for task in tasks}
    children = Counter(task.parent_id for task in left.values())
    leaves = deque(task for task in left.values() if not children[task.pk])
    while left:
        task = leaves.popleft() if leaves else next(iter(left.values()))  # of a circle, any
        yield left.pop(task.pk)
        children[task.parent_id] -= 1
        if not children[task.parent_id] and task.parent_id in left:
            leaves.append(left[task.parent_id])


class SpentId(models.Model):
    """The id of a task that was deleted. A new one of that id would begin with versions that its clients hold already.

    Their `If-Match` would fit it, though it is not what they read.
    """

    id = models.UUIDField(primary_key=True)

    def __str__(self):
        return str(self.pk)


class SpentKey(UUIDModel):
    """The key of a deleted project. A new one of that key numbers on from there, so that none names two tasks."""

    key = models.CharField(max_length=10, unique=True)
    last_number = models.PositiveIntegerField()

    def __str__(self):
        return f"{self.key} at {self.last_number}"


@receiver(pre_delete, sender=Project)
def spend_ids_and_key(sender, instance, **kwargs):
    ids = instance.tasks.values_list("pk", flat=True)
    SpentId.objects.bulk_create((SpentId(pk) for pk in ids.iterator()), batch_size=1000)
    if last_number := Board.objects.filter(pk=instance.pk).values_list("last_number", flat=True).first():
        spent = SpentKey(key=instance.key, last_number=last_number)
        SpentKey.objects.bulk_create(
            [spent], update_conflicts=True, unique_fields=["key"], update_fields=["last_number"]
        )


@receiver(post_save, sender=Project)
def go_on_with_key(sender, instance, created, raw, **kwargs):
    """Have a new project number its tasks after those of a deleted one of its key, which it waited for if need be."""
    if created and not raw and (spent := SpentKey.objects.filter(key=instance.key).first()):
        Board.objects.create(project=instance, last_number=spent.last_number, deleted=spent.last_number)
