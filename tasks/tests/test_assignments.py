"""PostgreSQL keeps each task's project and moment beside its assignments, whichever way those come."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection

from accounts.tests.test_admin import Desk
from projects.tests.factories import ProjectFactory
from tasks.models import Assignment, Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
migration = import_module("tasks.migrations.0006_indexes_of_lists")
KEPT = """
    SELECT COUNT(*), COUNT(*) FILTER (WHERE (kept.project_id, kept.created_at) = (task.project_id, task.created_at))
    FROM tasks_task_assignees kept JOIN tasks_task task ON task.id = kept.task_id
"""

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="kept on PostgreSQL alone")


def agree():
    """How many assignments there are; fails where one of them has not its task's project and moment."""
    with connection.cursor() as cursor:
        cursor.execute(KEPT)
        all_of_them, alike = cursor.fetchone()
    assert all_of_them == alike
    return all_of_them


def by_make(api, tasks, people):
    body = {"project": str(tasks[0].project_id), "title": "New", "assignees": [str(user.pk) for user in people]}
    assert api.post(TASKS, body).status_code == 201


def by_patch(api, tasks, people):
    assert api.patch(f"{TASKS}{tasks[0].pk}/", {"assignees": [str(user.pk) for user in people]}).status_code == 200


def in_bulk(api, tasks, people):
    body = {"ids": [str(task.pk) for task in tasks], "set": {"assignees": [str(user.pk) for user in people]}}
    assert api.post(f"{TASKS}bulk/", body).status_code == 200


def by_add(api, tasks, people):
    tasks[0].assignees.add(*people)


def by_set(api, tasks, people):
    tasks[0].assignees.set(people)


def from_the_person(api, tasks, people):
    people[0].assigned_tasks.set(tasks)


def by_an_older_process(api, tasks, people):
    Task.assignees.through.objects.bulk_create(
        [Task.assignees.through(task=task, user=user) for task in tasks for user in people]
    )


def by_hand(api, tasks, people):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tasks_task_assignees (task_id, user_id) SELECT id, %s FROM tasks_task", [people[0].pk]
        )


def in_the_admin(api, tasks, people):
    assert Desk().save(tasks[0], assignees=[user.pk for user in people]).status_code == 302


def new_in_the_admin(api, tasks, people):
    fields = {"project": tasks[0].project_id, "title": "New", "assignees": [user.pk for user in people], "priority": 0}
    assert Desk().save(Task, "add", **fields).status_code == 302


WAYS = [by_make, by_patch, in_bulk, by_add, by_set, from_the_person, by_an_older_process, by_hand]


@pytest.mark.parametrize("assign", [*WAYS, in_the_admin, new_in_the_admin])
def test_they_are_those_of_the_task_however_it_is_assigned(api, project, member, owner, assign):
    tasks = TaskFactory.create_batch(2, project=project)
    assign(api, tasks, [member, owner])
    assert agree() > 0


def test_they_stay_those_of_the_task_whatever_is_changed(api, project, member, owner):
    task, elsewhere = TaskFactory(project=project), ProjectFactory(owner=member)
    task.assignees.add(member)
    before = Assignment.objects.values().get()
    for values in ({"project": str(elsewhere.pk)}, {"created_at": "2020-01-01T00:00:00Z"}):
        api.patch(f"{TASKS}{task.pk}/", values)
    api.patch(f"{TASKS}{task.pk}/", {"title": "Changed"})
    Desk().save(task, project=elsewhere.pk, created_at_0="2020-01-01", created_at_1="00:00")
    assert agree() == 1
    assert Assignment.objects.values().get() == before


def test_those_of_before_the_columns_get_them_a_few_at_a_time(project, member, owner, monkeypatch):
    for task in TaskFactory.create_batch(3, project=project):
        task.assignees.set([member, owner])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_task_assignees SET project_id = NULL, created_at = NULL")
    monkeypatch.setattr(migration, "BATCH", 2)
    migration.complete_assignments(None, SimpleNamespace(connection=connection))
    assert agree() == 6
