"""New tasks, one or many at once."""

from django.db import models, transaction
from django.utils import timezone

from tasks import positions
from tasks.board import Board
from tasks.bulk import IDS, kept_in
from tasks.models import Task

LARGEST_NUMBER = 99_999_999  # that a new task is given; those that follow still fit into a key


def number(tasks):
    """Give new tasks of one project the numbers that they have already where it can, else the next ones.

    It can where they count up from where the board is. Numbers that are left out by that count as those of deleted
    tasks. Gives whether it could. The board is locked until the transaction ends.
    """
    board = Board.locked(tasks[0].project_id)
    numbers = [task.number for task in tasks]
    can = None not in numbers and board.last_number < min(numbers) and max(numbers) <= LARGEST_NUMBER
    if can := can and len(set(numbers)) == len(numbers):
        board.deleted += max(numbers) - board.last_number - len(numbers)
        board.last_number = max(numbers)
        board.save(update_fields=["last_number", "deleted"])
    else:
        last = Board.take_number(board.pk, len(tasks))
        for task, value in zip(tasks, range(last - len(tasks) + 1, last + 1), strict=True):
            task.number = value
    return can


def place(tasks):
    """Put new tasks of one project behind all that are on its board, in the order given."""
    last = Board(tasks[0].project_id).places.last()
    for task in tasks:
        task.position = last = positions.after(last)


def make(task, **ids):
    """Write a new task, with whom and what it has, as the next and last one on its board; gives it."""
    with transaction.atomic(savepoint=False):
        task.prepare_new()
        at = timezone.now()
        task.mind_completion(at)
        vars(task).update(ids, created_at=at, updated_at=at)
        make_all([task])
    return task


def make_all(tasks):
    """Write new tasks that are numbered and placed, with whom and what they have in `assignee_ids` and `label_ids`."""
    with transaction.atomic(savepoint=False):
        Task.objects.make_all(tasks)
        for name, ids in IDS.items():
            model, column = kept_in(name)
            rows = [model(task=task, **{column: pk}) for task in tasks for pk in getattr(task, ids)]
            models.QuerySet(model).bulk_create(rows)
