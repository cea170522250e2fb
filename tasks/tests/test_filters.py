"""GET tasks/ with filters: each alone, repeated, together, and refused when it names what is not there."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet

from projects.tests.factories import LabelFactory, ProjectFactory
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
NO_TASK = "0192f0c0-0000-7000-8000-00000000dead"


@pytest.fixture
def find(api):
    def find(**query):
        answer = api.get(TASKS, query)
        assert answer.status_code == 200, answer.content
        titles = [task["title"] for task in answer.json()["results"]]
        assert answer.json()["count"] == len(titles) == len(set(titles))
        return set(titles)

    return find


@pytest.fixture
def board(project, member, owner, admin, foreign_task):
    """Tasks that differ in what filters ask for."""
    statuses = {status.slug: status for status in project.statuses.all()}
    bug, chore = LabelFactory(project=project, name="bug"), LabelFactory(project=project, name="chore")

    def make(title, status, priority, made_by, due, assignees, labels, **fields):
        task = TaskFactory(
            project=project,
            title=title,
            status=statuses[status],
            priority=priority,
            created_by=made_by,
            due_date=due,
            **fields,
        )
        task.assignees.set(assignees)
        task.labels.set(labels)
        return task

    one = make("one", "todo", Task.Priority.HIGH, member, "2030-01-01", [member], [bug])
    two = make("two", "in-progress", Task.Priority.LOW, owner, "2030-01-02", [member, owner], [bug, chore], parent=one)
    three = make("three", "in-review", Task.Priority.NONE, owner, None, [], [], parent=one)
    four = make("four", "done", Task.Priority.URGENT, admin, "2030-01-03", [owner], [chore])
    return {"one": one, "two": two, "three": three, "four": four, "bug": bug, "chore": chore}


@pytest.fixture
def elsewhere(member):
    """A task in another project of the caller's."""
    return TaskFactory(project=ProjectFactory(key="ELSE", owner=member), title="elsewhere", created_by=member)


def test_without_filters_all_of_ones_projects_come_and_none_of_others(find, board, elsewhere):
    assert find() == {"one", "two", "three", "four", "elsewhere"}


def test_by_project_by_id_or_key(find, board, elsewhere, project):
    assert find(project=str(project.pk)) == find(project="PROJ") == {"one", "two", "three", "four"}
    assert find(project="ELSE") == {"elsewhere"}


def test_by_status(find, board, elsewhere):
    assert find(status="in-progress") == {"two"}
    assert find(status=["in-progress", "done"]) == {"two", "four"}
    assert find(status="backlog") == set()
    assert find(status="todo") == {"one", "elsewhere"}, "a slug is found in each of the caller's projects"


def test_by_status_category(find, board):
    assert find(status_category="in_progress") == {"two", "three"}
    assert find(status_category=["todo", "done"]) == {"one", "four"}
    assert find(status_category="cancelled") == set()


def test_by_priority(find, board):
    assert find(priority="none") == {"three"}
    assert find(priority=["high", "urgent"]) == {"one", "four"}
    assert find(priority="medium") == set()


def test_by_assignee(find, board, member, owner, viewer):
    assert find(assignee=str(owner.pk)) == {"two", "four"}
    assert find(assignee="me") == find(assignee=str(member.pk)) == {"one", "two"}
    assert find(assignee="none") == find(assignee="none", project="PROJ") == {"three"}
    assert find(assignee=["none", str(owner.pk)]) == {"two", "three", "four"}
    assert find(assignee=["none", str(owner.pk)], project="PROJ") == {"two", "three", "four"}
    assert find(assignee=["me", str(owner.pk)]) == {"one", "two", "four"}
    assert find(assignee=["me", "none", str(owner.pk)]) == {"one", "two", "three", "four"}
    assert find(assignee=str(viewer.pk)) == set()


def test_by_label(find, board):
    bug, chore = str(board["bug"].pk), str(board["chore"].pk)
    assert find(label=bug) == {"one", "two"}
    assert find(label=[bug, chore]) == {"one", "two", "four"}


def test_by_maker(find, board, owner, viewer):
    assert find(created_by=str(owner.pk)) == {"two", "three"}
    assert find(created_by=str(viewer.pk)) == set()


def test_by_a_maker_who_has_left(find, board, project, admin):
    project.memberships.get(user=admin).delete()
    assert find(created_by=str(admin.pk)) == {"four"}


def test_by_parent(find, board):
    assert find(parent=str(board["one"].pk)) == {"two", "three"}
    assert find(parent=str(board["two"].pk)) == set()


def test_by_due_date_without_the_day_itself(find, board):
    assert find(due_before="2030-01-02") == {"one"}
    assert find(due_after="2030-01-02") == {"four"}
    assert find(due_after="2030-01-01", due_before="2030-01-03") == {"two"}
    assert find(due_before="0001-01-01") == find(due_after="9999-12-31") == set()
    assert find(due_after="0001-01-01") == find(due_before="9999-12-31") == {"one", "two", "four"}


def set_moment(task, field, moment):
    """Straight past the model, which sets its times itself."""
    QuerySet(Task).filter(pk=task.pk).update(**{field: moment})


@pytest.mark.parametrize("name", ["created", "updated"])
def test_by_moment_without_the_moment_itself(find, board, name):
    for day, title in enumerate(["one", "two", "three", "four"], start=1):
        set_moment(board[title], f"{name}_at", datetime(2030, 1, day, 12, tzinfo=UTC))
    expected = {
        "2030-01-02T12:00:00Z": {"three", "four"},
        "2030-01-02T11:59:59.999999Z": {"two", "three", "four"},
        "2030-01-02T13:00:00+01:00": {"three", "four"},
        "2030-01-03T02:00:00+14:00": {"three", "four"},
        "9999-12-31T23:59:59Z": set(),
        "0001-01-01T00:00:00Z": {"one", "two", "three", "four"},
    }
    assert {moment: find(**{f"{name}_after": moment}) for moment in expected} == expected


def test_a_client_asks_for_what_is_newer_than_what_it_has(api, find, board):
    newest = api.get(TASKS, {"ordering": "-updated_at", "limit": 1}).json()["results"][0]["updated_at"]
    assert find(updated_after=newest) == set()
    assert api.patch(f"{TASKS}{board['two'].pk}/", {"priority": "urgent"}).status_code == 200
    assert find(updated_after=newest) == {"two"}


def test_filters_together_narrow_each_other(find, board, elsewhere, member, owner):
    assert find(status_category="in_progress", assignee="me") == {"two"}
    assert find(label=str(board["bug"].pk), priority=["high", "urgent"]) == {"one"}
    assert find(project="PROJ", status=["todo", "in-progress"], label=str(board["chore"].pk)) == {"two"}
    assert find(status="todo", project="ELSE") == {"elsewhere"}
    assert find(assignee="none", label=str(board["bug"].pk)) == set()
    assert find(created_by=str(owner.pk), parent=str(board["one"].pk), due_after="2029-12-31") == {"two"}
    assert find(assignee=[str(owner.pk), "none"], label=str(board["chore"].pk), search="o") == {"two", "four"}


def test_every_filter_at_once_finds_the_one(find, board, project, member, owner):
    two = board["two"]
    query = {
        "project": "PROJ",
        "status": ["in-progress", "done"],
        "status_category": ["in_progress", "todo"],
        "priority": ["low", "none"],
        "assignee": ["me", str(owner.pk)],
        "label": [str(board["bug"].pk), str(board["chore"].pk)],
        "created_by": str(owner.pk),
        "parent": str(board["one"].pk),
        "due_before": "2030-01-03",
        "due_after": "2030-01-01",
        "created_after": "2020-01-01T00:00:00Z",
        "updated_after": "2020-01-01T00:00:00Z",
        "search": f"TWO {two.key}",
        "ordering": "-priority",
        "limit": 10,
    }
    assert find(**query) == {"two"}


def test_a_task_is_counted_once_however_many_of_the_asked_it_has(api, board, member, owner, admin):
    board["three"].assignees.set([member, owner, admin])
    for query in (
        {"assignee": ["me", str(owner.pk), str(admin.pk)]},
        {"assignee": ["me", str(owner.pk), "none"]},
        {"label": [str(board["bug"].pk), str(board["chore"].pk)]},
    ):
        page = api.get(TASKS, query).json()
        keys = [task["key"] for task in page["results"]]
        assert len(keys) == len(set(keys)) == page["count"]


UNKNOWN = {
    "project": [NO_TASK, "NOPE", "proj", "1"],
    "status": ["nowhere", "Todo", "todo,done"],
    "status_category": ["in-progress", "nope", "done,todo"],
    "priority": ["High", "4", "nope", "low,high"],
    "assignee": [NO_TASK, "Me", "None", "nobody", "@member"],
    "label": [NO_TASK, "bug", "1"],
    "created_by": [NO_TASK, "me", "nobody"],
    "parent": [NO_TASK, "none", "1"],
    "due_before": ["tomorrow", "2030-02-30", "2030-01-01T00:00:00Z", "01.01.2030", "99999-01-01", "0000-01-01"],
    "due_after": ["tomorrow", "2030-13-01", "-1"],
    "created_after": [
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00Z",
        "2030-01-01T25:00:00Z",
        "1700000000",
    ],
    "updated_after": ["yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
    "ordering": ["title", "-title", "id", "status", "pk", "--number", "number;", "project__name", "?"],
    "limit": ["0", "-1", "x", "1.5", "\u0661"],
    "offset": ["-1", "x", "1e3"],
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_value_is_refused_and_named(api, task, name):
    for value in UNKNOWN[name]:
        answer = api.get(TASKS, {name: value})
        assert answer.status_code == 400, value
        assert (list(answer.json()["errors"]), "results" in answer.json()) == ([name], False), value


@pytest.mark.parametrize("name", ["status", "status_category", "priority", "assignee", "label"])
def test_one_unknown_value_among_known_ones_is_refused_too(api, board, member, name):
    known = {
        "status": "todo",
        "status_category": "todo",
        "priority": "low",
        "assignee": "me",
        "label": str(board["bug"].pk),
    }[name]
    assert api.get(TASKS, {name: known}).status_code == 200
    assert api.get(TASKS, {name: [known, NO_TASK]}).status_code == 400


@pytest.mark.parametrize("name", ["project", "status", "assignee", "label", "created_by", "parent"])
def test_a_value_out_of_sight_is_refused_as_one_that_does_not_exist(
    api, board, foreign_project, foreign_task, outsider, name
):
    foreign_project.statuses.create(name="Plotting", category="todo", position=9)
    theirs = {
        "project": foreign_project.pk,
        "status": "plotting",
        "assignee": outsider.pk,
        "label": LabelFactory(project=foreign_project).pk,
        "created_by": outsider.pk,
        "parent": foreign_task.pk,
    }[name]
    answers = []
    for value in (str(theirs), NO_TASK):
        answer = api.get(TASKS, {name: value})
        answers.append((answer.status_code, answer.content.decode().replace(value, "ID")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 400


@pytest.mark.parametrize("form", [str.upper, "{{{}}}".format, "urn:uuid:{}".format, lambda pk: pk.replace("-", "")])
def test_an_id_is_known_in_each_of_its_forms(find, board, project, member, owner, form):
    everything = {"one", "two", "three", "four"}
    for filters, found in [
        ({"assignee": member.pk}, {"one", "two"}),
        ({"assignee": owner.pk}, {"two", "four"}),
        ({"label": board["bug"].pk}, {"one", "two"}),
        ({"project": project.pk}, everything),
        ({"parent": board["one"].pk}, {"two", "three"}),
        ({"created_by": owner.pk}, {"two", "three"}),
    ]:
        assert find(**{name: form(str(pk)) for name, pk in filters.items()}) == found


def test_a_mistyped_filter_does_not_return_everything(api, task):
    for name in ("statuses", "assignees", "Status", "title", "q", "page", "id", "status__slug", "due_date", "task"):
        answer = api.get(TASKS, {name: "todo"})
        assert answer.status_code == 400, name
        assert list(answer.json()["errors"]) == [name]


@pytest.mark.parametrize("name", [name for name in UNKNOWN if name not in {"limit", "offset"}] + ["search"])
def test_nonsense_is_refused_or_finds_nothing_and_never_fails(api, task, name):
    for value in ("\0", "a\0b", "9" * 5000, "🎟️", "' OR 1=1 --", "%", "_", "\\"):
        answer = api.get(TASKS, {name: value})
        assert answer.status_code == 400 or (name == "search" and answer.json()["count"] == 0), value


def test_a_moment_that_its_offset_puts_before_the_calendar_is_refused(api, task):
    assert api.get(f"{TASKS}?created_after=0001-01-01T00:00:00%2B14:00").status_code == 400
    assert api.get(f"{TASKS}?created_after=0001-01-01T00:00:00-14:00").json()["count"] == 1


def test_times_without_an_offset_are_utc(find, board):
    now = Task.objects.latest("created_at").created_at
    assert find(created_after=(now + timedelta(seconds=1)).replace(tzinfo=None).isoformat()) == set()
    assert len(find(created_after=(now - timedelta(hours=1)).replace(tzinfo=None).isoformat())) == 4
