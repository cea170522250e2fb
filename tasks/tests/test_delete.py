"""DELETE tasks/{id}/: who may, and what goes with it."""

import pytest

from projects.tests.factories import LabelFactory
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory

TASKS = "/api/v1/tasks/"


def url(task):
    return f"{TASKS}{task.pk}/"


def test_a_deleted_task_is_gone(api, task):
    answer = api.delete(url(task))
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(url(task)).status_code == api.delete(url(task)).status_code == 404
    assert api.get(TASKS).json()["count"] == 0


def test_by_key_as_well(api, task):
    assert api.delete(f"{TASKS}{task.key}/").status_code == 204
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    ("who", "whose", "status_code"),
    [
        ("viewer", "viewer", 403),
        ("viewer", "member", 403),
        ("member", "member", 204),
        ("member", "owner", 403),
        ("member", None, 403),
        ("admin", "owner", 204),
        ("admin", None, 204),
        ("owner", "member", 204),
        ("outsider", "member", 404),
        ("outsider", "outsider", 404),
    ],
)
def test_members_delete_their_own_and_admins_all(as_user, request, project, who, whose, status_code):
    task = TaskFactory(project=project, created_by=whose and request.getfixturevalue(whose))
    assert as_user(request.getfixturevalue(who)).delete(url(task)).status_code == status_code
    assert Task.objects.filter(pk=task.pk).exists() == (status_code != 204)


def test_children_stay_and_lose_their_parent_each_with_an_event(api, project, task, member, log):
    children = TaskFactory.create_batch(2, project=project, parent=task)
    grandchild = TaskFactory(project=project, parent=children[0])
    log()
    assert api.delete(url(task)).status_code == 204
    events = log()
    assert sorted((event["type"], event["id"]) for event in events[:2]) == sorted(
        ("task.updated", str(child.pk)) for child in children
    )
    assert (events[2]["type"], events[2]["id"], events[2]["object"]) == ("task.deleted", str(task.pk), None)
    assert len(events) == 3
    for event in events[:2]:
        assert event["changes"] == {"parent": [str(task.pk), None]}
        assert event["object"] == api.get(f"{TASKS}{event['id']}/").json()
        assert (event["object"]["parent"], event["object"]["version"]) == (None, 2)
    assert api.get(url(grandchild)).json()["parent"] == str(children[0].pk)


def test_its_relations_go_silently_and_the_other_tasks_do_not_change(api, task, log):
    other = TaskRelationFactory(source=task).target
    TaskRelationFactory(source=other, target=task, type=TaskRelation.Type.DUPLICATES)
    staying = TaskRelationFactory(source=other)
    log()
    assert api.delete(url(task)).status_code == 204
    assert [event["type"] for event in log()] == ["task.deleted"]
    assert list(TaskRelation.objects.all()) == [staying]
    assert Task.objects.get(pk=other.pk).version == 1


def test_labels_and_people_stay(api, project, task, member):
    label = LabelFactory(project=project)
    task.labels.add(label)
    task.assignees.add(member)
    assert api.delete(url(task)).status_code == 204
    assert list(project.labels.all()) == [label]
    assert project.memberships.filter(user=member).exists()


def test_in_bulk_a_family_goes_with_one_event_each(as_user, owner, project, log):
    """A child that goes too does not first lose its parent: one request makes one event of each object."""
    top = TaskFactory(project=project)
    middle = TaskFactory(project=project, parent=top)
    leaf = TaskFactory(project=project, parent=middle)
    orphan = TaskFactory(project=project, parent=middle)
    log()
    body = {"ids": [str(task.pk) for task in (top, middle, leaf)], "delete": True}
    assert as_user(owner).post(f"{TASKS}bulk/", body).status_code == 204
    events = [(event["type"], event["id"]) for event in log()]
    assert sorted(events) == sorted(
        [*(("task.deleted", str(task.pk)) for task in (top, middle, leaf)), ("task.updated", str(orphan.pk))]
    )


def test_a_circle_that_a_shell_made_can_be_deleted(as_user, owner, project):
    one = TaskFactory(project=project)
    two = TaskFactory(project=project, parent=one)
    Task.objects.filter(pk=one.pk).update(parent=two)
    body = {"ids": [str(one.pk), str(two.pk)], "delete": True}
    assert as_user(owner).post(f"{TASKS}bulk/", body).status_code == 204
    assert not Task.objects.exists()


def test_a_status_whose_last_task_went_can_be_deleted(as_user, owner, project):
    client, status = as_user(owner), project.statuses.get(slug="done")
    task = TaskFactory(project=project, status=status)
    assert client.delete(f"/api/v1/statuses/{status.pk}/").status_code == 409
    assert client.delete(url(task)).status_code == 204
    assert client.delete(f"/api/v1/statuses/{status.pk}/").status_code == 204
