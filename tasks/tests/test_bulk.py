"""POST tasks/bulk/: one change of up to a hundred tasks, or none."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.tests.factories import LabelFactory, ProjectFactory
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
BULK = f"{TASKS}bulk/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"


@pytest.fixture
def tasks(project, member):
    return TaskFactory.create_batch(3, project=project, created_by=member)


def ids(tasks):
    return [str(task.pk) for task in tasks]


@pytest.fixture
def values(project, member, owner):
    return {
        "title": "All alike",
        "description": " As it came. \n",
        "status": "done",
        "priority": "urgent",
        "assignees": sorted([str(member.pk), str(owner.pk)]),
        "labels": sorted(str(LabelFactory(project=project).pk) for _ in range(2)),
        "parent": str(TaskFactory(project=project).pk),
        "due_date": "2030-01-01",
    }


@pytest.mark.parametrize(
    "name", ["title", "description", "status", "priority", "assignees", "labels", "parent", "due_date"]
)
def test_it_sets_the_field_on_every_task_as_one_change_of_each(api, project, tasks, values, name):
    bystander = TaskFactory(project=project)
    answer = api.post(BULK, {"ids": ids(tasks), "set": {name: values[name]}})
    assert answer.status_code == 200
    rows = answer.json()["results"]
    assert [row["id"] for row in rows] == ids(tasks)
    assert [row[name] for row in rows] == [values[name]] * 3
    assert [row["version"] for row in rows] == [2] * 3
    assert [api.get(f"{TASKS}{pk}/").json() for pk in ids(tasks)] == rows
    assert Task.objects.get(pk=bystander.pk).version == 1


def test_it_sets_many_fields_at_once(api, tasks, values):
    rows = api.post(BULK, {"ids": ids(tasks), "set": values}).json()["results"]
    assert [{name: row[name] for name in values} for row in rows] == [values] * 3
    assert {row["version"] for row in rows} == {2}


def test_it_empties_fields(api, tasks, values):
    api.post(BULK, {"ids": ids(tasks), "set": values})
    empty = {"assignees": [], "labels": [], "parent": None, "due_date": None, "description": ""}
    rows = api.post(BULK, {"ids": ids(tasks), "set": empty}).json()["results"]
    assert [{name: row[name] for name in empty} for row in rows] == [empty] * 3


def test_a_task_that_is_so_already_does_not_change(api, tasks):
    api.patch(f"{TASKS}{tasks[1].pk}/", {"priority": "high"})
    rows = api.post(BULK, {"ids": ids(tasks), "set": {"priority": "high"}}).json()["results"]
    assert [row["version"] for row in rows] == [2, 2, 2]
    rows = api.post(BULK, {"ids": ids(tasks), "set": {"priority": "high"}}).json()["results"]
    assert [row["version"] for row in rows] == [2, 2, 2]


def test_the_answer_comes_in_the_order_of_the_request(api, tasks):
    order = ids([tasks[2], tasks[0], tasks[1]])
    answer = api.post(BULK, {"ids": order, "set": {"priority": "low"}})
    assert [row["id"] for row in answer.json()["results"]] == order


def test_tasks_of_several_projects_may_change_together(api, tasks, member):
    elsewhere = TaskFactory(project=ProjectFactory(owner=member))
    answer = api.post(BULK, {"ids": ids([*tasks, elsewhere]), "set": {"status": "done", "assignees": [str(member.pk)]}})
    assert answer.status_code == 200
    assert {row["status"] for row in answer.json()["results"]} == {"done"}


def test_a_label_of_one_project_does_not_go_on_tasks_of_another(api, tasks, member, values, nothing_changes):
    elsewhere = TaskFactory(project=ProjectFactory(owner=member))
    with nothing_changes():
        answer = api.post(BULK, {"ids": ids([*tasks, elsewhere]), "set": {"labels": values["labels"]}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["set.labels"])


def test_a_hundred_change_at_once(api, project):
    tasks = TaskFactory.create_batch(100, project=project)
    answer = api.post(BULK, {"ids": ids(tasks), "set": {"priority": "low"}})
    assert (answer.status_code, len(answer.json()["results"])) == (200, 100)
    assert set(Task.objects.values_list("priority", "version")) == {(Task.Priority.LOW, 2)}


@pytest.mark.parametrize("action", ["priority", "status", "labels", "assignees", "parent", "delete"])
def test_as_many_queries_for_many_as_for_few(api, project, member, values, action):
    counts = []
    for many in (2, 20):
        tasks = TaskFactory.create_batch(many, project=project, created_by=member)
        body = {"delete": True} if action == "delete" else {"set": {action: values[action]}}
        with CaptureQueriesContext(connection) as queries:
            assert api.post(BULK, {"ids": ids(tasks), **body}).status_code in {200, 204}
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 25


class TestDelete:
    def test_it_deletes_all(self, api, project, tasks):
        bystander = TaskFactory(project=project)
        answer = api.post(BULK, {"ids": ids(tasks), "delete": True})
        assert (answer.status_code, answer.content) == (204, b"")
        assert list(Task.objects.all()) == [bystander]

    def test_parents_and_children_go_together_in_any_order(self, api, project, member):
        for order in (1, -1):
            top = TaskFactory(project=project, created_by=member)
            middle = TaskFactory(project=project, created_by=member, parent=top)
            leaf = TaskFactory(project=project, created_by=member, parent=middle)
            assert api.post(BULK, {"ids": ids([top, middle, leaf][::order]), "delete": True}).status_code == 204
        assert not Task.objects.exists()

    def test_one_that_is_not_the_members_own_keeps_them_all(self, api, project, tasks, owner, nothing_changes):
        theirs = TaskFactory(project=project, created_by=owner)
        for mixed in ([theirs, *tasks], [*tasks, theirs], [theirs]):
            with nothing_changes():
                answer = api.post(BULK, {"ids": ids(mixed), "delete": True})
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    @pytest.mark.parametrize("who", ["admin", "owner"])
    def test_admins_delete_everybodys(self, as_user, request, tasks, project, who):
        TaskFactory(project=project, created_by=None)
        client = as_user(request.getfixturevalue(who))
        assert client.post(BULK, {"ids": ids(Task.objects.all()), "delete": True}).status_code == 204
        assert not Task.objects.exists()

    def test_ones_own_as_an_admin_elsewhere_does_not_help(self, api, project, member, owner, nothing_changes):
        mine = TaskFactory(project=ProjectFactory(owner=member))
        theirs = TaskFactory(project=project, created_by=owner)
        with nothing_changes():
            assert api.post(BULK, {"ids": ids([mine, theirs]), "delete": True}).status_code == 403

    @pytest.mark.parametrize("who", ["viewer", "outsider"])
    def test_others_delete_nothing(self, as_user, request, tasks, nothing_changes, who):
        client = as_user(request.getfixturevalue(who))
        with nothing_changes():
            answer = client.post(BULK, {"ids": ids(tasks), "delete": True})
        assert answer.status_code == (403 if who == "viewer" else 400)


@pytest.mark.parametrize("action", [{"set": {"priority": "low"}}, {"delete": True}], ids=["set", "delete"])
class TestAllOrNothing:
    def test_one_foreign_id_is_refused_as_a_missing_one(self, api, tasks, foreign_task, nothing_changes, action):
        answers = []
        for value in (str(foreign_task.pk), NO_TASK):
            with nothing_changes():
                answer = api.post(BULK, {"ids": [*ids(tasks), value], **action})
            answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
        assert answers[0] == answers[1]
        assert answers[0][0] == 400
        assert "secret" not in answers[0][1].lower()

    def test_the_same_task_twice_is_refused(self, api, tasks, nothing_changes, action):
        with nothing_changes():
            answer = api.post(BULK, {"ids": [*ids(tasks), ids(tasks)[0].upper()], **action})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ids"])

    @pytest.mark.parametrize("count", [0, 101])
    def test_none_and_more_than_a_hundred_are_refused(self, api, tasks, nothing_changes, action, count):
        with nothing_changes():
            answer = api.post(BULK, {"ids": (ids(tasks) * 40)[:count], **action})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ids"])

    @pytest.mark.parametrize("value", [None, "all", {}, 1, True, [None], ["x"], [{}], [["a"]], ["PROJ-1"], [1.5], [""]])
    def test_ids_that_are_none_are_refused(self, api, tasks, nothing_changes, action, value):
        with nothing_changes():
            answer = api.post(BULK, {"ids": value, **action})
        assert answer.status_code == 400
        assert {name.partition(".")[0] for name in answer.json()["errors"]} == {"ids"}

    def test_without_ids_nothing_happens(self, api, tasks, nothing_changes, action):
        with nothing_changes():
            assert api.post(BULK, action).status_code == 400

    def test_an_archived_project_among_them_keeps_all_as_they_are(self, api, tasks, member, nothing_changes, action):
        archived = ProjectFactory(owner=member)
        task = TaskFactory(project=archived)
        archived.archived_at = task.created_at
        archived.save()
        with nothing_changes():
            answer = api.post(BULK, {"ids": ids([*tasks, task]), **action})
        assert (answer.status_code, answer.json()["code"]) == (409, "archived")

    def test_a_project_where_one_may_only_look_keeps_all_as_they_are(self, api, tasks, member, nothing_changes, action):
        task = TaskFactory(project=ProjectFactory(viewer=member), created_by=member)
        with nothing_changes():
            assert api.post(BULK, {"ids": ids([*tasks, task]), **action}).status_code == 403


@pytest.mark.parametrize("who", ["viewer", "outsider"])
def test_viewers_and_outsiders_set_nothing(as_user, request, tasks, nothing_changes, who):
    client = as_user(request.getfixturevalue(who))
    with nothing_changes():
        answer = client.post(BULK, {"ids": ids(tasks), "set": {"priority": "low"}})
    assert answer.status_code == (403 if who == "viewer" else 400)


def test_nobody_does_it_without_a_token(anonymous, tasks, nothing_changes):
    with nothing_changes():
        assert anonymous.post(BULK, {"ids": ids(tasks), "delete": True}).status_code == 401


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"set": {}},
        {"delete": False},
        {"set": {}, "delete": False},
        {"set": {"priority": "low"}, "delete": True},
        {"set": None},
        {"set": []},
        {"set": "priority"},
        {"set": {"priority": "low"}, "delete": "perhaps"},
        {"delete": None},
        {"delete": [True]},
        {"delete": {}},
        {"set": {"priority": None}},
        {"set": {"priority": "highest"}},
        {"set": {"title": " "}},
        {"set": {"status": "nowhere"}},
        {"set": {"due_date": "soon"}},
        {"set": {"assignees": [NO_TASK]}},
        {"set": {"labels": "all"}},
        {"set": {"parent": NO_TASK}},
        {"set": {"title": "New", "position": "1"}},
        {"set": {"version": 7}},
        {"set": {"number": 7}},
        {"set": {"id": NO_TASK}},
        {"set": {"project": NO_TASK}},
        {"set": {"created_by": None}},
        {"set": {"no_such_field": 1}},
        {"set": {"": 1}},
    ],
)
def test_what_makes_no_sense_changes_nothing(api, tasks, nothing_changes, action):
    with nothing_changes():
        answer = api.post(BULK, {"ids": ids(tasks), **action})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("body", [None, [], "x", 1, [{"ids": []}]])
def test_a_body_that_is_no_object_is_refused(api, tasks, nothing_changes, body):
    with nothing_changes():
        assert api.post(BULK, body, format="json").status_code == 400


def test_an_error_in_the_last_undoes_the_first(api, project, tasks, member, values, nothing_changes):
    """The parent is fine for the first two, and a circle for the third."""
    third = tasks[2]
    child = TaskFactory(project=project, parent=third)
    with nothing_changes():
        answer = api.post(BULK, {"ids": ids(tasks), "set": values | {"parent": str(child.pk)}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["set.parent"])
