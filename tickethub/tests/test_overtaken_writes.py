"""A write and the checks it rests on are one: who is removed or demoted, or what is archived, is so for all that comes
after it in the log.
"""

from functools import partial
from threading import Event
from time import sleep
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.tests.factories import UserFactory
from projects.models import Project, Status
from projects.tests.factories import InvitationFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Stream
from tasks.board import Board
from tickethub.tests.two_writers import API, InThread, Site, dawdling, send, until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)

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
    writer, request = as_user(site.membership.user), WRITES[write](site)  # before a deletion takes the ids away
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
        writing = InThread(partial(send, writer, *request))
        until_somebody_waits()
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
        until_somebody_waits()
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
        until_somebody_waits()
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
        until_somebody_waits()
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


def close_account(user):
    user.is_active = False
    user.save(update_fields=["is_active"])


def test_a_project_is_not_made_by_an_account_that_closes_meanwhile(as_user):
    user = UserFactory()
    client = as_user(user)
    with transaction.atomic():
        close_account(user)
        writing = InThread(partial(client.post, f"{API}projects/", {"key": "NEW", "name": "New"}))
        until_somebody_waits()
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
