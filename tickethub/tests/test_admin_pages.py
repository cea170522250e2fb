"""The admin's own pages: what goes on, and what the log tells of an object."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk
from comments.tests.factories import CommentFactory
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from tasks.models import Task
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.admin import MOST, Site

pytestmark = pytest.mark.django_db
MOST_QUERIES = 8


@pytest.fixture
def desk():
    return Desk()


def index(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(MOST_QUERIES):
        return client.get(reverse("admin:index"))


def age(task, days):
    Task.objects.filter(pk=task.pk).update(created_at=timezone.now() - timedelta(days))


def test_open_tasks_are_counted_by_status_and_age(desk, django_assert_max_num_queries):
    project = ProjectFactory()
    statuses = {status.category: status for status in project.statuses.all()}
    for category, days in [("todo", 0), ("todo", 6), ("todo", 8), ("in_progress", 100), ("todo", 366), ("done", 1)]:
        age(TaskFactory(project=project, status=statuses[category]), days)
    page = index(desk.client, django_assert_max_num_queries)
    assert page.context["ages"] == ["up to a week", "up to a month", "up to a quarter", "up to a year", "older"]
    assert page.context["open_tasks"] == [("Todo", [2, 1, 0, 0, 1], 4), ("In Progress", [0, 0, 0, 1, 0], 1)]
    assert "In Progress" in page.text


def test_projects_are_named_by_how_much_changes_in_them(desk, django_assert_max_num_queries):
    quiet, busy = ProjectFactory(name="Quiet"), ProjectFactory(name="Busy")
    TaskFactory.create_batch(3, project=busy)
    gone = ProjectFactory(name="Gone")
    TaskFactory.create_batch(5, project=gone)
    gone.delete()
    page = index(desk.client, django_assert_max_num_queries)
    (first, most), (second, fewer) = page.context["busiest"]
    assert (first, second) == (busy, quiet)
    assert most == fewer + 3
    assert "Busy" in page.text
    assert "Gone" not in page.text


def test_an_empty_installation_has_a_dashboard_too(desk, django_assert_max_num_queries):
    page = index(desk.client, django_assert_max_num_queries)
    assert "Nothing is open." in page.text
    assert "Nothing has changed yet." in page.text


@pytest.mark.parametrize("name", ["index", "login", "tasks_task_add", "tasks_task_changelist"])
def test_pages_of_the_admin_have_our_icon(desk, name):
    client = Client() if name == "login" else desk.client
    page = client.get(reverse(f"admin:{name}")).content.decode()
    assert page.count('<link rel="icon" href="/static/tickethub/icon.svg" type="image/svg+xml">') == 1


def test_staff_see_of_it_what_they_may_view():
    TaskFactory(project__name="Not for all")
    staff, client = UserFactory(is_staff=True), Client()
    client.force_login(staff)
    assert "Open tasks" not in client.get(reverse("admin:index")).text
    staff.user_permissions.add(Permission.objects.get(codename="view_task"))
    page = client.get(reverse("admin:index")).text
    assert "Open tasks" in page
    assert "Not for all" not in page


def history(desk, obj):
    with CaptureQueriesContext(connection) as queries:
        page = desk.open(obj, "history")
    assert len(queries) <= MOST_QUERIES, len(queries)
    return page, [(told.event.type, told.event.object_id) for told in page.context["changes"] or []]


def test_the_history_of_a_task_is_that_of_all_that_hangs_on_it(desk, as_user):
    task = TaskFactory(title="Before")
    member = MembershipFactory(project=task.project).user
    as_user(member).patch(f"/api/v1/tasks/{task.pk}/", {"title": "<b>After</b>"})
    comment, relation = CommentFactory(task=task), TaskRelationFactory(target=task)
    page, events = history(desk, task)
    assert events[:2] == [("relation.created", relation.pk), ("comment.created", comment.pk)]
    assert events[2:] == [("task.updated", task.pk), ("task.created", task.pk)]
    assert f"@{member.username}" in page.text
    assert "&lt;b&gt;After&lt;/b&gt;" in page.text
    assert "<b>After</b>" not in page.text


@pytest.mark.parametrize("make", [LabelFactory, MembershipFactory, CommentFactory, TaskRelationFactory])
def test_the_history_of_anything_else_is_its_own(desk, make):
    obj = make()
    make(**({"project": obj.project} if hasattr(type(obj), "user") else {}))
    _, events = history(desk, obj)
    assert [pk for _, pk in events] == [obj.pk]


def test_the_history_of_a_project_is_that_of_what_is_in_it(desk):
    project, label = ProjectFactory(), LabelFactory()
    TaskFactory.create_batch(2, project=project)
    _, events = history(desk, project)
    assert [kind for kind, _ in events[:2]] == ["task.created", "task.created"]
    assert ("project.created", project.pk) in events
    assert label.pk not in {pk for _, pk in events}


def test_a_history_shows_the_newest_changes_alone(desk):
    task = TaskFactory()
    for number in range(MOST):
        Task.objects.filter(pk=task.pk).update(title=f"Title {number}")
        connection.run_on_commit.clear()  # the log tells one change of each object in a transaction
    changes = Site().changes_of(task)
    assert len(changes) == MOST
    assert changes[0].changes == [("title", f"Title {MOST - 2}", f"Title {MOST - 1}")]


def test_a_history_names_people_and_labels(desk):
    task, label = TaskFactory(), LabelFactory(name="Steep")
    members = [MembershipFactory(project=task.project).user for _ in range(2)]
    connection.run_on_commit.clear()
    task.assignees.set(members)
    task.labels.add(LabelFactory(project=task.project, name="Wet"))
    connection.run_on_commit.clear()
    task.labels.clear()
    page, _ = history(desk, task)
    cleared, given = [{field: change for field, *change in told.changes} for told in page.context["changes"][:2]]
    assert cleared == {"labels": ["Wet", "nothing"]}
    assert given["labels"] == ["nothing", "Wet"]
    assert set(given["assignees"][1].split(", ")) == {f"@{user.username}" for user in members}
    assert label.name not in page.text


def test_what_the_log_does_not_tell_of_has_the_admins_own_history(desk):
    page, events = history(desk, desk.user)
    assert page.context["changes"] is None
    assert events == []
    assert "What the log tells" not in page.text


def test_who_may_not_see_the_log_sees_none_of_it():
    label, staff, client = LabelFactory(), UserFactory(is_staff=True), Client()
    staff.user_permissions.add(Permission.objects.get(codename="view_label"))
    client.force_login(staff)
    page = client.get(Desk.url(label, "history"))
    assert page.status_code == 200
    assert "What the log tells" not in page.text
