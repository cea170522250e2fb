"""Many new tasks at once are numbered, placed and told as if each were made by itself."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import UserFactory
from projects.tests.factories import LabelFactory, ProjectFactory
from tasks import making
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2020, 1, 2, 3, 4, tzinfo=UTC)


def new_tasks(project, numbers, **values):
    status = project.statuses.get(is_default=True)
    tasks = [
        Task(project=project, number=number, title=f"{number}", status=status, created_at=LONG_AGO, **values)
        for number in numbers
    ]
    for task in tasks:
        task.updated_at, task.assignee_ids, task.label_ids = timezone.now(), [], []
    return tasks


def make(project, numbers):
    tasks = new_tasks(project, numbers)
    kept = making.number(tasks)
    making.place(tasks)
    making.make_all(tasks)
    return kept, [task.number for task in project.tasks.order_by("position")]


def test_numbers_stay_on_an_empty_board_and_gaps_count_as_deleted_tasks():
    project = ProjectFactory()

    assert make(project, [3, 7, 4]) == (True, [3, 7, 4])
    board = Board.objects.get(project=project)
    assert (board.last_number, board.deleted) == (7, 4)
    assert project.tasks.count() == 3  # the board says so
    assert not Board.recount(project.pk)
    assert TaskFactory(project=project).number == 8


@pytest.mark.parametrize("numbers", [[1, 2], [2, 2], [5, None], [10**8, 5]])
def test_numbers_go_on_where_those_given_are_taken_doubled_missing_or_too_large(numbers):
    project = TaskFactory().project  # it has the number 1

    assert make(project, numbers) == (False, [1, 2, 3])
    assert project.tasks.count() == 3


def test_they_are_the_last_on_the_board_and_as_old_as_told():
    first = TaskFactory()

    make(first.project, [5, 6])

    assert list(first.project.tasks.order_by("position").values_list("number", flat=True)) == [1, 5, 6]
    assert first.project.tasks.get(number=5).created_at == LONG_AGO


def test_what_was_made_can_be_saved_again():
    status = ProjectFactory().statuses.get(is_default=True)
    task = making.make(Task(project=status.project, title="Old", status=status), assignee_ids=[], label_ids=[])
    task.title = "New"
    task.save()
    assert (Task.objects.get().title, Task.objects.get().version) == ("New", 2)


def test_the_number_of_queries_is_the_same_for_many():
    project, user = ProjectFactory(), UserFactory()
    label = LabelFactory(project=project)

    def count(numbers):
        tasks = new_tasks(project, numbers)
        for task in tasks:
            task.assignee_ids, task.label_ids = [str(user.pk)], [str(label.pk)]
        with CaptureQueriesContext(connection) as queries:
            making.number(tasks)
            making.place(tasks)
            making.make_all(tasks)
        return len(queries)

    count([1])  # which makes the board
    assert count([2, 3]) == count(range(4, 60))
    assert list(project.tasks.get(number=59).assignees.all()) == [user]
    assert list(project.tasks.get(number=59).labels.all()) == [label]
