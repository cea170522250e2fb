"""All writers lock in one order, or two would wait for each other. SQLite has one writer, and locks no rows."""

from functools import partial
from itertools import product
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from comments.tests.factories import CommentFactory
from projects.models import Label
from projects.tests.factories import LabelFactory
from realtime.models import Stream
from tasks.board import Board
from tasks.models import Task
from tasks.tests.factories import TaskFactory
from tickethub.tests.two_writers import API, NAMES, InThread, Site, send, until_somebody_waits

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows"),
]


@pytest.mark.parametrize("sent", [{}, {"id": str(uuid4())}], ids=["without an id", "with one"])
def test_a_new_task_waits_for_what_it_names_before_it_locks_the_board(as_user, sent):
    site = Site()
    writer = as_user(site.membership.user)
    body = {"project": str(site.project.pk), "title": "New", "labels": [str(site.label.pk)], **sent}
    with transaction.atomic():
        assert Label.objects.filter(pk=site.label.pk).locked().get()
        making = InThread(partial(send, writer, "post", "tasks/", body))
        until_somebody_waits()
        assert Board.objects.select_for_update(nowait=True).get(pk=site.project.pk)
    assert making.result().status_code == 201


CHANGES = {
    "change": lambda site, values: ("patch", f"tasks/{site.task.pk}/", values),
    "change by key": lambda site, values: ("patch", f"tasks/{site.task.key}/", values),
    "bulk": lambda site, values: ("post", "tasks/bulk/", {"ids": [str(site.task.pk)], "set": values}),
}


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
