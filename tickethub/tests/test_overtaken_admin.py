"""A write of the admin and the checks it rests on are one, as those of the API are."""

from functools import partial
from time import sleep

import pytest
from django.db import connection, transaction

from accounts.tests.test_admin import Desk, told
from projects.models import Project, Status
from projects.tests.factories import StatusFactory
from realtime.models import Stream
from tasks.models import Task
from tickethub.tests.two_writers import API, NAMES, InThread, Site, dawdling, until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = {
    "change a label": lambda desk, site: desk.save(site.label, name="New"),
    "delete a label": lambda desk, site: desk.delete(site.label),
    "change a task": lambda desk, site: desk.save(site.task, title="New"),
    "complete tasks": lambda desk, site: desk.act("complete", site.task, site.other),
    "change a comment": lambda desk, site: desk.save(site.comment, body="New"),
    "make a status the default": lambda desk, site: desk.act("make_default", site.project.statuses.get(slug="backlog")),
    "change a project": lambda desk, site: desk.save(site.project, name="New"),
    "change a membership": lambda desk, site: desk.save(site.membership, role="viewer"),
}


@pytest.mark.parametrize("write", WRITES)
def test_nothing_changes_after_its_project_was_archived(as_user, write):
    desk, site = Desk(), Site()
    owner = as_user(site.owner)
    site.note_the_log(owner)
    with dawdling(Project, "refuse_if_archived") as checked:
        writing = InThread(partial(WRITES[write], desk, site))
        assert checked.wait(10)
        archived = owner.patch(f"{API}projects/{site.project.pk}/", {"archived": True})
        response = writing.result()
    assert archived.status_code == 200
    assert response.status_code == 302
    is_refused = any("archived" in words for words in told(response))
    events = site.events(owner)
    assert events.pop() == "project.updated"
    assert is_refused == (not events)


def test_who_leaves_meanwhile_is_not_assigned(as_user):
    desk, site = Desk(), Site()
    owner, user = as_user(site.owner), site.membership.user
    page = desk.open(site.task)
    with transaction.atomic():
        site.membership.delete()
        writing = InThread(partial(desk.save, site.task, opened=page, assignees=[str(user.pk)]))
        until_somebody_waits()
    assert "Not members" in str(writing.result().context["errors"])
    assert owner.get(f"{API}tasks/{site.task.pk}/").json()["assignees"] == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
def test_who_is_assigned_meanwhile_leaves_as_an_assignee(as_user):
    desk, site = Desk(), Site()
    owner, user = as_user(site.owner), site.membership.user
    with transaction.atomic():
        Stream.objects.select_for_update().get(pk=site.project.pk)
        writing = InThread(partial(desk.save, site.task, assignees=[str(user.pk)]))
        until_somebody_waits()
        leaving = InThread(partial(owner.delete, f"{API}memberships/{site.membership.pk}/"))
        sleep(0.3)
    assert writing.result().status_code == 302
    assert leaving.result().status_code == 204
    assert owner.get(f"{API}tasks/{site.task.pk}/").json()["assignees"] == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
@pytest.mark.parametrize("name", NAMES)
def test_a_change_waits_for_what_it_names_before_it_locks_the_task(name):
    desk, site = Desk(), Site()
    named, values = NAMES[name](site)
    with transaction.atomic():
        named.lock()
        writing = InThread(partial(desk.save, site.task, **values))
        until_somebody_waits()
        assert Task.objects.select_for_update(nowait=True).get(pk=site.task.pk)
    assert writing.result().status_code == 302


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer, and locks no rows")
def test_a_deletion_of_projects_waits_for_the_writers_of_all_before_it_locks_a_log():
    desk, sites = Desk(), sorted([Site(), Site()], key=lambda site: site.project.pk)
    with transaction.atomic():
        sites[1].task.lock()
        deleting = InThread(partial(desk.delete, *(site.project for site in sites)))
        until_somebody_waits()
        assert Stream.objects.select_for_update(nowait=True).get(pk=sites[0].project.pk)
    assert deleting.result().status_code == 302
    assert not Project.objects.exists()


def test_a_status_that_is_taken_while_it_becomes_done_does_not(as_user):
    desk, site = Desk(), Site()
    owner = as_user(site.owner)
    status = StatusFactory(project=site.project, slug="review", category="in_progress")
    with dawdling(Status, "refuse_if_used") as checked:
        writing = InThread(partial(desk.save, status, category="done"))
        assert checked.wait(10)
        taken = owner.patch(f"{API}tasks/{site.task.pk}/", {"status": "review"})
        writing.result()
    assert taken.status_code == 200
    site.task.refresh_from_db()
    assert (site.task.completed_at is not None) == (Status.objects.get(pk=status.pk).category == "done")
