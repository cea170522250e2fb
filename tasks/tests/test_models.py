"""Tasks by the ORM: what holds whatever path a change comes by."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, RestrictedError

from projects.models import Membership, Project
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from tasks.board import Board
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory


def version(task):
    return Task.objects.get(pk=task.pk).version


@pytest.fixture
def label(project):
    return LabelFactory(project=project)


def grows_by_one(task, change):
    before = version(task)
    change()
    return version(task) == before + 1


def test_a_new_task_has_version_one(task):
    assert task.version == version(task) == 1


def test_each_save_grows_the_version_by_one(task):
    assert grows_by_one(task, task.save)
    assert grows_by_one(task, lambda: task.save(update_fields=["title"]))
    assert task.version == version(task)


def test_two_stale_copies_each_grow_what_the_database_holds(task):
    first, second = (Task.objects.get(pk=task.pk) for _ in range(2))
    first.save(update_fields=["title"])
    second.save(update_fields=["description"])
    assert version(task) == 3


def test_an_update_of_a_queryset_grows_each_version_by_one(project):
    tasks = [TaskFactory(project=project) for _ in range(2)]
    assert project.tasks.update(title="New") == 2
    assert [version(task) for task in tasks] == [2, 2]


RELATED_CHANGES = {
    "a label added": lambda task, label, person: task.labels.add(label),
    "a label added from its side": lambda task, label, person: label.tasks.add(task),
    "labels set": lambda task, label, person: task.labels.set([label]),
    "an assignee added": lambda task, label, person: task.assignees.add(person),
    "an assignee added from their side": lambda task, label, person: person.assigned_tasks.add(task),
}


@pytest.mark.parametrize("change", RELATED_CHANGES.values(), ids=RELATED_CHANGES)
def test_what_is_related_directly_grows_the_version_by_one(task, label, member, change):
    assert grows_by_one(task, lambda: change(task, label, member))


UNRELATED_CHANGES = {
    "a label removed": lambda task, label, person: task.labels.remove(label),
    "a label removed from its side": lambda task, label, person: label.tasks.remove(task),
    "labels cleared": lambda task, label, person: task.labels.clear(),
    "labels set to none": lambda task, label, person: task.labels.set([]),
    "a label's tasks cleared": lambda task, label, person: label.tasks.clear(),
    "a label deleted": lambda task, label, person: label.delete(),
    "labels deleted": lambda task, label, person: task.project.labels.all().delete(),
    "an assignee removed": lambda task, label, person: task.assignees.remove(person),
    "a person's tasks cleared": lambda task, label, person: person.assigned_tasks.clear(),
    "a member removed": lambda task, label, person: Membership.objects.get(project=task.project, user=person).delete(),
}


@pytest.mark.parametrize("change", UNRELATED_CHANGES.values(), ids=UNRELATED_CHANGES)
def test_what_is_unrelated_directly_grows_the_version_by_one(task, label, member, change):
    task.labels.add(label)
    task.assignees.add(member)
    bystander = TaskFactory(project=task.project)
    assert grows_by_one(task, lambda: change(task, label, member))
    assert version(bystander) == 1


NO_CHANGES = {
    "a label added that is there": lambda task, label, person: task.labels.add(label),
    "a label added that is there, from its side": lambda task, label, person: label.tasks.add(task),
    "labels set to what they are": lambda task, label, person: task.labels.set([label]),
    "an assignee removed who is not there": lambda task, label, person: task.assignees.remove(person),
    "a person's tasks cleared who has none": lambda task, label, person: person.assigned_tasks.clear(),
    "assignees cleared where there are none": lambda task, label, person: task.assignees.clear(),
}


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_a_relation_that_stays_as_it_is_leaves_the_version(task, label, member, change):
    task.labels.add(label)
    before = version(task)
    change(task, label, member)
    assert version(task) == before


def test_a_removed_member_loses_the_tasks_of_that_project_alone(task, project, member):
    elsewhere = TaskFactory(project=ProjectFactory(member=member))
    for each in (task, elsewhere):
        each.assignees.add(member)
    Membership.objects.get(project=project, user=member).delete()
    assert list(member.assigned_tasks.all()) == [elsewhere]


def test_memberships_deleted_by_a_queryset_unassign_too(task, project, member):
    task.assignees.add(member)
    project.memberships.filter(user=member).delete()
    assert not task.assignees.exists()


def test_a_task_gets_its_projects_default_status(project):
    LabelFactory(project=project)
    assert TaskFactory(project=project).status.slug == "todo"
    StatusFactory(project=project, name="Inbox", is_default=True)
    assert TaskFactory(project=project).status.slug == "inbox"


def test_completion_follows_the_category_of_the_status(project):
    statuses = {status.slug: status for status in project.statuses.all()}
    shipped = StatusFactory(project=project, name="Shipped", category="done")
    task = TaskFactory(project=project, status=statuses["done"])
    first = task.completed_at
    assert first is not None
    task.status = shipped  # done as well: it was completed when it was
    task.save(update_fields=["status"])
    assert Task.objects.get(pk=task.pk).completed_at == first
    for slug in ("cancelled", "todo"):
        task.status = statuses[slug]
        task.save(update_fields=["status"])
        assert Task.objects.get(pk=task.pk).completed_at is None
    task.project.tasks.update(status=shipped)
    assert Task.objects.get(pk=task.pk).completed_at > first


def test_completion_follows_a_status_that_is_set_by_its_id(project):
    task, done = TaskFactory(project=project), project.statuses.get(slug="done")
    project.tasks.update(status_id=done.pk)
    assert Task.objects.get(pk=task.pk).completed_at is not None


def test_a_save_of_another_field_leaves_completion_alone(project):
    task = TaskFactory(project=project, status=project.statuses.get(slug="done"))
    completed_at = task.completed_at
    task.save(update_fields=["title"])
    task.save()
    assert Task.objects.get(pk=task.pk).completed_at == completed_at


def test_no_two_tasks_of_a_project_share_a_number_or_a_place(project):
    first, second = (TaskFactory(project=project) for _ in range(2))
    for field in ("number", "position"):
        setattr(second, field, getattr(first, field))
        with pytest.raises(IntegrityError), transaction.atomic():
            second.save(update_fields=[field])
        second.refresh_from_db()


def test_the_database_refuses_a_task_that_is_its_own_parent(task):
    task.parent = task
    with pytest.raises(IntegrityError), transaction.atomic():
        task.save()


@pytest.mark.parametrize("turned", [False, True])
def test_the_database_refuses_a_relation_told_twice(task, turned):
    other = TaskFactory(project=task.project)
    TaskRelationFactory(source=task, target=other, type=TaskRelation.Type.BLOCKS)
    pair = {"source": other, "target": task} if turned else {"source": task, "target": other}
    TaskRelationFactory(**pair, type=TaskRelation.Type.RELATES_TO)
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskRelationFactory(**pair, type=TaskRelation.Type.BLOCKS)


def test_the_database_refuses_a_relation_of_a_task_to_itself(task):
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskRelationFactory(source=task, target=task)


def test_a_project_goes_with_its_tasks_and_their_statuses(project, foreign_task):
    parent = TaskFactory(project=project)
    TaskRelationFactory(source=TaskFactory(project=project, parent=parent), target=parent)
    Project.objects.get(pk=project.pk).delete()
    assert list(Task.objects.all()) == [foreign_task]
    assert not TaskRelation.objects.exists()
    assert Board.objects.filter(project=project.pk).count() == 0


def test_people_who_made_tasks_cannot_be_deleted(project, outsider):
    TaskFactory(project=project, created_by=outsider)
    with pytest.raises((ProtectedError, RestrictedError)):
        outsider.delete()


def test_tasks_and_relations_name_themselves(task):
    relation = TaskRelationFactory(source=task, target=TaskFactory(project=task.project, title="Eat"))
    assert str(task) == "PROJ-1 Lay the table"
    assert str(relation) == "PROJ-1 Lay the table blocks PROJ-2 Eat"
    assert relation.project == task.project
    assert str(Board.objects.get(project=task.project)) == f"{task.project_id} at 2"


def test_an_anonymous_user_sees_nothing(task):
    relation = TaskRelationFactory(source=task)
    for model in (Task, type(relation)):
        assert model.objects.exists()
        assert not model.objects.visible_to(AnonymousUser()).exists()


def test_a_membership_made_later_is_no_reason_to_be_seen_before(project, outsider, task):
    assert not Task.objects.visible_to(outsider).exists()
    MembershipFactory(project=project, user=outsider, role="viewer")
    assert list(Task.objects.visible_to(outsider)) == [task]


def test_a_dump_has_a_tasks_assignees_with_the_task_alone(project, member, capsys):
    TaskFactory(project=project).assignees.add(member)
    call_command("dumpdata", "tasks")
    dumped = json.loads(capsys.readouterr().out)
    assert {row["model"] for row in dumped} == {"tasks.board", "tasks.task"}
    assert [row["fields"]["assignees"] for row in dumped if row["model"] == "tasks.task"] == [[str(member.pk)]]
