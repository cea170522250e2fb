"""Numbers of tasks: they count up in their project, without gaps or repeats, and none is used again."""

import pytest
from django.db import transaction

from projects.models import Project
from projects.tests.factories import ProjectFactory
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"


def make(api, project, **fields):
    return api.post(TASKS, {"project": str(project.pk), "title": "A task", **fields})


def test_numbers_count_up_from_one_in_each_project(api, project, member):
    other = ProjectFactory(key="OTHER", member=member)
    keys = [make(api, where).json()["key"] for where in (project, project, other, project, other)]
    assert keys == ["PROJ-1", "PROJ-2", "OTHER-1", "PROJ-3", "OTHER-2"]


def test_the_key_is_of_the_project_and_the_number(api, project):
    task = make(api, project).json()
    assert (task["number"], task["key"]) == (1, "PROJ-1")
    assert api.get(f"{TASKS}PROJ-1/").json() == task


def test_the_number_of_a_deleted_task_is_not_used_again(api, project):
    tasks = [make(api, project).json() for _ in range(3)]
    assert api.delete(f"{TASKS}{tasks[2]['id']}/").status_code == 204
    assert api.delete(f"{TASKS}{tasks[0]['id']}/").status_code == 204
    assert make(api, project).json()["number"] == 4


def test_after_all_tasks_are_deleted_numbers_go_on(api, project):
    task = make(api, project).json()
    assert api.post(f"{TASKS}bulk/", {"ids": [task["id"]], "delete": True}).status_code == 204
    assert make(api, project).json()["number"] == 2


def test_a_key_that_is_taken_again_names_no_task_of_before(api, project, member):
    def taken_again():
        Project.objects.get(key="PROJ").delete()
        return ProjectFactory(key="PROJ", member=member)

    assert [make(api, project).json()["key"] for _ in range(2)] == ["PROJ-1", "PROJ-2"]
    assert make(api, taken_again()).json()["key"] == "PROJ-3"
    assert api.get(f"{TASKS}PROJ-1/", headers={"If-None-Match": '"1"'}).status_code == 404
    taken_again().delete()  # without a task
    project = ProjectFactory(key="PROJ", member=member)
    assert make(api, project).json()["key"] == "PROJ-4"
    assert api.get(TASKS, {"project": "PROJ"}).json()["count"] == 1
    assert not Board.recount(project.pk)


@pytest.mark.parametrize(
    ("fields", "status_code"), [({"title": ""}, 400), ({"status": "no-such"}, 400), ({"id": "THEIRS"}, 409)]
)
def test_a_refused_task_takes_no_number(api, project, task, owner, fields, status_code):
    theirs = TaskFactory(project=project, created_by=owner)
    fields = {name: str(theirs.pk) if value == "THEIRS" else value for name, value in fields.items()}
    assert make(api, project, **fields).status_code == status_code
    assert make(api, project).json()["number"] == theirs.number + 1


def test_a_create_that_is_rolled_back_leaves_no_gap(project):
    def make_and_fail():
        with transaction.atomic():
            assert TaskFactory(project=project).number == 2
            raise InterruptedError

    TaskFactory(project=project)
    with pytest.raises(InterruptedError):
        make_and_fail()
    assert TaskFactory(project=project).number == 2


def test_a_retry_takes_no_number(api, project):
    mine = {"id": "0192f0c0-0000-7000-8000-000000000001"}
    assert make(api, project, **mine).status_code == 201
    assert make(api, project, **mine).status_code == 200
    assert make(api, project).json()["number"] == 2


def test_a_stale_project_that_is_saved_does_not_set_the_count_back(api, project):
    stale = type(project).objects.get(pk=project.pk)
    make(api, project)
    stale.save()
    assert make(api, project).json()["number"] == 2


def test_many_made_at_once_by_the_orm_count_up_too(project):
    Task.objects.bulk_create(Task(project=project, title=f"Task {n}") for n in range(3))
    assert list(project.tasks.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_nobody_chooses_the_number(api, project, task):
    assert make(api, project, number=77, key="PROJ-77").json()["number"] == task.number + 1
    answer = api.patch(f"{TASKS}{task.pk}/", {"number": 77, "key": "PROJ-77"})
    assert (answer.status_code, answer.json()["key"]) == (200, task.key)
