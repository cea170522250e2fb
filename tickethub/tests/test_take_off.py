"""What goes off all the tasks that have it, a person who leaves or a label, goes in as many queries for many tasks."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.tests.factories import LabelFactory, MembershipFactory
from realtime.models import Event
from tasks.models import Task
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)  # the log tells one change of each object in a transaction


def member_with_tasks(count):
    membership = MembershipFactory()
    for task in TaskFactory.create_batch(count, project=membership.project):
        task.assignees.add(membership.user, MembershipFactory(project=membership.project).user)
    return membership


def label_with_tasks(count):
    label = LabelFactory()
    for task in TaskFactory.create_batch(count, project=label.project):
        task.labels.add(label, LabelFactory(project=label.project))
    return label


WAYS = {
    "a member leaves": (member_with_tasks, lambda thing: thing.delete(), "assignees"),
    "a label is deleted": (label_with_tasks, lambda thing: thing.delete(), "labels"),
    "a label is cleared": (label_with_tasks, lambda thing: thing.tasks.clear(), "labels"),
    "a person's tasks are cleared": (member_with_tasks, lambda thing: thing.user.assigned_tasks.clear(), "assignees"),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    return request.param


def test_it_takes_as_many_queries_for_thirty_tasks_as_for_one(way):
    make, go, _ = way
    found = []
    for count in (1, 30):
        thing = make(count)
        with CaptureQueriesContext(connection) as queries:
            go(thing)
        found.append(len(queries))
    assert found[0] == found[1]


def test_each_task_keeps_what_else_it_has_and_changes_once(way):
    make, go, name = way
    thing, attribute = make(3), f"{name[:-1]}_ids"
    bystander = TaskFactory(project=thing.project)
    before = {task.pk: task for task in Task.objects.filter(project=thing.project).with_all_shown()}
    head = Event.objects.of(thing.project.pk).last().seq
    go(thing)
    events = list(Event.objects.of(thing.project.pk).filter(seq__gt=head, type="task.updated"))
    told = {event.object_id: event for event in events}
    after = Task.objects.filter(project=thing.project).with_all_shown()
    assert len(events) == len(told)
    assert told.keys() == before.keys() - {bystander.pk}
    for task in after.exclude(pk=bystander.pk):
        had, has = getattr(before[task.pk], attribute), getattr(task, attribute)
        assert (len(had), len(has)) == (2, 1)
        assert task.version == before[task.pk].version + 1
        assert told[task.pk].changes[name] == [had, has]
        assert told[task.pk].object["version"] == task.version
    assert after.get(pk=bystander.pk).version == before[bystander.pk].version
