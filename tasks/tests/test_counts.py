"""The `count` of lists of tasks: right, and where it can be without a look at each task."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from projects.tests.factories import ProjectFactory
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"


@pytest.fixture
def counts(api, member, project, foreign_task):
    """Two projects of the caller's, with three tasks and two, and a call that asks for the counts of lists."""
    TaskFactory.create_batch(3, project=project)
    TaskFactory.create_batch(2, project=ProjectFactory(key="OTHER", owner=member))
    queries = [{}, {"project": "PROJ"}, {"project": "OTHER"}, {"project": "PROJ", "status": "todo"}]
    return lambda: [api.get(TASKS, query).json()["count"] for query in queries]


def test_they_are_those_of_the_tasks_that_one_sees(counts, project):
    assert counts() == [5, 3, 2, 3]
    TaskFactory(project=project)
    assert counts() == [6, 4, 2, 4]


def test_deleted_tasks_do_not_count(counts, api, project, owner, as_user):
    first, second = project.tasks.order_by("number")[:2]
    assert as_user(owner).delete(f"{TASKS}{first.pk}/").status_code == 204
    assert counts() == [4, 2, 2, 2]
    assert as_user(owner).post(f"{TASKS}bulk/", {"ids": [str(second.pk)], "delete": True}, "json").status_code == 204
    assert counts() == [3, 1, 2, 1]
    project.tasks.all().delete()
    assert counts() == [2, 0, 2, 0]
    TaskFactory(project=project)
    assert counts() == [3, 1, 2, 1]


def test_with_a_project_all_of_its_tasks_are_gone(api, counts):
    Project.objects.get(key="OTHER").delete()
    assert api.get(TASKS).json()["count"] == api.get(TASKS, {"project": "PROJ"}).json()["count"] == 3


def test_nobody_counts_what_they_do_not_see(as_user, counts, outsider, foreign_task):
    assert as_user(outsider).get(TASKS).json()["count"] == 1


def test_what_went_past_the_application_is_counted_anew(counts, project, capsys):
    call_command("recount_tasks")
    of_project = Task.objects.filter(project=project)
    of_project.filter(pk=of_project.first().pk)._raw_delete("default")
    assert counts() == [5, 3, 2, 2]
    call_command("recount_tasks")
    assert counts() == [4, 2, 2, 2]
    assert "0 projects had" in (told := capsys.readouterr().out)
    assert "1 projects had" in told


@pytest.mark.parametrize("query", [{}, {"project": "PROJ"}, {"ordering": "-position"}])
def test_a_page_is_no_longer_than_asked_though_more_came_since_they_were_counted(counts, api, query):
    Board.objects.update(deleted=F("last_number") - 1)  # one task in each project, the boards say
    assert len(api.get(TASKS, query | {"limit": 2}).json()["results"]) == 2


@pytest.mark.parametrize("query", [{}, {"project": "PROJ"}, {"project": "PROJ", "ordering": "-position"}])
def test_to_count_all_tasks_of_a_project_none_is_looked_at(api, counts, query):
    with CaptureQueriesContext(connection) as queries:
        assert api.get(TASKS, query).status_code == 200
    asked = [each["sql"] for each in queries if 'FROM "tasks_task"' in each["sql"]]
    assert len(asked) == 1, "for the page itself"


def test_other_conditions_are_counted_by_the_tasks(project, counts):
    of_project = Task.objects.filter(project=project)
    one = of_project.first()
    everything = [of_project.exclude(pk=one.pk), of_project.filter(title=one.title), of_project[:2], of_project.none()]
    everything += [Task.objects.exclude(project=project), of_project.union(Task.objects.filter(pk=one.pk))]
    everything += [Task.objects.filter(parent__project=project), of_project.values("status").annotate(Count("pk"))]
    assert [tasks.count() for tasks in everything] == [len(tasks) for tasks in everything]
