"""What the log tells of writes by REST: one event of each object and request, showing it as GET does right after."""

import itertools

import pytest

from projects.tests.factories import LabelFactory
from tasks.tests.factories import TaskFactory, TaskRelationFactory

API = "/api/v1/"
TASKS = f"{API}tasks/"
EVENT = {"project", "seq", "cursor", "type", "id", "at", "actor", "request_id", "changes", "object"}


@pytest.fixture
def told(api, log, project, member):
    """Make a request as the member and give the events of it, of which each has to be sound."""
    request_ids = (f"request-{number}" for number in itertools.count())

    def told(method, path, body=None):
        log()
        request_id = next(request_ids)
        answer = getattr(api, method)(API + path, body, headers={"X-Request-ID": request_id})
        assert answer.status_code < 300, answer.content
        events = log()
        for event in events:
            assert set(event) == EVENT
            assert event["project"] == str(project.pk)
            assert event["actor"] == str(member.pk)
            assert event["request_id"] == answer["X-Request-ID"] == request_id
        assert len({event["id"] for event in events}) == len(events), "One event of each object."
        return events

    return told


def shown(api, event):
    """What GET gives for the object of an event."""
    return api.get(f"{TASKS}{event['id']}/").json()


def test_making_a_task_with_everything_is_one_event(told, api, project, member):
    parent, label = TaskFactory(project=project), LabelFactory(project=project)
    [event] = told(
        "post",
        "tasks/",
        {
            "project": str(project.pk),
            "title": "New",
            "description": " As it came \r\n",
            "status": "done",
            "priority": "high",
            "assignees": [str(member.pk)],
            "labels": [str(label.pk)],
            "parent": str(parent.pk),
            "due_date": "2030-01-01",
        },
    )
    assert (event["type"], event["changes"]) == ("task.created", {})
    assert event["object"] == shown(api, event)
    assert event["object"]["version"] == 1


@pytest.fixture
def changes(project, member, owner, admin):
    """For each field, what it is made and what it is made then, as events show it."""
    labels = [str(LabelFactory(project=project).pk) for _ in range(2)]
    parents = [str(TaskFactory(project=project).pk) for _ in range(2)]
    return {
        "title": ("One", "Two"),
        "description": ("", " One\n"),
        "status": ("todo", "done"),
        "priority": ("low", "urgent"),
        "assignees": ([str(member.pk)], sorted([str(owner.pk), str(admin.pk)])),
        "labels": (labels[:1], labels),
        "parent": (parents[0], parents[1]),
        "due_date": ("2030-01-01", None),
    }


FIELDS = ["title", "description", "status", "priority", "assignees", "labels", "parent", "due_date"]


@pytest.mark.parametrize("fields", [*([field] for field in FIELDS), FIELDS], ids=[*FIELDS, "all"])
def test_a_change_is_one_event_that_lists_what_changed_and_no_more(told, api, task, changes, fields):
    first = {field: changes[field][0] for field in fields}
    then = {field: changes[field][1] for field in fields}
    api.patch(f"{TASKS}{task.pk}/", first)
    [event] = told("patch", f"tasks/{task.pk}/", then)
    assert (event["type"], event["id"]) == ("task.updated", str(task.pk))
    assert event["changes"] == {field: list(changes[field]) for field in fields}
    assert event["object"] == shown(api, event)


def test_a_change_is_told_of_its_own_fields_though_more_are_sent(told, api, task):
    whole = api.get(f"{TASKS}{task.pk}/").json()
    [event] = told("patch", f"tasks/{task.pk}/", whole | {"title": "New"})
    assert event["changes"] == {"title": ["Lay the table", "New"]}


@pytest.mark.parametrize("body", [{}, {"title": "Lay the table"}, {"labels": []}, {"status": "todo", "parent": None}])
def test_a_patch_that_changes_nothing_is_not_told(told, task, body):
    assert told("patch", f"tasks/{task.pk}/", body) == []


def test_a_retry_is_not_told(told, project):
    body = {"id": "0192f0c0-0000-7000-8000-000000000001", "project": str(project.pk), "title": "Once"}
    assert [event["type"] for event in told("post", "tasks/", body)] == ["task.created"]
    assert told("post", "tasks/", body) == []


def test_a_deletion_is_told_without_the_object(told, task):
    [event] = told("delete", f"tasks/{task.pk}/")
    assert (event["type"], event["id"], event["object"]) == ("task.deleted", str(task.pk), None)


def test_deletions_in_bulk_are_one_event_of_each_task_and_of_each_child_that_stays(told, api, task, project, member):
    child = TaskFactory(project=project, parent=task, created_by=member)
    grandchild = TaskFactory(project=project, parent=child, created_by=member)
    left = TaskFactory(project=project, parent=child)
    TaskRelationFactory(source=task, target=left)
    ids = [str(each.pk) for each in (task, child, grandchild)]
    orphaned, *deleted = told("post", "tasks/bulk/", {"ids": ids, "delete": True})
    assert (orphaned["id"], orphaned["changes"]) == (str(left.pk), {"parent": [str(child.pk), None]})
    assert orphaned["object"] == shown(api, orphaned)
    assert [(event["type"], event["id"], event["object"]) for event in deleted] == [
        ("task.deleted", pk, None) for pk in reversed(ids)
    ]


def test_a_move_is_one_event(told, api, task, project):
    other = TaskFactory(project=project)
    before = shown(api, {"id": str(task.pk)})
    [event] = told("post", f"tasks/{task.pk}/move/", {"status": "done", "after": str(other.pk)})
    assert event["type"] == "task.updated"
    assert event["object"] == shown(api, event)
    assert event["changes"] == {
        "status": ["todo", "done"],
        "position": [before["position"], event["object"]["position"]],
    }


def test_a_change_in_bulk_is_one_event_of_each_task_that_changes(told, api, task, project, changes):
    others = TaskFactory.create_batch(3, project=project, priority=4)
    ids = [str(each.pk) for each in (task, *others)]
    events = told("post", "tasks/bulk/", {"ids": ids, "set": {"priority": "urgent"}})
    assert [event["id"] for event in events] == [str(task.pk)], "The others are urgent already."
    labels = changes["labels"][1]
    events = told("post", "tasks/bulk/", {"ids": ids, "set": {"priority": "low", "labels": labels, "status": "done"}})
    assert {event["id"] for event in events} == set(ids)
    for event in events:
        assert event["type"] == "task.updated"
        assert event["changes"] == {"priority": ["urgent", "low"], "labels": [[], labels], "status": ["todo", "done"]}
        assert event["object"] == shown(api, event)


def test_a_relation_is_told_of_and_its_tasks_are_not(told, api, task, project):
    other = TaskFactory(project=project)
    body = {"source": str(task.pk), "target": str(other.pk), "type": "blocks"}
    [event] = told("post", "relations/", body)
    assert (event["type"], event["changes"]) == ("relation.created", {})
    assert [event["object"]] == api.get(f"{API}relations/").json()["results"]
    [event] = told("delete", f"relations/{event['id']}/")
    assert (event["type"], event["object"], event["changes"]) == ("relation.deleted", None, {})


def test_a_label_is_told_of(told, api, project):
    [event] = told("post", "labels/", {"project": str(project.pk), "name": "bug", "color": "#ff0000"})
    url = f"labels/{event['id']}/"
    assert (event["type"], event["object"]) == ("label.created", api.get(API + url).json())
    [event] = told("patch", url, {"name": "defect"})
    assert (event["type"], event["changes"]) == ("label.updated", {"name": ["bug", "defect"]})
    assert event["object"] == api.get(API + url).json()
    [event] = told("delete", url)
    assert (event["type"], event["object"]) == ("label.deleted", None)


def test_a_deleted_label_comes_off_its_tasks_first_each_told_of(told, api, project):
    label = LabelFactory(project=project)
    tasks = TaskFactory.create_batch(2, project=project)
    for task in tasks:
        task.labels.add(label)
    *changed, deleted = told("delete", f"labels/{label.pk}/")
    assert (deleted["type"], deleted["id"]) == ("label.deleted", str(label.pk))
    assert {event["id"] for event in changed} == {str(task.pk) for task in tasks}
    for event in changed:
        assert (event["type"], event["changes"]) == ("task.updated", {"labels": [[str(label.pk)], []]})
        assert event["object"] == shown(api, event)


def test_a_removed_member_comes_off_their_tasks_first_each_told_of(as_user, owner, member, project, log):
    tasks = TaskFactory.create_batch(2, project=project)
    for task in tasks:
        task.assignees.set([member, owner])
    log()
    client = as_user(owner)
    membership = project.memberships.get(user=member)
    assert client.delete(f"{API}memberships/{membership.pk}/").status_code == 204
    *changed, deleted = log()
    assert (deleted["type"], deleted["id"]) == ("membership.deleted", str(membership.pk))
    assert {event["id"] for event in changed} == {str(task.pk) for task in tasks}
    both, left = sorted([str(member.pk), str(owner.pk)]), [str(owner.pk)]
    for event in changed:
        assert (event["type"], event["changes"]) == ("task.updated", {"assignees": [both, left]})
        assert event["object"] == shown(client, event)
        assert event["actor"] == str(owner.pk)


def test_a_completed_task_shows_when_in_the_object_and_not_among_the_changes(told, task):
    [event] = told("patch", f"tasks/{task.pk}/", {"status": "done"})
    assert event["changes"] == {"status": ["todo", "done"]}
    assert event["object"]["completed_at"] is not None


def test_numbers_of_events_have_no_gap_though_requests_were_refused(told, api, task, project):
    first = told("patch", f"tasks/{task.pk}/", {"title": "One"})[0]["seq"]
    assert api.patch(f"{TASKS}{task.pk}/", {"title": ""}).status_code == 400
    assert api.post(f"{TASKS}bulk/", {"ids": [str(task.pk)], "set": {"status": "nowhere"}}).status_code == 400
    assert api.delete(f"{TASKS}{task.pk}/", headers={"If-Match": '"9"'}).status_code == 412
    assert told("patch", f"tasks/{task.pk}/", {"title": "Two"})[0]["seq"] == first + 1


def test_what_a_shell_does_is_told_without_actor_and_request(log, task, project):
    other = TaskFactory(project=project)
    log()
    TaskRelationFactory(source=task, target=other)
    [event] = log()
    assert (event["type"], event["actor"], event["request_id"]) == ("relation.created", None, None)


def test_the_history_of_a_task_is_its_own_and_its_relations(told, api, task, project):
    relation = TaskRelationFactory(source=TaskFactory(project=project), target=task)
    api.patch(f"{TASKS}{task.pk}/", {"title": "New"})
    answer = api.get(f"{API}events/", {"project": project.key, "task": task.key})
    assert [(event["type"], event["id"]) for event in answer.json()["results"]] == [
        ("task.created", str(task.pk)),
        ("relation.created", str(relation.pk)),
        ("task.updated", str(task.pk)),
    ]
