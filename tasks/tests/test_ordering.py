"""GET tasks/ in order and in pages: nothing comes twice and nothing is skipped, whatever ties and gaps there are."""

import itertools
import random

import pytest
from django.http import QueryDict

from tasks.filters import TaskFilter
from tasks.models import Task
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"
FIELDS = ["created_at", "updated_at", "due_date", "priority", "number", "position"]
PRIORITIES = ["none", "low", "medium", "high", "urgent"]


@pytest.fixture
def tasks(project):
    """Twenty tasks full of ties: five priorities, three days and none, moved about and changed at random."""
    rng = random.Random(7)
    tasks = [
        TaskFactory(
            project=project,
            priority=rng.choice(Task.Priority.values),
            due_date=rng.choice([None, None, "2030-01-01", "2030-01-02", "1999-12-31"]),
        )
        for _ in range(20)
    ]
    for task in rng.sample(tasks, 8):
        task.move(before=rng.choice([other for other in tasks if other != task]))
    return tasks


def read_all(api, **query):
    answer = api.get(TASKS, {"limit": 100, **query})
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def read_pages(api, **query):
    answer = api.get(TASKS, query).json()
    rows = answer["results"]
    while answer["next"]:
        answer = api.get(answer["next"]).json()
        rows += answer["results"]
    return rows


def weight(field, value):
    return PRIORITIES.index(value) if field == "priority" else value


def test_each_ordering_sorts_its_way_with_the_empty_last(api, tasks):
    for field, sign in itertools.product(FIELDS, ["", "-"]):
        rows = read_all(api, ordering=f"{sign}{field}")
        assert {row["id"] for row in rows} == {str(task.pk) for task in tasks}
        values = [weight(field, row[field]) for row in rows]
        present = [value for value in values if value is not None]
        assert len(set(present)) > 1
        assert values == sorted(present, reverse=bool(sign)) + [None] * (len(values) - len(present)), sign + field


def test_pages_neither_repeat_nor_skip(api, tasks):
    for ordering in (*FIELDS, *(f"-{field}" for field in FIELDS), "priority,-due_date", "due_date,position"):
        whole = read_all(api, ordering=ordering)
        pages = read_pages(api, ordering=ordering, limit=6)
        assert [row["key"] for row in pages] == [row["key"] for row in whole], ordering


def test_newest_come_first_unless_asked(api, tasks):
    assert [row["number"] for row in read_all(api)] == list(range(20, 0, -1))
    assert [row["number"] for row in read_pages(api, limit=7)] == list(range(20, 0, -1))


def test_priorities_sort_by_weight_not_by_letter(api, project):
    for name in ("medium", "urgent", "none", "high", "low"):
        TaskFactory(project=project, priority=Task.Priority[name.upper()])
    assert [row["priority"] for row in read_all(api, ordering="priority")] == PRIORITIES
    assert [row["priority"] for row in read_all(api, ordering="-priority")] == PRIORITIES[::-1]


def test_numbers_sort_as_numbers(api, project):
    TaskFactory.create_batch(11, project=project)
    assert [row["number"] for row in read_all(api, ordering="number")] == list(range(1, 12))


def test_two_fields_sort_one_within_the_other(api, tasks):
    rows = read_all(api, ordering="-priority,number")
    assert rows == sorted(rows, key=lambda row: (-PRIORITIES.index(row["priority"]), row["number"]))


def test_fields_given_one_by_one_order_as_those_between_commas(api, tasks):
    whole = read_all(api, ordering="-priority,due_date,number")
    assert read_all(api, ordering=["-priority", "due_date", "number"]) == whole
    assert read_all(api, ordering=["-priority,due_date", "number"]) == whole
    assert api.get(TASKS, {"ordering": ["number", "title"]}).status_code == 400


def test_ordering_goes_with_filters(api, tasks):
    rows = read_all(api, ordering="-number", priority=["low", "high"])
    numbers = [row["number"] for row in rows]
    assert 0 < len(numbers) < len(tasks)
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(
    "ordering", ["title", "-id", "number,title", "number,,priority", ",", "number,", "-", "NUMBER", "number\t;"]
)
def test_an_unknown_ordering_is_refused(api, task, ordering):
    answer = api.get(TASKS, {"ordering": ordering})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ordering"])


def test_an_ordering_named_thousands_of_times_is_answered(api, task):
    assert api.get(TASKS, {"ordering": ",".join(["number"] * 2500)}).status_code in {200, 400}


class TestPages:
    def test_a_page_tells_the_count_and_its_neighbours(self, api, tasks):
        page = api.get(TASKS, {"limit": 5, "offset": 5, "priority": PRIORITIES}).json()
        assert set(page) == {"count", "next", "previous", "results"}
        assert (page["count"], len(page["results"])) == (20, 5)
        assert "offset=10" in page["next"]
        assert "priority=urgent" in page["next"]
        assert page["previous"] is not None

    def test_a_page_has_fifty_unless_asked_and_a_hundred_at_most(self, api, project):
        TaskFactory.create_batch(101, project=project)
        lengths = {None: 50, 99: 99, 100: 100, 101: 100, 10**30: 100}
        for limit, length in lengths.items():
            page = api.get(TASKS, {"limit": limit} if limit else {}).json()
            assert (page["count"], len(page["results"])) == (101, length)

    def test_past_the_end_there_is_nothing(self, api, tasks):
        for offset in (20, 21, 10**30):
            page = api.get(TASKS, {"offset": offset}).json()
            assert (page["count"], page["results"], page["next"]) == (20, [], None)


@pytest.mark.parametrize("query", [{}, {"project": "PROJ"}])
def test_tasks_of_one_assignee_are_newest_first_unless_ordered(api, project, member, owner, query):
    third, first, second = TaskFactory.create_batch(3, project=project)
    for task in (second, third, first):
        task.assignees.set([member, owner])
    for assignee in ("me", str(owner.pk)):
        asked = query | {"assignee": assignee}
        pages = [api.get("/api/v1/tasks/", asked | {"limit": 2, "offset": offset}).json() for offset in (0, 2)]
        assert [row["id"] for page in pages for row in page["results"]] == [str(t.pk) for t in (second, first, third)]
        for ordered in (asked | {"ordering": "number"}, {"ordering": "number"} | asked):
            rows = api.get("/api/v1/tasks/", ordered).json()["results"]
            assert [row["id"] for row in rows] == [str(task.pk) for task in (third, first, second)]


@pytest.mark.parametrize("name", ["created_at", "updated_at", "priority", "number", "position"])
def test_what_always_has_a_value_is_ordered_as_its_index_is(name):
    for ordering in (name, f"-{name}"):
        asked = QueryDict(f"ordering={ordering}")
        assert "NULLS" not in str(TaskFilter(asked, queryset=Task.objects.all()).qs.query)
