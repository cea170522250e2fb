"""Requests at once, each in a thread and with a connection of its own: nothing is lost and nothing is made twice."""

import uuid
from functools import partial
from threading import Barrier, Thread

import pytest
from django.db import connection, connections, transaction

from projects.tests.factories import LabelFactory
from tasks.models import Task
from tasks.tallies import TasksOfAssignee
from tasks.tests.conftest import make_cast
from tasks.tests.factories import TaskFactory, TaskRelationFactory

pytestmark = pytest.mark.django_db(transaction=True)


def together(*calls):
    """Run the calls at once; give what each gave, raise what one raised."""
    barrier, results = Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        try:
            barrier.wait(timeout=30)
            results[index] = call()
        except BaseException as error:  # for the test, below
            results[index] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def codes(answers):
    return sorted(answer.status_code for answer in answers)


def sending(client, method, path, body=None, **headers):
    """A call that sends a request."""
    return partial(getattr(client, method), f"/api/v1/{path}", body, headers=headers)


@pytest.fixture
def cast(transactional_db):
    """Made anew for each test: others' connections have to see it."""
    return make_cast()


@pytest.fixture
def at_once(as_user, member):
    """Send requests at once, `(method, path, body)` each, from clients of their own."""

    def send(*requests):
        return together(*(sending(as_user(member), *request) for request in requests))

    return send


def test_numbers_have_no_gap_and_no_repeat(at_once, project):
    body = {"project": str(project.pk), "title": "A task"}
    answers = at_once(*[("post", "tasks/", body)] * 8)
    assert codes(answers) == [201] * 8
    assert sorted(answer.json()["number"] for answer in answers) == list(range(1, 9))
    assert len(set(project.tasks.values_list("position", flat=True))) == 8


def test_twenty_retries_at_once_make_one_task(at_once, project, log):
    body = {"id": str(uuid.uuid4()), "project": str(project.pk), "title": "Once"}
    answers = at_once(*[("post", "tasks/", body)] * 20)
    assert codes(answers) == [200] * 19 + [201]
    assert len({answer.content for answer in answers}) == 1
    assert project.tasks.count() == 1
    assert [event["type"] for event in log()] == ["task.created"]


def test_one_id_by_two_people_at_once_is_one_persons(as_user, member, owner, project):
    body = {"id": str(uuid.uuid4()), "project": str(project.pk), "title": "Whose?"}
    answers = together(*(sending(as_user(user), "post", "tasks/", body) for user in (member, owner)))
    assert codes(answers) == [201, 409]
    assert project.tasks.count() == 1


def test_changes_of_different_fields_at_once_are_all_kept(at_once, task, project, member, log):
    label = LabelFactory(project=project)
    log()
    changes = {
        "title": "New",
        "description": "New too",
        "priority": "high",
        "status": "in-review",
        "due_date": "2030-01-01",
        "labels": [str(label.pk)],
        "assignees": [str(member.pk)],
    }
    answers = at_once(*(("patch", f"tasks/{task.pk}/", {name: value}) for name, value in changes.items()))
    assert codes(answers) == [200] * len(changes)
    events = log()
    now = events[-1]["object"]
    assert {name: now[name] for name in changes} == changes
    assert now["version"] == 1 + len(changes)
    assert [event["object"]["version"] for event in events] == list(range(2, 2 + len(changes)))


def test_of_those_who_overwrite_one_version_one_wins(as_user, member, task):
    def patching(title):
        return sending(as_user(member), "patch", f"tasks/{task.pk}/", {"title": title}, **{"If-Match": '"1"'})

    answers = together(*(patching(f"Title {number}") for number in range(5)))
    assert codes(answers) == [200] + [412] * 4
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    assert Task.objects.get(pk=task.pk).title == winner["title"]
    assert {answer.json()["current"]["title"] for answer in answers if answer.status_code == 412} == {winner["title"]}


def test_two_that_hang_themselves_below_each_other_make_no_circle(at_once, project):
    one, two, three = TaskFactory.create_batch(3, project=project)
    pairs = [(one, two), (two, three), (three, one)]
    answers = at_once(*(("patch", f"tasks/{task.pk}/", {"parent": str(parent.pk)}) for task, parent in pairs))
    assert codes(answers) == [200, 200, 400]
    [refused] = [answer for answer in answers if answer.status_code == 400]
    assert refused.json()["errors"]["parent"][0]["code"] == "circle"


def test_circles_in_bulk_and_singly_at_once_are_refused(at_once, project):
    one, two = TaskFactory.create_batch(2, project=project)
    answers = at_once(
        ("patch", f"tasks/{one.pk}/", {"parent": str(two.pk)}),
        ("post", "tasks/bulk/", {"ids": [str(two.pk)], "set": {"parent": str(one.pk)}}),
    )
    assert codes(answers) == [200, 400]


def test_moves_at_once_leave_every_task_a_place_of_its_own(at_once, project, log):
    tasks = TaskFactory.create_batch(8, project=project)
    log()
    first, last = tasks[0], tasks[-1]
    answers = at_once(
        *(("post", f"tasks/{task.pk}/move/", {"before": str(first.pk)}) for task in tasks[1:4]),
        *(("post", f"tasks/{task.pk}/move/", {"after": str(first.pk)}) for task in tasks[4:6]),
        ("post", f"tasks/{first.pk}/move/", {"after": str(last.pk)}),
    )
    assert codes(answers) == [200] * 6
    places = list(project.tasks.values_list("position", flat=True))
    assert len(set(places)) == 8
    told = {event["id"]: event["object"]["position"] for event in log()}
    assert told == {str(task.pk): Task.objects.get(pk=task.pk).position for task in tasks[:6]}


def test_one_deletion_wins_and_a_change_comes_before_or_too_late(at_once, project, task, log):
    log()
    answers = at_once(*[("delete", f"tasks/{task.pk}/", None)] * 3, ("patch", f"tasks/{task.pk}/", {"title": "New"}))
    assert codes(answers[:3]) == [204, 404, 404]
    assert answers[3].status_code in {200, 404}
    types = [event["type"] for event in log()]
    assert types == ["task.updated"] * (answers[3].status_code == 200) + ["task.deleted"]


def test_a_relation_told_from_both_sides_at_once_is_made_once(at_once, project):
    one, two = TaskFactory.create_batch(2, project=project)
    bodies = [
        {"source": str(source.pk), "target": str(target.pk), "type": "blocks"}
        for source, target in [(one, two), (two, one)] * 3
    ]
    answers = at_once(*(("post", "relations/", body) for body in bodies))
    assert codes(answers)[0] == 201
    assert set(codes(answers)[1:]) <= {400, 409}
    assert one.relations_from.count() + one.relations_to.count() == 1


def test_what_is_related_to_while_it_is_deleted_leaves_nothing_behind(at_once, api, member, project):
    """Whichever comes first: a label goes on a task as it is deleted, a child under a parent, a relation to a task."""
    for _ in range(3):
        label = LabelFactory(project=project)
        doomed, task = TaskFactory.create_batch(2, project=project, created_by=member)
        gone = [f"labels/{label.pk}/", f"tasks/{doomed.pk}/"]
        patch, relation, *deletions = at_once(
            ("patch", f"tasks/{task.pk}/", {"labels": [str(label.pk)], "parent": str(doomed.pk)}),
            ("post", "relations/", {"source": str(doomed.pk), "target": str(task.pk), "type": "blocks"}),
            *(("delete", path) for path in gone),
        )
        for answer, path in zip(deletions, gone, strict=True):
            # A 409 says that somebody came between. Who still wants it gone says so again.
            assert answer.status_code == 204 or (answer.status_code, api.delete(f"/api/v1/{path}").status_code) == (
                409,
                204,
            )
        assert patch.status_code in {200, 400, 409}
        assert relation.status_code in {201, 400, 409}
        task.refresh_from_db()
        assert (task.parent, task.labels.count(), task.relations_to.count()) == (None, 0, 0)


def test_who_is_removed_while_they_are_assigned_is_no_assignee(as_user, owner, member, admin, project):
    for _ in range(3):
        task = TaskFactory(project=project)
        membership, _ = project.memberships.get_or_create(user=member, defaults={"role": "member"})
        removal, patch = together(
            sending(as_user(owner), "delete", f"memberships/{membership.pk}/"),
            sending(as_user(admin), "patch", f"tasks/{task.pk}/", {"assignees": [str(member.pk), str(admin.pk)]}),
        )
        assert removal.status_code == 204
        assert patch.status_code in {200, 400}
        assert member not in task.assignees.all()


def test_relations_of_a_deleted_task_do_not_outlive_it(at_once, project, member):
    task = TaskFactory(project=project, created_by=member)
    for _ in range(3):
        TaskRelationFactory(source=task)
    assert codes(at_once(*[("delete", f"tasks/{task.pk}/", None)] * 2)) == [204, 404]
    assert not task.relations_from.exists()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="kept on PostgreSQL alone")
def test_whoever_assigns_waits_for_no_tally_of_whom_they_assign(cast):
    tasks, other = TaskFactory.create_batch(3, project=cast.project), connections.create_connection("default")
    tasks[0].assignees.add(cast.member)
    rows = "INSERT INTO tasks_task_assignees (task_id, user_id) VALUES (%s, %s)"
    try:
        with transaction.atomic(), connection.cursor() as cursor, other.cursor() as elsewhere:
            cursor.execute(rows, [tasks[1].pk, cast.member.pk])
            elsewhere.execute("SET lock_timeout = '2s'")
            elsewhere.execute(rows, [tasks[2].pk, cast.member.pk])
            elsewhere.execute("DELETE FROM tasks_task_assignees WHERE task_id = %s", [tasks[0].pk])
    finally:
        other.close()
    tallies = TasksOfAssignee.objects.filter(project=cast.project, user=cast.member)
    assert sum(tallies.values_list("tasks", flat=True)) == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="kept on PostgreSQL alone")
def test_a_recount_waits_for_another_one_and_adds_nothing_twice(cast):
    TaskFactory(project=cast.project).assignees.add(cast.member)
    TasksOfAssignee.objects.update(tasks=5)
    wrong = []
    other = Thread(target=lambda: (wrong.append(TasksOfAssignee.recount()), connections.close_all()))
    with transaction.atomic():
        assert TasksOfAssignee.recount() == 1
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(30)
    assert wrong == [0]
    assert TasksOfAssignee.objects.get().tasks == 1
