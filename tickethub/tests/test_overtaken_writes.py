"""A write and the checks it rests on are one: who is removed or demoted, or what is archived, is so for all that comes
after it in the log.
"""

from contextlib import contextmanager
from functools import partial
from itertools import product
from threading import Event, Thread, current_thread
from time import sleep
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.models import Label, Project, Status
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Stream
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory, TaskRelationFactory

pytestmark = pytest.mark.django_db(transaction=True)
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


WRITES = {
    "make a task": lambda site: ("post", "tasks/", {"project": str(site.project.pk), "title": "New"}),
    "change a task": lambda site: ("patch", f"tasks/{site.task.pk}/", {"title": "New"}),
    "move a task": lambda site: ("post", f"tasks/{site.task.pk}/move/", {"after": str(site.other.pk)}),
    "change tasks": lambda site: ("post", "tasks/bulk/", {"ids": [str(site.task.pk)], "set": {"title": "New"}}),
    "delete a task": lambda site: ("delete", f"tasks/{site.task.pk}/", None),
    "relate tasks": lambda site: (
        "post",
        "relations/",
        {"source": str(site.task.pk), "target": str(site.other.pk), "type": "duplicates"},
    ),
    "part tasks": lambda site: ("delete", f"relations/{site.relation.pk}/", None),
    "comment": lambda site: ("post", "comments/", {"task": str(site.task.pk), "body": "New"}),
    "delete a comment": lambda site: ("delete", f"comments/{site.comment.pk}/", None),
    "make a label": lambda site: ("post", "labels/", {"project": str(site.project.pk), "name": "New"}),
}
ENDS = {
    "remove": lambda site: ("delete", f"memberships/{site.membership.pk}/", None),
    "demote": lambda site: ("patch", f"memberships/{site.membership.pk}/", {"role": "viewer"}),
    "archive": lambda site: ("patch", f"projects/{site.project.pk}/", {"archived": True}),
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
    """Wait until another connection to PostgreSQL waits for what this one has locked; SQLite does not tell."""
    if connection.vendor != "postgresql":
        return sleep(0.3)
    with connection.cursor() as cursor:
        for _ in range(200):
            cursor.execute("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone() is not None:
                return None
            sleep(0.05)
    return pytest.fail("Nobody waits.")


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


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("write", WRITES)
def test_what_was_allowed_does_not_come_after_what_ends_it(as_user, write, end):
    site = Site()
    writer, owner = as_user(site.membership.user), as_user(site.owner)
    site.note_the_log(owner)
    with dawdling(Project, "refuse_if_archived") as checked:
        writing = InThread(partial(send, writer, *WRITES[write](site)))
        assert checked.wait(10)
        ended = send(owner, *ENDS[end](site))
    assert ended.status_code in {200, 204}
    answer = writing.result()
    assert answer.status_code in {200, 201, 204} | {after(end, write, site)}
    last = {"remove": "membership.deleted", "demote": "membership.updated", "archive": "project.updated"}
    events = site.events(owner)
    assert events[-1] == last[end]
    assert (len(events) > 1) == (answer.status_code < 400)


def after(end, write, site):
    """The status that a write gets after its end."""
    method, path, _ = WRITES[write](site)
    unseen = 404 if method != "post" or path.endswith("/move/") else 400
    return {"demote": 403, "archive": 409}.get(end, unseen)


@pytest.mark.parametrize("end", ["remove", "demote", "archive", "delete"])
@pytest.mark.parametrize("write", WRITES)
def test_what_waited_for_its_end_is_answered_as_after_it(as_user, write, end):
    site = Site()
    writer = as_user(site.membership.user)
    with transaction.atomic():
        if end == "remove":
            site.membership.delete()
        elif end == "demote":
            site.membership.role = "viewer"
            site.membership.save(update_fields=["role"])
        elif end == "archive":
            site.project.archived_at = timezone.now()
            site.project.save(update_fields=["archived_at"])
        else:
            site.project.delete()
        writing = InThread(partial(send, writer, *WRITES[write](site)))
        sleep(0.3)  # the write is on its way by now
    answer = writing.result()
    assert answer.status_code == after(end, write, site), answer.content
    if end == "archive":
        assert answer.json()["code"] == "archived"


@pytest.mark.parametrize("place", ["before", "after"])
def test_nothing_goes_beside_a_task_that_went_while_it_waited(as_user, place):
    site = Site()
    move = f"tasks/{site.task.pk}/move/", {place: str(site.other.pk)}
    mover = as_user(site.membership.user)
    with transaction.atomic():
        site.other.delete()
        moving = InThread(partial(send, mover, "post", *move))
        sleep(0.3)
    answer = moving.result()
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][place][0]["code"] == "does_not_exist"


TAKES_STATUS = {
    "make": lambda site: ("post", "tasks/", {"project": str(site.project.pk), "title": "New", "status": "review"}),
    "change": lambda site: ("patch", f"tasks/{site.task.pk}/", {"status": "review"}),
    "move": lambda site: ("post", f"tasks/{site.task.pk}/move/", {"status": "review"}),
    "bulk": lambda site: ("post", "tasks/bulk/", {"ids": [str(site.task.pk)], "set": {"status": "review"}}),
    "import": lambda site: ("post", f"projects/{site.project.pk}/import/", {"data": "title,state\nNew,review\n"}),
}


def agrees(status, answer, taken):
    """Whether a status became one of `done`, and the task that took it is completed; or neither is so."""
    assert (taken.status_code, answer.status_code) in {(201, 200), (200, 200), (201, 409), (200, 409)}
    return (answer.status_code == 200) == (status.tasks.get().completed_at is not None)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize("take", TAKES_STATUS)
def test_a_task_that_waits_while_its_status_becomes_done_is_completed(as_user, take):
    site = Site("owner")
    status = StatusFactory(project=site.project, slug="review", category="in_progress")
    taker, owner = as_user(site.membership.user), as_user(site.owner)
    with transaction.atomic():
        Board.locked(site.project.pk)
        Stream.objects.select_for_update().get(pk=site.project.pk)
        taking = InThread(partial(send, taker, *TAKES_STATUS[take](site)))
        sleep(0.3)
        changed = owner.patch(f"{API}statuses/{status.pk}/", {"category": "done"})
    assert changed.status_code == 200
    assert agrees(status, changed, taking.result())


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize("take", TAKES_STATUS)
def test_a_task_that_waits_behind_its_status_becoming_done_is_completed(as_user, take):
    site = Site("owner")
    status = StatusFactory(project=site.project, slug="review", category="in_progress")
    taker, owner = as_user(site.membership.user), as_user(site.owner)
    with transaction.atomic():
        Stream.objects.select_for_update().get(pk=site.project.pk)
        changing = InThread(partial(owner.patch, f"{API}statuses/{status.pk}/", {"category": "done"}))
        sleep(0.3)
        taking = InThread(partial(send, taker, *TAKES_STATUS[take](site)))
        sleep(0.3)
    assert agrees(status, changing.result(), taking.result())


@pytest.mark.parametrize("take", TAKES_STATUS)
def test_a_status_that_is_taken_while_it_becomes_done_does_not(as_user, take):
    site = Site("owner")
    status = StatusFactory(project=site.project, slug="review", category="in_progress")
    taker, owner = as_user(site.membership.user), as_user(site.owner)
    with dawdling(Status, "refuse_if_used") as checked:
        changing = InThread(partial(owner.patch, f"{API}statuses/{status.pk}/", {"category": "done"}))
        assert checked.wait(10)
        taken = send(taker, *TAKES_STATUS[take](site))
        assert agrees(status, changing.result(), taken)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize("sent", [{}, {"id": str(uuid4())}], ids=["without an id", "with one"])
def test_a_new_task_waits_for_what_it_names_before_it_locks_the_board(as_user, sent):
    """All writers lock in one order, or two would wait for each other."""
    site = Site()
    writer = as_user(site.membership.user)
    body = {"project": str(site.project.pk), "title": "New", "labels": [str(site.label.pk)], **sent}
    with transaction.atomic():
        assert Label.objects.filter(pk=site.label.pk).locked().get()
        making = InThread(partial(send, writer, "post", "tasks/", body))
        sleep(0.3)
        assert making.is_alive()
        assert Board.objects.select_for_update(nowait=True).get(pk=site.project.pk)
    assert making.result().status_code == 201


NAMES = {
    "a label": lambda site: (site.label, {"labels": [str(site.label.pk)]}),
    "a member": lambda site: (site.membership, {"assignees": [str(site.membership.user_id)]}),
}
CHANGES = {
    "change": lambda site, values: ("patch", f"tasks/{site.task.pk}/", values),
    "change by key": lambda site, values: ("patch", f"tasks/{site.task.key}/", values),
    "bulk": lambda site, values: ("post", "tasks/bulk/", {"ids": [str(site.task.pk)], "set": values}),
}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_change_waits_for_what_it_names_before_it_locks_the_task(as_user, name, change):
    """Who takes it off its tasks locks it first, too: or the two would wait for each other."""
    site = Site()
    writer, (named, values) = as_user(site.owner), NAMES[name](site)
    with transaction.atomic():
        named.lock()
        changing = InThread(partial(send, writer, *CHANGES[change](site, values)))
        until_somebody_waits()
        assert Task.objects.select_for_update(nowait=True).get(pk=site.task.pk)
    assert changing.result().status_code == 200


IN_A_PROJECT = {
    "a membership": lambda site: site.membership,
    "a status": lambda site: site.project.statuses.first(),
    "a label": lambda site: site.label,
    "a task": lambda site: site.task,
    "a relation": lambda site: site.relation,
    "a comment": lambda site: site.comment,
    "the board": lambda site: Board(site.project.pk),
}
DELETIONS = {
    "a project": lambda site: ("delete", f"projects/{site.project.pk}/", None),
    "a task": lambda site: ("delete", f"tasks/{site.task.pk}/", None),
    "tasks": lambda site: ("post", "tasks/bulk/", {"ids": [site.task.pk], "delete": True}),
}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize(
    ("gone", "held"), [*product(["a project"], IN_A_PROJECT), *product(DELETIONS, ["a relation", "a comment"])]
)
def test_a_deletion_waits_for_the_writers_of_what_goes_before_it_locks_the_log(as_user, gone, held):
    """They hold what they write, and wait for the log."""
    site = Site()
    owner, row = as_user(site.owner), IN_A_PROJECT[held](site)
    with transaction.atomic():
        assert QuerySet(type(row)).select_for_update(no_key=True).get(pk=row.pk)
        deleting = InThread(partial(send, owner, *DELETIONS[gone](site)))
        until_somebody_waits()
        assert Stream.objects.select_for_update(nowait=True).get(pk=site.project.pk)
    assert deleting.result().status_code in {200, 204}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
@pytest.mark.parametrize("path", [lambda site: f"projects/{site.project.pk}/", lambda site: f"tasks/{site.task.pk}/"])
@pytest.mark.parametrize(
    "late", [lambda site: CommentFactory(task=site.task), lambda site: LabelFactory(project=site.project)]
)
def test_what_is_made_while_a_deletion_waits_for_the_log_goes_too(as_user, path, late):
    site = Site()
    owner = as_user(site.owner)
    with patch("tickethub.transactions.ATTEMPTS", 1):
        with transaction.atomic():
            late(site)
            deleting = InThread(partial(send, owner, "delete", path(site), None))
            until_somebody_waits()
        assert deleting.result().status_code == 204


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
def test_a_move_that_needs_room_holds_no_board_while_it_waits_for_the_tasks_around(as_user, monkeypatch):
    """Who moves one of them holds it, and waits for the board."""
    site = Site()
    monkeypatch.setattr(Board, "LONGEST_POSITION", 10)  # so that there is no room between two
    mover, neighbour = TaskFactory(project=site.project), site.other
    client = as_user(site.owner)
    with transaction.atomic():
        neighbour.lock()
        moving = InThread(partial(client.post, f"{API}tasks/{mover.pk}/move/", {"after": str(site.task.pk)}))
        until_somebody_waits()
        assert Board.objects.select_for_update(nowait=True).get(pk=site.project.pk)
    assert moving.result().status_code == 200
    order = site.project.tasks.order_by("position").values_list("pk", flat=True)
    assert list(order) == [site.task.pk, mover.pk, neighbour.pk]


def close_account(user):
    user.is_active = False
    user.save(update_fields=["is_active"])


def test_a_project_is_not_made_by_an_account_that_closes_meanwhile(as_user):
    user = UserFactory()
    client = as_user(user)
    with transaction.atomic():
        close_account(user)
        writing = InThread(partial(client.post, f"{API}projects/", {"key": "NEW", "name": "New"}))
        sleep(0.3)
    assert writing.result().status_code == 401
    assert not Project.objects.exists()


def test_an_account_with_a_project_in_the_making_closes_after_it_and_then_does_not(as_user):
    user, making = UserFactory(), Event()
    client, closing = as_user(user), as_user(user)
    make = Project.make_default_statuses

    def make_and_dawdle(project):
        make(project)
        making.set()
        sleep(0.3)

    with patch.object(Project, "make_default_statuses", make_and_dawdle):
        writing = InThread(partial(client.post, f"{API}projects/", {"key": "NEW", "name": "New"}))
        assert making.wait(10)
        closed = closing.delete(f"{API}users/me/")
    assert writing.result().status_code == 201
    assert (closed.status_code, closed.json()["code"]) == (409, "last_owner")


@pytest.mark.parametrize(("end", "status"), [("archive", 409), ("close", 401)])
def test_nobody_is_let_in_by_what_ends_meanwhile(as_user, end, status):
    project, guest = ProjectFactory(owner=UserFactory()), UserFactory()
    token = InvitationFactory(project=project, email=guest.email).token
    client = as_user(guest)
    with transaction.atomic():
        if end == "archive":
            project.archived_at = timezone.now()
            project.save(update_fields=["archived_at"])
        else:
            close_account(guest)
        writing = InThread(partial(client.post, f"{API}invitations/accept/", {"token": token}))
        until_somebody_waits()
    assert writing.result().status_code == status
    assert not project.memberships.filter(user=guest).exists()


@pytest.mark.parametrize(("method", "body"), [("delete", {}), ("patch", {"role": "admin"})])
def test_an_owner_who_is_removed_meanwhile_is_not_told_of_the_last_owner(as_user, method, body):
    project = ProjectFactory(owner=UserFactory())
    one, two = project.memberships.get(), MembershipFactory(project=project, role="owner")
    client = as_user(one.user)
    with transaction.atomic():
        project.lock()
        writing = InThread(partial(send, client, method, f"memberships/{two.pk}/", body))
        until_somebody_waits()
        one.delete()
    assert writing.result().status_code == 404
    assert project.memberships.get() == two
