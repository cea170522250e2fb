"""PATCH tasks/{id}/: it changes what it names, as one change, unless the client's copy is stale."""

import pytest

from projects.tests.factories import LabelFactory, ProjectFactory
from tasks.serializers import InProjectListField
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"
DERIVED = {"version", "updated_at", "completed_at"}


@pytest.fixture
def url(task):
    return f"{TASKS}{task.pk}/"


@pytest.fixture
def full(api, task, url, project, member):
    """The task with a value in every field."""
    fields = {
        "description": "With care.",
        "status": "in-progress",
        "priority": "high",
        "assignees": [str(member.pk)],
        "labels": [str(LabelFactory(project=project).pk)],
        "parent": str(TaskFactory(project=project).pk),
        "due_date": "2030-01-01",
    }
    answer = api.patch(url, fields)
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture
def values(project, owner, admin):
    """Another value for each field that a client writes."""
    return {
        "title": "Clear the table",
        "description": "\n Quickly! \n",
        "status": "done",
        "priority": "low",
        "assignees": sorted([str(owner.pk), str(admin.pk)]),
        "labels": sorted(str(LabelFactory(project=project).pk) for _ in range(2)),
        "parent": str(TaskFactory(project=project).pk),
        "due_date": "2031-12-31",
    }


NAMES = ["title", "description", "status", "priority", "assignees", "labels", "parent", "due_date"]
EMPTY = {"description": "", "assignees": [], "labels": [], "parent": None, "due_date": None, "priority": "none"}


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_the_named_field_alone_and_the_version_by_one(api, url, full, values, name):
    answer = api.patch(url, {name: values[name]})
    assert answer.status_code == 200
    changed = {field for field in full if answer.json()[field] != full[field]}
    assert changed - DERIVED == {name}
    assert answer.json()[name] == values[name]
    assert answer.json()["version"] == full["version"] + 1
    assert answer["ETag"] == f'"{full["version"] + 1}"'
    assert api.get(url).json() == answer.json()


def test_all_fields_at_once_are_one_change(api, url, full, values):
    answer = api.patch(url, values)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in values} == values
    assert answer.json()["version"] == full["version"] + 1


@pytest.mark.parametrize("name", EMPTY)
def test_what_can_be_empty_can_be_emptied(api, url, full, name):
    answer = api.patch(url, {name: EMPTY[name]})
    assert (answer.status_code, answer.json()[name]) == (200, EMPTY[name])
    assert answer.json()["version"] == full["version"] + 1


@pytest.mark.parametrize("name", NAMES)
def test_the_value_that_is_there_already_changes_nothing(api, url, full, nothing_changes, name):
    with nothing_changes():
        answer = api.patch(url, {name: full[name]})
    assert (answer.status_code, answer.json()) == (200, full)


def test_an_empty_patch_changes_nothing(api, url, full, nothing_changes):
    with nothing_changes():
        assert api.patch(url, {}).json() == full


def test_the_whole_task_as_it_was_read_changes_nothing(api, url, full, nothing_changes):
    with nothing_changes():
        assert api.patch(url, full).json() == full


def test_a_list_in_another_order_or_with_repeats_is_the_same(api, url, full, values, nothing_changes):
    before = api.patch(url, {"labels": values["labels"]}).json()
    with nothing_changes():
        assert api.patch(url, {"labels": values["labels"][::-1] + values["labels"]}).json() == before


def test_a_key_names_it_as_well_as_the_id(api, task, url):
    answer = api.patch(f"{TASKS}{task.key}/", {"title": "By key"})
    assert (answer.status_code, api.get(url).json()["title"]) == (200, "By key")


def test_two_who_change_different_fields_of_what_they_read_lose_nothing(api, as_user, owner, url):
    api.patch(url, {"title": "Mine"})
    as_user(owner).patch(url, {"description": "Theirs"})
    task = api.get(url).json()
    assert (task["title"], task["description"], task["version"]) == ("Mine", "Theirs", 3)


def test_completion_comes_and_goes_with_the_status(api, url):
    done = api.patch(url, {"status": "done"}).json()
    assert done["completed_at"] is not None
    assert api.patch(url, {"title": "Still done"}).json()["completed_at"] == done["completed_at"]
    for status in ("todo", "cancelled", "in-review"):
        assert api.patch(url, {"status": status}).json()["completed_at"] is None
    assert api.patch(url, {"status": "done"}).json()["completed_at"] > done["completed_at"]


def test_updated_at_grows_with_a_change_and_created_at_stays(api, url, full):
    after = api.patch(url, {"labels": []}).json()
    assert after["updated_at"] > full["updated_at"]
    assert after["created_at"] == full["created_at"]


@pytest.mark.parametrize(
    "name", ["created_by", "created_at", "updated_at", "completed_at", "number", "key", "position"]
)
def test_what_the_server_keeps_is_not_the_clients_to_write(api, url, full, owner, nothing_changes, name):
    value = {"created_by": str(owner.pk), "number": 7, "key": "PROJ-7", "position": "1"}.get(name, "2020-01-01T00:00Z")
    with nothing_changes():
        assert api.patch(url, {name: value}).json() == full


@pytest.mark.parametrize("name", ["id", "project"])
def test_what_is_fixed_once_made_is_refused(api, member, url, full, nothing_changes, name):
    value = NO_TASK if name == "id" else str(ProjectFactory(owner=member).pk)
    with nothing_changes():
        answer = api.patch(url, {name: value, "title": "New"})
    assert answer.status_code == 400
    assert answer.json()["errors"][name][0]["code"] == "fixed"


def test_one_bad_field_spoils_the_whole(api, url, full, nothing_changes):
    with nothing_changes():
        answer = api.patch(url, {"title": "New", "labels": [], "status": "nowhere"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["status"])


@pytest.mark.parametrize("name", ["assignees", "labels", "parent"])
def test_foreign_and_missing_ids_are_refused_with_the_same_words(
    api, url, foreign_task, foreign_project, outsider, nothing_changes, name
):
    theirs = {"assignees": outsider, "labels": LabelFactory(project=foreign_project), "parent": foreign_task}[name].pk
    answers = []
    for value in (str(theirs), NO_TASK):
        with nothing_changes():
            answer = api.patch(url, {name: value if name == "parent" else [value]})
        answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


def test_an_assignee_has_to_be_a_member_by_now(api, project, url, full, member, admin, nothing_changes):
    project.memberships.get(user=admin).delete()
    with nothing_changes():
        answer = api.patch(url, {"assignees": [str(member.pk), str(admin.pk)]})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["assignees"])


def test_who_cannot_be_held_is_not_assigned_though_they_are_found(api, url, admin, monkeypatch):
    """As test_concurrency has it with two requests at once; here between two lines of one."""
    monkeypatch.setattr(InProjectListField, "keep", lambda field, data, projects: set())
    answer = api.patch(url, {"assignees": [str(admin.pk)]})
    assert answer.status_code == 400
    assert answer.json()["errors"]["assignees"][0]["code"] == "does_not_exist"
    assert api.get(url).json()["assignees"] == []


@pytest.mark.parametrize(
    ("who", "status_code"), [("viewer", 403), ("member", 200), ("admin", 200), ("owner", 200), ("outsider", 404)]
)
def test_members_change_any_task_viewers_none_and_outsiders_see_none(
    as_user, request, project, owner, who, status_code
):
    task = TaskFactory(project=project, created_by=owner)
    answer = as_user(request.getfixturevalue(who)).patch(f"{TASKS}{task.pk}/", {"title": "Taken over"})
    assert answer.status_code == status_code
    task.refresh_from_db()
    assert (task.title == "Taken over") == (status_code == 200)
    assert (task.version, "Taken over" in answer.content.decode()) == ((2, True) if status_code == 200 else (1, False))


class TestIfMatch:
    @pytest.mark.parametrize("tags", ['"1"', '"9", "1"', "*"])
    def test_with_the_present_version_it_goes_through(self, api, url, tags):
        assert api.patch(url, {"title": "New"}, headers={"If-Match": tags}).json()["title"] == "New"

    @pytest.mark.parametrize("tags", ['"2"', '"0"', '"11"', 'W/"1"', "1", "nonsense", '""', ""])
    @pytest.mark.parametrize("method", ["patch", "delete"])
    def test_with_another_it_is_412_with_the_present_task(self, api, url, nothing_changes, tags, method):
        present = api.get(url).json()
        with nothing_changes():
            answer = getattr(api, method)(url, {"title": "New"}, headers={"If-Match": tags})
        assert answer.status_code == 412
        assert answer.json() == {
            "detail": answer.json()["detail"],
            "code": "precondition_failed",
            "current": present,
        }

    def test_of_two_who_read_the_same_the_second_is_told(self, api, as_user, owner, url):
        tag = api.get(url)["ETag"]
        assert api.patch(url, {"title": "First"}, headers={"If-Match": tag}).status_code == 200
        answer = as_user(owner).patch(url, {"title": "Second"}, headers={"If-Match": tag})
        assert (answer.status_code, answer.json()["current"]["title"]) == (412, "First")
        tag = f'"{answer.json()["current"]["version"]}"'
        assert as_user(owner).patch(url, {"title": "Second"}, headers={"If-Match": tag}).status_code == 200

    def test_a_change_of_labels_from_elsewhere_counts_too(self, api, url, task, project):
        task.labels.add(LabelFactory(project=project))
        assert api.patch(url, {"title": "New"}, headers={"If-Match": '"1"'}).status_code == 412

    def test_the_present_task_can_be_deleted(self, api, url):
        assert api.delete(url, headers={"If-Match": '"1"'}).status_code == 204
        assert api.get(url).status_code == 404

    @pytest.mark.parametrize("who", ["outsider", "viewer"])
    def test_who_may_not_change_it_is_not_given_the_task_by_412(self, as_user, request, url, nothing_changes, who):
        client = as_user(request.getfixturevalue(who))
        with nothing_changes():
            answer = client.patch(url, {"title": "New"}, headers={"If-Match": '"9"'})
        assert answer.status_code == (404 if who == "outsider" else 403)
        assert "current" not in answer.json()

    def test_an_invalid_body_is_told_only_to_who_is_not_stale(self, api, url, nothing_changes):
        with nothing_changes():
            assert api.patch(url, {"title": ""}, headers={"If-Match": '"9"'}).status_code == 412
            assert api.patch(url, {"title": ""}, headers={"If-Match": '"1"'}).status_code == 400


def test_whether_one_may_write_is_told_before_what_is_wrong_with_the_body(api, as_user, viewer, outsider, url):
    def code(client, **headers):
        answer = client.patch(url, "{", content_type="application/json", headers=headers)
        return answer.json()["code"]

    codes = [code(as_user(outsider)), code(as_user(viewer)), code(api, **{"If-Match": '"7"'}), code(api)]
    assert codes == ["not_found", "permission_denied", "precondition_failed", "parse_error"]
