"""Two who write at once, for tests: a project with what they write to, a call under way, and ways to wait for it."""

from contextlib import contextmanager
from threading import Event, Thread, current_thread
from time import sleep
from unittest.mock import patch

import pytest
from django.db import connection, connections

from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.transactions import TURN

API = "/api/v1/"


class Site:
    """A project, somebody with a role there, and what they write to."""

    def __init__(self, role="member"):
        self.project = ProjectFactory(owner=UserFactory())
        self.owner = self.project.memberships.get().user
        self.membership = MembershipFactory(project=self.project, role=role)
        self.task, self.other = TaskFactory.create_batch(2, project=self.project, created_by=self.membership.user)
        self.label = LabelFactory(project=self.project)
        self.relation = TaskRelationFactory(source=self.task, target=self.other)
        self.comment = CommentFactory(task=self.task, author=self.membership.user)

    def events(self, client):
        log = client.get(f"{API}events/", {"project": self.project.key, "after": self.cursor}).json()["results"]
        return [event["type"] for event in log]

    def note_the_log(self, client):
        self.cursor = client.get(f"{API}events/", {"project": self.project.key}).json()["cursor"]


NAMES = {
    "a label": lambda site: (site.label, {"labels": [str(site.label.pk)]}),
    "a member": lambda site: (site.membership, {"assignees": [str(site.membership.user_id)]}),
}


def send(client, method, path, body):
    return getattr(client, method)(API + path, body)


class InThread(Thread):
    """A call under way, with a connection of its own."""

    def __init__(self, call):
        super().__init__()
        self.call = call
        self.start()

    def run(self):
        try:
            self.answer = self.call()
        finally:
            connections.close_all()

    def result(self):
        self.join(30)
        return self.answer


def until_somebody_waits():
    """Wait until somebody else waits for what the transaction of this thread has locked."""
    for _ in range(200):
        if somebody_waits():
            return
        sleep(0.05)
    pytest.fail("Nobody waits.")


def somebody_waits():
    if connection.vendor == "sqlite":  # which does not tell; but whoever of this process writes has its turn
        if TURN.acquire(blocking=False):
            TURN.release()
            return False
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone() is not None


@contextmanager
def dawdling(model, name):
    """Have whoever first passes a check of the model in another thread wait there, for others to come between. Gives
    the event of their having passed it.
    """
    check, here, passed = getattr(model, name), current_thread(), Event()

    def check_and_dawdle(*args):
        check(*args)
        if current_thread() is not here and not passed.is_set():
            passed.set()
            sleep(0.3)  # long enough for the others

    with patch.object(model, name, check_and_dawdle):
        yield passed
