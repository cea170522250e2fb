"""The demo: that it is believable, the same each time, and told by the log as the API shows it."""

import os
import re
import socket
from collections import Counter
from dataclasses import asdict
from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import User
from comments.models import Comment
from projects.models import Invitation, Label, Membership, Project, Role, Status
from realtime.models import Event, Stream
from realtime.things import THINGS
from tasks.models import Task, TaskRelation
from tickethub.management.demo import filling
from tickethub.management.demo.story import Story, working_days_before

COUNTS = {
    User: 8,
    Project: 3,
    Membership: 18,
    Invitation: 2,
    Status: 19,
    Label: 18,
    Task: 147,
    TaskRelation: 13,
    Comment: 132,
    Event: 986,
}


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker):
    """The demo, committed, for all tests of this file: filling it takes its seconds."""
    with django_db_blocker.unblock():
        filling.fill()
        yield
        call_command("flush", interactive=False, verbosity=0)


in_the_demo = [pytest.mark.usefixtures("demo"), pytest.mark.django_db]


def marked(function):
    for mark in in_the_demo:
        function = mark(function)
    return function


# --- What is in it ---


@marked
def test_the_demo_holds_the_same_each_time():
    assert counts() == COUNTS


def counts():
    return {model: model._base_manager.count() for model in COUNTS}


@marked
def test_every_status_and_priority_is_used_and_most_tasks_say_more_than_a_title():
    tasks = Task.objects.select_related("status", "project")

    for key in ("WEB", "APP", "OPS"):
        used = {task.status.slug for task in tasks if task.project.key == key}
        assert used == {"backlog", "todo", "in-progress", "in-review", "done", "cancelled"}
        assert {task.priority for task in tasks if task.project.key == key} == set(Task.Priority)
    assert sum(bool(task.description) for task in tasks) > 35
    assert Task.objects.exclude(parent=None).count() > 20
    assert Task.objects.exclude(assignees=None).count() > 100
    assert Task.objects.filter(due_date__lt=timezone.now()).exists()
    assert Task.objects.filter(due_date__gt=timezone.now()).count() > 30
    assert set(TaskRelation.objects.values_list("type", flat=True)) == set(TaskRelation.Type)


@marked
def test_each_of_the_people_can_log_in_with_the_password_and_one_is_staff(anonymous):
    for person in filling.logins():
        login = anonymous.post("/api/v1/auth/token/", {"email": person.email, "password": filling.PASSWORD})
        assert login.status_code == 200

    assert len(filling.logins()) == 8
    assert list(User.objects.filter(is_staff=True, is_superuser=True)) == [filling.logins()[0]]


@marked
def test_everybody_named_in_a_comment_is_in_its_project():
    for comment in Comment.objects.select_related("task__project"):
        members = {membership.user.username for membership in comment.project.memberships.select_related("user")}
        left = {"dimitri"} if comment.project.key == "OPS" else set()
        assert set(re.findall(r"(?<![\w`])@(\w+)", comment.body)) <= members | left


# --- What its log tells ---


@marked
def test_the_newest_event_of_everything_is_what_get_gives():
    newest = {}
    for event in Event.objects.order_by("project_id", "seq"):
        newest[event.type.split(".")[0], event.object_id] = event
    rows = {(thing.name, pk) for model, thing in THINGS.items() for pk in model.objects.values_list("pk", flat=True)}

    assert rows == {key for key, event in newest.items() if event.object is not None}
    for model, thing in THINGS.items():
        for pk in model.objects.values_list("pk", flat=True):
            assert newest[thing.name, pk].object == thing.show(pk)


@marked
def test_the_api_gives_what_the_log_tells(as_user):
    ada = User.objects.get(username="ada")
    tasks = as_user(ada).get("/api/v1/tasks/?project=WEB&limit=100").json()["results"]
    events = {event.object_id: event for event in Event.objects.filter(type__startswith="task.").order_by("seq")}

    assert len(tasks) == 49
    for task in tasks:
        event = events[Task.objects.get(pk=task["id"]).pk]
        assert event.object["updated_at"] == task["updated_at"]
        assert event.object["version"] == task["version"]


@marked
def test_the_log_is_whole_and_its_times_go_forward_to_before_today():
    for project in Project.objects.all():
        events = list(Event.objects.of(project.pk))
        times = [event.at for event in events]

        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert Stream.objects.get(pk=project.pk).head == len(events)
        assert times == sorted(times)
        assert times[-1].date() < datetime.now(tz=UTC).date()
        assert (times[-1] - times[0]).days > 55


@marked
def test_rows_are_as_old_as_their_events():
    made = {event.object_id: event.at for event in Event.objects.filter(type__endswith=".created")}

    for model in THINGS:
        for row in model.objects.all():
            assert row.created_at == made[row.pk]
    assert all(user.date_joined < timezone.now() - timezone.timedelta(days=55) for user in User.objects.all())


@marked
def test_everybody_was_allowed_to_do_what_they_did():
    needed = {"task": Role.MEMBER, "comment": Role.MEMBER, "relation": Role.MEMBER, "label": Role.MEMBER}
    for project in Project.objects.all():
        roles = {}
        for event in Event.objects.of(project.pk):
            name, verb = event.type.split(".")
            if event.seq > 10:
                assert roles[event.actor_id].covers(needed.get(name, Role.ADMIN)), event
            if name == "membership":
                roles[event.user_id] = None if verb == "deleted" else Role(event.object["role"])


@marked
def test_each_change_is_one_request_of_one_person():
    actors = {}
    for event in Event.objects.all():
        assert re.fullmatch(r"demo-\d+", event.request_id)
        assert actors.setdefault(event.request_id, event.actor_id) == event.actor_id
    assert min(Counter(actors.values()).values()) > 10
    assert len(set(actors.values())) == 8


# --- The story ---


def test_a_story_is_told_alike_on_every_day():
    monday, saturday = Story(date(2026, 3, 2)), Story(date(2026, 3, 7))

    assert [asdict(step) for step in Story(date(2026, 3, 2)).steps] == [asdict(step) for step in monday.steps]
    assert [step.when for step in saturday.steps] == [step.when for step in monday.steps]


def test_nobody_works_at_the_weekend_or_today():
    days = working_days_before(date(2026, 3, 2))

    assert days[-1] == date(2026, 2, 27)
    assert {day.weekday() for day in days} == {0, 1, 2, 3, 4}


def test_the_clock_goes_on_after_the_story():
    with filling.clock() as time:
        time.now = datetime(2020, 1, 1, tzinfo=UTC)
        assert timezone.now() == time.now
        assert Event._meta.get_field("at").get_default() == time.now

    assert timezone.now().year > 2020


# --- Again ---


@marked
def test_run_again_it_changes_nothing(settings, monkeypatch):
    settings.DEBUG = True
    monkeypatch.setattr(os, "execv", lambda path, arguments: None)
    before = counts()

    call_command("demo", "--port", str(free_port()))

    assert counts() == before


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
