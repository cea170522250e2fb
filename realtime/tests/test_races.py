"""Writes at once: the log tells what the database holds in the end. PostgreSQL interleaves them, SQLite queues them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from accounts.models import User
from accounts.tests.checks import refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Event
from realtime.tests.replica import Watch
from tasks.models import Task
from tasks.tests.factories import TaskFactory
from tickethub.tests.two_writers import until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)
needs_locks_of_rows = pytest.mark.skipif(
    not connection.features.has_select_for_update, reason="SQLite has one writer at a time"
)

ROUNDS = 25


def at_once(*calls):
    """The answers to calls of the API made at the same time, each on a connection of its own."""

    def run(call):
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(run, call) for call in calls]]


def test_a_label_that_is_deleted_while_tasks_get_it_leaves_them_with_a_word(as_user):
    ada = UserFactory()
    project = ProjectFactory(owner=ada)
    tasks = [TaskFactory(project=project) for _ in range(3)]

    def attach(task, label):
        return lambda: as_user(ada).patch(f"/api/v1/tasks/{task.pk}/", {"labels": [str(label.pk)]})

    with Watch():
        for _ in range(ROUNDS):
            label = LabelFactory(project=project)
            path = f"/api/v1/labels/{label.pk}/"
            answers = at_once(*[attach(task, label) for task in tasks], lambda path=path: as_user(ada).delete(path))
            assert {answer.status_code for answer in answers[:-1]} <= {200, 400}
            assert answers[-1].status_code == 204


@needs_locks_of_rows
def test_who_is_renamed_while_they_are_let_in_is_shown_with_the_new_name():
    user, project = UserFactory(first_name="Old"), ProjectFactory()

    def rename():
        person = User.objects.get(pk=user.pk)
        person.first_name = "New"
        person.save()

    with Watch(), ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            MembershipFactory(project=project, user=user)
            renaming = threads.submit(at_once, rename)
            until_somebody_waits()
        renaming.result()
    before, now = Event.objects.latest("pk").changes["user"]
    assert (before["first_name"], now["first_name"]) == ("Old", "New")


@needs_locks_of_rows
@pytest.mark.parametrize("create", [False, True])
def test_a_status_that_is_deleted_while_a_task_gets_it_is_refused(as_user, monkeypatch, create):
    """PostgreSQL looks at the commit whether the status is still there; the log looks before."""
    ada = UserFactory()
    project = ProjectFactory(owner=ada)
    task, status = TaskFactory(project=project), StatusFactory(project=project, slug="going")
    mind_completion, deletions = Task.mind_completion, []

    def delete_status(self, *args):
        if not deletions:
            deletions.extend(at_once(lambda: as_user(ada).delete(f"/api/v1/statuses/{status.pk}/")))
        mind_completion(self, *args)

    monkeypatch.setattr(Task, "mind_completion", delete_status)
    client = as_user(ada)
    with Watch():
        if create:
            answer = client.post("/api/v1/tasks/", {"project": str(project.pk), "title": "New", "status": "going"})
        else:
            answer = client.patch(f"/api/v1/tasks/{task.pk}/", {"status": "going"})
    assert [deletion.status_code for deletion in deletions] == [204]
    refused(answer, 400, errors={"status": "does_not_exist"})
