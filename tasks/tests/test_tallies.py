"""PostgreSQL keeps how many tasks a project has of a day and of an assignee, whatever writes them: lists rest on it."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from projects.tests.factories import ProjectFactory
from tasks import making
from tasks.models import Task
from tasks.tallies import TasksOfAssignee, TasksOfDay
from tasks.tests.factories import TaskFactory
from tickethub import pagination

TASKS = "/api/v1/tasks/"
SINCE = datetime(2026, 3, 1, 22, tzinfo=UTC)
COUNTED = {
    TasksOfDay: "SELECT project_id, (created_at AT TIME ZONE 'UTC')::date, COUNT(*) FROM tasks_task GROUP BY 1, 2",
    TasksOfAssignee: "SELECT project_id, user_id, COUNT(*) FROM tasks_task_assignees GROUP BY 1, 2",
}
migration = import_module("tasks.migrations.0010_tallies")

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="kept on PostgreSQL alone")


def kept(model):
    """`{(project, day or person): tasks}`, as the tallies have it."""
    found = {}
    for tally in model.objects.all():
        key = tally.project_id, tally.day if model is TasksOfDay else tally.user_id
        found[key] = found.get(key, 0) + tally.tasks
    return {key: tasks for key, tasks in found.items() if tasks}


def agree():
    """The tallies that there are, by model; fails where they are not what a count of everything gives."""
    for model, sql in COUNTED.items():
        with connection.cursor() as cursor:
            cursor.execute(sql)
            assert kept(model) == {(project, value): tasks for project, value, tasks in cursor.fetchall()}
    return [model.objects.count() for model in COUNTED]


def make(project, many):
    """Tasks that were made every seven hours, the last first."""
    tasks = TaskFactory.build_batch(many, project=project, status=project.statuses.first(), created_by=None)
    for place, task in enumerate(tasks, 1):
        at = SINCE - timedelta(hours=7 * place)
        vars(task).update(created_at=at, updated_at=at, assignee_ids=[], label_ids=[])
    making.number(tasks)
    making.place(tasks)
    making.make_all(tasks)
    return tasks


def by_request(api, project, people):
    body = {"project": str(project.pk), "title": "New", "assignees": [str(user.pk) for user in people]}
    made = api.post(TASKS, body).json()
    assert api.patch(f"{TASKS}{made['id']}/", {"assignees": body["assignees"][:1]}).status_code == 200


def in_bulk(api, project, people):
    ids = [str(task.pk) for task in make(project, 5)]
    for assignees in ([str(user.pk) for user in people], [str(people[1].pk)], []):
        assert api.post(f"{TASKS}bulk/", {"ids": ids, "set": {"assignees": assignees}}).status_code == 200


def by_deletion(api, project, people):
    for task in make(project, 5):
        task.assignees.set(people)
    assert api.delete(f"{TASKS}{project.tasks.first().pk}/").status_code == 204
    ids = [str(task.pk) for task in project.tasks.all()[:2]]
    assert api.post(f"{TASKS}bulk/", {"ids": ids, "delete": True}).status_code == 204


def by_leaving(api, project, people):
    for task in make(project, 3):
        task.assignees.set(people)
    project.memberships.get(user=people[0]).delete()


def by_hand(api, project, people):
    tasks = make(project, 4)
    with connection.cursor() as cursor:
        free = "WHERE id <> ALL(SELECT task_id FROM tasks_task_assignees)"
        insert = f"INSERT INTO tasks_task_assignees (task_id, user_id) SELECT id, %s FROM tasks_task {free}"  # noqa: S608
        cursor.execute(insert, [people[0].pk])
        cursor.execute("DELETE FROM tasks_task_assignees WHERE task_id = %s", [tasks[0].pk])


@pytest.mark.parametrize("write", [by_request, in_bulk, by_deletion, by_leaving, by_hand])
def test_they_are_right_whatever_writes(as_user, project, owner, member, foreign_task, write):
    make(project, 2)[0].assignees.add(member)
    write(as_user(owner), project, [member, owner])
    assert min(agree()) > 0


def test_nothing_is_left_of_a_project_that_is_deleted(project, member):
    elsewhere = ProjectFactory(owner=member)
    for each in (project, elsewhere):
        make(each, 3)[0].assignees.add(member)
    Project.objects.get(pk=project.pk).delete()
    assert agree() == [1, 1]


def test_with_all_rows_all_are_gone(project, member):
    make(project, 3)[0].assignees.add(member)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("TRUNCATE tasks_task CASCADE")
    assert agree() == [0, 0]


def test_those_that_were_there_before_are_counted(project, member):
    make(project, 5)[0].assignees.add(member)
    before = agree()
    with connection.schema_editor() as editor:
        migration.backwards(apps, editor)
        migration.forwards(apps, editor)
        migration.forwards(apps, editor)  # after a broken attempt
    assert agree() == before
    make(project, 2)
    agree()


def test_those_that_are_wrong_are_put_right_and_brought_together(project, member, capsys):
    first, second, third = make(project, 3)
    for task in (first, second):
        task.assignees.add(member)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_task SET created_at = '2020-01-01' WHERE id = %s", [third.pk])
        cursor.execute("UPDATE tasks_share SET tasks = 5")
        cursor.execute(
            "INSERT INTO tasks_share (project_id, user_id, tasks) SELECT project_id, user_id, 2 FROM tasks_share"
        )
        cursor.execute(
            "INSERT INTO tasks_share (project_id, user_id, tasks) VALUES (%(id)s, %(id)s, 1), (%(id)s, %(id)s, -1)",
            {"id": project.pk},
        )
    for wrong in ("3 tallies", "0 tallies"):  # two days, and whose tasks they are
        call_command("recount_tasks")
        assert wrong in capsys.readouterr().out
        assert agree() == [2, 1]


# --- Pages far in ---


@pytest.fixture
def pages(api, project, member, monkeypatch):
    """A call that gives the ids of a page, of two projects of the caller's; to skip two tasks is far already."""
    monkeypatch.setattr(pagination, "FAR", 2)
    other = ProjectFactory(key="OTHER", owner=member)
    make(project, 12)
    make(other, 7)
    make(ProjectFactory(), 3)

    def page(offset, **query):
        body = api.get(TASKS, {"offset": offset, "limit": 4, **query}).json()
        assert body["count"] == (12 if query else 19)
        return [row["id"] for row in body["results"]]

    return page


@pytest.mark.parametrize("query", [{"project": "PROJ"}, {}, {"project": "PROJ", "ordering": "created_at"}])
def test_they_are_those_of_the_list_also_where_no_day_can_be_skipped(pages, project, member, query):
    order = ("created_at", "pk") if "ordering" in query else ("-created_at", "-pk")
    tasks = Task.objects.visible_to(member).order_by(*order).filter(**{"project": project} if query else {})
    ids = [str(task.pk) for task in tasks]
    for offset in range(len(ids) + 1):
        assert pages(offset, **query) == ids[offset : offset + 4]


def test_they_are_right_when_some_were_deleted_or_came_late(pages, api, project):
    for task in project.tasks.order_by("created_at")[3:8:2]:
        task.delete()
    TaskFactory.create_batch(3, project=project)
    ids = [str(pk) for pk in project.tasks.order_by("-created_at", "-pk").values_list("pk", flat=True)]
    for offset in range(13):
        assert pages(offset, project="PROJ") == ids[offset : offset + 4]


def test_past_the_end_there_is_nothing_to_skip(pages):
    for offset in (12, 13, 10**18, 10**30):
        assert pages(offset, project="PROJ") == []


def test_what_was_made_on_days_before_is_not_walked(pages):
    with CaptureQueriesContext(connection) as queries:
        pages(11, project="PROJ")
    [page] = [each["sql"] for each in queries if 'FROM "tasks_task"' in each["sql"]]
    assert '"created_at" <' in page
    assert "OFFSET 11" not in page


@pytest.mark.parametrize("asked", [{"assignee": "me"}, {"assignee": "me", "project": "PROJ"}])
def test_those_of_a_person_are_found_by_the_assignments_alone(pages, api, project, member, asked):
    tasks = Task.objects.visible_to(member).order_by("-created_at", "-pk")[::2]
    for task in tasks:
        task.assignees.add(member)
    ids = [str(task.pk) for task in tasks if "project" not in asked or task.project_id == project.pk]
    for offset in range(len(ids)):
        with CaptureQueriesContext(connection) as queries:
            body = api.get(TASKS, {"offset": offset, "limit": 3, **asked}).json()
        assert (body["count"], [row["id"] for row in body["results"]]) == (len(ids), ids[offset : offset + 3])
        assert queries[-1]["sql"].count('FROM "tasks_task"') == 1, "for what is shown of them"
