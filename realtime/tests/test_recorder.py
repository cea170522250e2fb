"""The log is written with every change, whatever path it came by."""

from contextlib import contextmanager

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Label, Membership, Project, Role, Status
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Event, Stream
from realtime.recorder import Ledger
from realtime.tests.replica import Watch
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory

# Within one transaction, changes of one object are one event: what a test prepares has to be committed first.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="AB", owner=ada)


@pytest.fixture
def task(project, ada):
    return TaskFactory(project=project, created_by=ada)


def test_a_new_project_is_told_with_its_statuses():
    with Watch() as watch:
        Project.objects.create(key="NEW", name="New")
    assert watch.types == ["project.created"] + ["status.created"] * 6
    assert [event.seq for event in watch.events] == list(range(1, 8))


WRITES = {
    "save": (lambda task: task.save(), ["task.updated"]),
    "save of a field": (lambda task: Task.objects.filter(pk=task.pk).update(title="New"), ["task.updated"]),
    "update of none": (lambda task: Task.objects.none().update(title="New"), []),
    "update of many": (
        lambda task: [TaskFactory(project=task.project), task.project.tasks.update(priority=3)],
        ["task.created", "task.updated", "task.updated"],
    ),
    "bulk_update": (
        lambda task: [setattr(task, "title", "New"), Task.objects.bulk_update([task], ["title"])],
        ["task.updated"],
    ),
    "bulk_create": (
        lambda task: Label.objects.bulk_create([Label(project=task.project, name=name) for name in "ab"]),
        ["label.created", "label.created"],
    ),
    "get_or_create": (lambda task: task.project.labels.get_or_create(name="a"), ["label.created"]),
    "update_or_create": (
        lambda task: [
            task.project.labels.update_or_create(name="a", defaults={"color": c}) for c in ("#000000", "#ffffff")
        ],
        ["label.created", "label.updated"],
    ),
    "save that changes nothing": (lambda task: task.project.statuses.first().save(), []),
    "assigning": (lambda task: task.assignees.add(task.created_by), ["task.updated"]),
    "assigning from the far side": (lambda task: task.created_by.assigned_tasks.add(task), ["task.updated"]),
    "setting labels": (
        lambda task: task.labels.set([LabelFactory(project=task.project)]),
        ["label.created", "task.updated"],
    ),
    "clearing labels": (
        lambda task: [task.labels.add(LabelFactory(project=task.project)), task.labels.clear()],
        ["label.created", "task.updated", "task.updated"],
    ),
    "clearing from the far side": (
        lambda task: [task.assignees.add(task.created_by), task.created_by.assigned_tasks.clear()],
        ["task.updated", "task.updated"],
    ),
    "deleting": (lambda task: task.delete(), ["task.deleted"]),
    "deleting many": (
        lambda task: [TaskFactory(project=task.project), task.project.tasks.all().delete()],
        ["task.created", "task.deleted", "task.deleted"],
    ),
    "deleting a project": (
        lambda task: [CommentFactory(task=task), task.project.delete()],
        ["comment.created", "project.deleted"],
    ),
    "deleting projects": (lambda task: Project.objects.all().delete(), ["project.deleted"]),
    "deleting a label": (
        lambda task: [task.labels.add(LabelFactory(project=task.project)), Label.objects.get().delete()],
        ["label.created", "task.updated", "task.updated", "label.deleted"],
    ),
    "removing a member": (
        lambda task: [task.assignees.add(task.created_by), Membership.objects.get().delete()],
        ["task.updated", "task.updated", "membership.deleted"],
    ),
    "renaming a person": (
        lambda task: [setattr(task.created_by, "username", "eva"), task.created_by.save()],
        ["membership.updated"],
    ),
    "moving": (lambda task: task.move(status=task.project.statuses.get(slug="done")), ["task.updated"]),
    "another default": (
        lambda task: StatusFactory(project=task.project, is_default=True),
        ["status.updated", "status.created"],
    ),
    "commenting": (lambda task: CommentFactory(task=task).edit("Better"), ["comment.created", "comment.updated"]),
    "relating": (
        lambda task: TaskRelationFactory(source=task).delete(),
        ["task.created", "relation.created", "relation.deleted"],
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_every_way_to_write_is_told(name, task):
    write, types = WRITES[name]
    with Watch() as watch:
        write(task)
    assert watch.types == types


def test_deleting_a_task_stands_for_what_hung_on_it_and_changes_its_children(task):
    CommentFactory(task=task)
    TaskRelationFactory(source=task)
    child = TaskFactory(project=task.project, parent=task)
    pk = str(task.pk)
    with Watch() as watch:
        task.delete()
    assert watch.types == ["task.updated", "task.deleted"]
    assert watch.events[0].object_id == child.pk
    assert watch.events[0].changes == {"parent": [pk, None]}
    assert not Comment.objects.exists()
    assert not TaskRelation.objects.exists()


def test_the_deletion_of_a_project_is_the_last_of_its_events(task):
    TaskFactory(project=task.project, parent=task)
    with Watch() as watch:
        task.project.delete()
    assert watch.types == ["project.deleted"]


def test_the_deletion_of_a_project_that_is_taken_back_silences_nothing(task):
    with Watch() as watch, transaction.atomic():
        Task.objects.filter(pk=task.pk).update(title="First")
        rolled_back(Project.objects.get(pk=task.project_id).delete)
        Task.objects.filter(pk=task.pk).update(title="Then")
        LabelFactory(project=task.project)
    assert watch.types == ["task.updated", "label.created"]
    assert watch.events[0].object["title"] == "Then"
    assert contiguous(task.project)


def test_changes_of_one_transaction_to_one_object_are_one_event(task, ada):
    with Watch() as watch, transaction.atomic():
        task.title = "New"
        task.save()
        task.assignees.add(ada)
        task.move(status=task.project.statuses.get(slug="done"))
    [event] = watch.events
    assert set(event.changes) == {"title", "assignees", "status", "position"}
    assert event.changes["status"] == ["todo", "done"]
    assert event.object["version"] == task.version


def test_what_is_made_and_changed_at_once_is_one_creation(project):
    with Watch() as watch, transaction.atomic():
        task = TaskFactory(project=project)
        task.labels.add(LabelFactory(project=project))
    assert watch.types == ["task.created", "label.created"]
    assert watch.events[0].changes == {}


def test_a_change_that_is_taken_back_leaves_no_trace_in_changes(task):
    with Watch() as watch, transaction.atomic():
        was = task.title
        for title in ("Other", was):
            task.title = title
            task.save()
    assert watch.events[0].changes == {}


class Abort(Exception):
    pass


def rolled_back(write, *args, **kwargs):
    """Do what is given in a transaction, or a savepoint, and take it back."""
    try:
        with transaction.atomic():
            write(*args, **kwargs)
            raise Abort
    except Abort:
        pass


def test_a_savepoint_rolled_back_takes_its_event_along_and_leaves_no_gap(task):
    with Watch() as watch, transaction.atomic():
        rolled_back(Task.objects.filter(pk=task.pk).update, title="Never")
        Task.objects.filter(pk=task.pk).update(priority=4)
        LabelFactory(project=task.project)
    assert watch.types == ["task.updated", "label.created"]
    assert watch.events[0].changes == {"priority": ["none", "urgent"]}
    assert contiguous(task.project)


def test_a_change_made_again_after_its_savepoint_was_rolled_back_is_told(project):
    label = LabelFactory(project=project, name="old")
    with Watch() as watch, transaction.atomic():
        LabelFactory(project=project, name="other")
        rolled_back(Label.objects.filter(pk=label.pk).update, name="new")
        Label.objects.filter(pk=label.pk).update(name="new")
    assert watch.types == ["label.created", "label.updated"]
    assert watch.events[1].changes == {"name": ["old", "new"]}
    assert contiguous(project)


def test_an_event_that_was_amended_in_a_savepoint_rolled_back_is_amended_again(project):
    label = Label.objects.filter(pk=LabelFactory(project=project, name="old").pk)
    with Watch() as watch, transaction.atomic():
        label.update(name="first")
        rolled_back(label.update, name="second")
        label.update(name="second")
    [event] = watch.events
    assert event.object["name"] == "second"
    assert event.changes == {"name": ["old", "second"]}


@contextmanager
def taken_back_by_hand():
    """What is done meanwhile is rolled back by a savepoint that is no block."""
    savepoint = transaction.savepoint_create()
    yield
    transaction.savepoint_rollback(savepoint)


def rename(row, name):
    """Save a row itself: an update of many sets a savepoint of its own."""
    row.name = name
    row.save(update_fields=["name"])


def test_what_a_savepoint_set_by_hand_takes_back_is_told_when_it_is_done_again(project):
    status = project.statuses.first()
    with Watch() as watch, transaction.atomic():
        with taken_back_by_hand():
            rename(status, "Taken back")
        rename(status, "First")
        with taken_back_by_hand():
            rename(status, "Last")
        rename(status, "Last")
    assert [event.changes for event in watch.events] == [{"name": ["Backlog", "Last"]}]


def test_a_deletion_that_a_savepoint_set_by_hand_takes_back_silences_nothing(project):
    label = LabelFactory(project=project, name="old")
    with Watch() as watch, transaction.atomic():
        with taken_back_by_hand():
            Project.objects.get(pk=project.pk).delete()
        rename(label, "new")
        with taken_back_by_hand():
            Label.objects.get(pk=label.pk).delete()
        rename(label, "newest")
    assert [event.changes for event in watch.events] == [{"name": ["old", "new"]}, {"name": ["new", "newest"]}]


def test_a_row_deleted_and_made_again_is_told_as_both(project):
    label = LabelFactory(project=project, name="old")
    with Watch() as watch, transaction.atomic():
        pk = label.pk
        label.delete()
        Label.objects.create(pk=pk, project=project, name="new")
        Label.objects.filter(pk=pk).update(color="#123456")
    assert watch.types == ["label.deleted", "label.created"]
    assert watch.events[1].object["color"] == "#123456"
    assert watch.events[1].changes == {}


def test_people_changed_in_bulk_are_told_by_their_memberships(project, ada):
    with Watch() as watch:
        User.objects.filter(pk=ada.pk).update(first_name="Augusta")
        ada.last_name = "King"
        User.objects.bulk_update([ada], ["last_name"])
    assert watch.types == ["membership.updated"] * 2
    assert watch.events[1].object["user"]["last_name"] == "King"


def test_a_transaction_rolled_back_gives_its_number_again(project):
    head = Stream.objects.get(pk=project.pk).head
    rolled_back(LabelFactory, project=project)
    LabelFactory(project=project)
    assert Stream.objects.get(pk=project.pk).head == head + 1
    assert contiguous(project)


def contiguous(project):
    numbers = list(Event.objects.of(project.pk).values_list("seq", flat=True))
    return numbers == list(range(1, len(numbers) + 1))


def test_a_write_outside_a_transaction_is_refused():
    assert not connection.in_atomic_block
    with pytest.raises(RuntimeError, match="outside a transaction"):
        Ledger.current()


def test_a_stale_instance_is_told_as_the_database_holds_it(task):
    stale = Task.objects.get(pk=task.pk)
    Task.objects.filter(pk=task.pk).update(title="Fresh")
    with Watch() as watch:
        stale.priority = Task.Priority.HIGH
        stale.save(update_fields=["priority"])
    assert watch.events[0].object["title"] == "Fresh"
    assert watch.events[0].object["version"] == 3
    assert watch.events[0].changes == {"priority": ["none", "high"]}


def test_a_password_or_a_login_is_told_to_nobody(project, ada):
    with Watch() as watch:
        ada.set_password("another long word")
        ada.save()
        ada.last_login = ada.date_joined
        ada.save(update_fields=["last_login"])
    assert watch.types == []


def test_events_outlive_what_they_tell_of(task):
    pk, project_id = task.pk, task.project_id
    task.project.delete()
    assert Event.objects.filter(object_id=pk).exists()
    assert Event.objects.of(project_id).last().type == "project.deleted"


def test_an_event_outside_a_request_has_no_actor(task):
    event = Event.objects.of(task.project_id).last()
    assert (event.actor_id, event.request_id) == (None, None)


def test_a_membership_event_knows_whom_it_is_about(project, ada):
    Membership.objects.get().delete()
    assert Event.objects.of(project.pk).last().user_id == ada.pk


def test_statuses_that_break_the_rules_write_nothing(project):
    with Watch() as watch:
        with pytest.raises(IntegrityError), transaction.atomic():
            Status.objects.create(project=project, slug="todo", name="Again", category="todo")
        with pytest.raises(IntegrityError), transaction.atomic():
            MembershipFactory(project=project, user=Membership.objects.get().user, role=Role.VIEWER)
    assert watch.types == []


def test_two_requests_make_two_events_of_one_object(as_user, ada, task):
    client = as_user(ada)
    with Watch() as watch:
        for title in ("One", "Two"):
            client.patch(f"/api/v1/tasks/{task.pk}/", {"title": title}, headers={"X-Request-ID": f"req-{title}"})
    assert watch.types == ["task.updated", "task.updated"]
    assert [event.request_id for event in watch.events] == ["req-One", "req-Two"]
    assert {event.actor_id for event in watch.events} == {ada.pk}


def test_a_refused_request_writes_nothing(as_user, ada, task):
    client = as_user(ada)
    with Watch() as watch:
        answer = client.post(
            "/api/v1/tasks/bulk/", {"ids": [str(task.pk)], "set": {"priority": "high", "status": "nowhere"}}
        )
    assert answer.status_code == 400
    assert watch.types == []


def test_what_a_row_belongs_to_and_its_name_are_fixed(project, task, ada):
    """Else who was a member would go on hearing, and who holds a copy of the project would keep what left it."""
    other, bruno = TaskFactory(number=7), UserFactory()
    CommentFactory(task=task)
    for rows, values in [
        (project.memberships, {"user": bruno}),
        (project.memberships, {"project": other.project}),
        (Label.objects.filter(pk=LabelFactory(project=project).pk), {"project": other.project}),
        (task.comments, {"task": other}),
        (project.statuses.filter(pk=task.status_id), {"slug": "another"}),
        (Project.objects.filter(pk=project.pk), {"key": "OTHER"}),
    ]:
        with Watch() as watch, pytest.raises(ValueError, match="fixed"):
            rows.update(**values)
        assert watch.types == []
    User.objects.filter(pk=ada.pk).update(first_name="New")  # who it is stays
