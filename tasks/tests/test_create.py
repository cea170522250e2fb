"""POST tasks/: making a task."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from tasks.models import LONGEST_TEXT, Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"
FIELDS = {
    "id",
    "key",
    "number",
    "project",
    "title",
    "description",
    "status",
    "priority",
    "assignees",
    "labels",
    "parent",
    "due_date",
    "position",
    "version",
    "created_by",
    "created_at",
    "updated_at",
    "completed_at",
}


@pytest.fixture
def make(api, project):
    def make(**fields):
        return api.post(TASKS, {"project": str(project.pk), "title": "A task", **fields})

    return make


def errors_of(answer):
    """The fields of a 400 and the codes of what is wrong with each."""
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert body["code"] == "invalid"
    assert body["detail"]
    return {field: [error["code"] for error in errors] for field, errors in body["errors"].items()}


def test_a_task_needs_a_project_and_a_title_alone(make, project, member):
    answer = make()
    assert answer.status_code == 201
    task = answer.json()
    assert set(task) == FIELDS
    assert task | {"id": "", "position": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "key": "PROJ-1",
        "number": 1,
        "project": str(project.pk),
        "title": "A task",
        "description": "",
        "status": "todo",
        "priority": "none",
        "assignees": [],
        "labels": [],
        "parent": None,
        "due_date": None,
        "position": "",
        "version": 1,
        "created_by": str(member.pk),
        "created_at": "",
        "updated_at": "",
        "completed_at": None,
    }


def test_every_field_is_kept_and_read_as_it_was_written(make, api, project, member, owner):
    fields = {
        "id": "0192f0c0-0000-7000-8000-000000000001",
        "title": "Everything",
        "description": "# Head\n\n- [ ] one",
        "status": "in-progress",
        "priority": "urgent",
        "assignees": sorted([str(member.pk), str(owner.pk)]),
        "labels": sorted(str(LabelFactory(project=project).pk) for _ in range(3)),
        "parent": str(TaskFactory(project=project).pk),
        "due_date": "2030-02-28",
    }
    answer = make(**fields)
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in fields} == fields
    assert answer["ETag"] == '"1"'
    assert api.get(f"{TASKS}{fields['id']}/").json() == answer.json()


def test_times_are_utc_and_now(make):
    task = make(status="done").json()
    for field in ("created_at", "updated_at", "completed_at"):
        assert task[field].endswith("Z")
        assert abs(datetime.fromisoformat(task[field]) - timezone.now()) < timedelta(minutes=1)


def test_ids_sort_by_age(make):
    ids = [make().json()["id"] for _ in range(5)]
    assert ids == sorted(ids)
    assert {task_id[14] for task_id in ids} == {"7"}


def test_what_was_read_can_be_written_back(make, api):
    first = make(priority="low").json()
    again = api.post(TASKS, {name: value for name, value in first.items() if name != "id"})
    assert again.status_code == 201
    assert api.patch(f"{TASKS}{first['id']}/", first).json() == first


@pytest.mark.parametrize(
    "description",
    [
        "  leading",
        "trailing  ",
        "\n\ttabs and lines\r\n\r\n",
        "   ",
        "é 日本語 🎟️ \u202eשלום",
        "a\u2028b",
        "x" * LONGEST_TEXT,
        "🎟" * LONGEST_TEXT,
    ],
    ids=["leading", "trailing", "lines", "blank", "scripts", "separator", "longest", "longest of emoji"],
)
def test_a_description_is_returned_byte_for_byte(make, api, description):
    answer = make(description=description)
    assert answer.status_code == 201
    assert answer.json()["description"] == description
    assert api.get(f"{TASKS}{answer.json()['id']}/").json()["description"] == description


@pytest.mark.parametrize("title", ["🎟️ x 🚀", "مرحبا بالعالم", "שלום \u202bעולם\u202c", "e\u0301 é", "x" * 255])
def test_a_title_in_any_script_is_kept_intact(make, title):
    assert make(title=title).json()["title"] == title


@pytest.mark.parametrize("priority", ["none", "low", "medium", "high", "urgent"])
def test_each_priority_is_taken_and_given_by_name(make, priority):
    assert make(priority=priority).json()["priority"] == priority


def test_the_last_made_stands_last_on_the_board(make):
    positions = [make().json()["position"] for _ in range(12)]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"title": ""}, {"title": ["blank"]}),
        ({"title": "   "}, {"title": ["blank"]}),
        ({"title": None}, {"title": ["null"]}),
        ({"title": "x" * 256}, {"title": ["max_length"]}),
        ({"description": "x" * (LONGEST_TEXT + 1)}, {"description": ["max_length"]}),
        ({"description": None}, {"description": ["null"]}),
        ({"status": "nowhere"}, {"status": ["does_not_exist"]}),
        ({"status": None}, {"status": ["null"]}),
        ({"priority": "Urgent"}, {"priority": ["invalid_choice"]}),
        ({"priority": 4}, {"priority": ["invalid_choice"]}),
        ({"assignees": [NO_TASK]}, {"assignees": ["does_not_exist"]}),
        ({"labels": [NO_TASK]}, {"labels": ["does_not_exist"]}),
        ({"labels": None}, {"labels": ["null"]}),
        ({"labels": [NO_TASK] * 101}, {"labels": ["max_length"]}),
        ({"parent": NO_TASK}, {"parent": ["does_not_exist"]}),
        ({"due_date": "30.2.2030"}, {"due_date": ["invalid"]}),
        ({"due_date": "2030-02-30"}, {"due_date": ["invalid"]}),
        ({"id": "7"}, {"id": ["invalid"]}),
        ({"project": NO_TASK}, {"project": ["does_not_exist"]}),
        ({"project": None}, {"project": ["null"]}),
        ({"title": "", "due_date": "soon"}, {"title": ["blank"], "due_date": ["invalid"]}),
    ],
)
def test_invalid_fields_are_named_and_make_nothing(make, nothing_changes, fields, errors):
    with nothing_changes():
        assert errors_of(make(**fields)) == errors


def test_a_missing_project_and_title_are_named(api, project, nothing_changes):
    with nothing_changes():
        assert errors_of(api.post(TASKS, {})) == {"project": ["required"], "title": ["required"]}


def refusal(answer, value):
    """The whole answer of a 400, without what differs: the id that was asked for."""
    assert answer.status_code == 400
    return answer.content.decode().replace(str(value), "ID")


class TestForeign:
    """What belongs to a project that the caller cannot see is refused with the words for what does not exist."""

    @pytest.fixture
    def theirs(self, foreign_project, foreign_task, outsider):
        return {
            "project": foreign_project.pk,
            "parent": foreign_task.pk,
            "labels": LabelFactory(project=foreign_project).pk,
            "assignees": outsider.pk,
        }

    @pytest.mark.parametrize("field", ["project", "parent", "labels", "assignees"])
    def test_a_foreign_id_is_refused_as_a_missing_one(self, make, theirs, nothing_changes, field):
        def wrap(value):
            return {field: [str(value)] if field in {"labels", "assignees"} else str(value)}

        with nothing_changes():
            foreign, missing = make(**wrap(theirs[field])), make(**wrap(NO_TASK))
        assert refusal(foreign, theirs[field]) == refusal(missing, NO_TASK)

    def test_a_status_of_another_project_is_refused_as_a_missing_one(self, make, foreign_project, nothing_changes):
        foreign_project.statuses.create(name="Plotting", category="todo", position=9)
        with nothing_changes():
            foreign, missing = make(status="plotting"), make(status="no-such")
        assert refusal(foreign, "plotting") == refusal(missing, "no-such")

    @pytest.mark.parametrize("field", ["parent", "labels"])
    def test_what_the_caller_sees_but_in_another_project_is_refused_too(self, make, member, nothing_changes, field):
        other = ProjectFactory(owner=member)
        value = TaskFactory(project=other).pk if field == "parent" else [str(LabelFactory(project=other).pk)]
        with nothing_changes():
            answer = make(**{field: value if field == "labels" else str(value)})
        assert errors_of(answer) == {field: ["does_not_exist"]}


def test_somebody_who_shares_another_project_is_no_assignee(make, member, nothing_changes):
    colleague = MembershipFactory(project=ProjectFactory(owner=member)).user
    with nothing_changes():
        assert errors_of(make(assignees=[str(colleague.pk)])) == {"assignees": ["does_not_exist"]}


def test_one_stranger_among_members_spoils_the_whole(make, member, nothing_changes):
    stranger = UserFactory()
    with nothing_changes():
        errors = errors_of(make(assignees=[str(member.pk), str(stranger.pk)]))
    assert errors == {"assignees": ["does_not_exist"]}


def test_assignees_named_twice_count_once(make, member):
    assert make(assignees=[str(member.pk)] * 2).json()["assignees"] == [str(member.pk)]


@pytest.mark.parametrize(("who", "status_code"), [("viewer", 403), ("member", 201), ("admin", 201), ("owner", 201)])
def test_members_make_tasks_and_viewers_do_not(as_user, project, request, who, status_code):
    answer = as_user(request.getfixturevalue(who)).post(TASKS, {"project": str(project.pk), "title": "A task"})
    assert answer.status_code == status_code
    assert Task.objects.count() == (status_code == 201)


def test_an_outsider_makes_nothing_in_a_project_that_exists(as_user, outsider, project, nothing_changes):
    client = as_user(outsider)
    with nothing_changes():
        answer = client.post(TASKS, {"project": str(project.pk), "title": "A task"})
    assert errors_of(answer) == {"project": ["does_not_exist"]}


def test_nobody_makes_a_task_without_a_token(anonymous, project, nothing_changes):
    with nothing_changes():
        assert anonymous.post(TASKS, {"project": str(project.pk), "title": "A task"}).status_code == 401


def test_the_maker_is_the_caller_whatever_the_body_says(make, owner, member):
    task = make(created_by=str(owner.pk), version=9, position="1", completed_at="2020-01-01T00:00:00Z").json()
    assert (task["created_by"], task["version"], task["completed_at"]) == (str(member.pk), 1, None)
    assert task["position"] != "1"
