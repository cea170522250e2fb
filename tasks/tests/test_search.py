"""GET tasks/?search=: words in title and description, and keys."""

import pytest

from projects.tests.factories import ProjectFactory
from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"


@pytest.fixture
def tasks(project, member, foreign_task):
    other = ProjectFactory(key="OTHER", owner=member)
    return [
        TaskFactory(project=project, title="Fix the login page", description="It shows 100% of nothing."),
        TaskFactory(project=project, title="Paint the shed", description="Red, as the LOGIN button. See PROJ-1."),
        TaskFactory(project=project, title="a_b and a\\b", description="日本語のテスト 🎟️ مرحبا"),
        TaskFactory(project=other, title="Feed the cat", description=""),
    ]


@pytest.fixture
def find(api, tasks):
    def find(words):
        answer = api.get(TASKS, {"search": words, "ordering": "created_at"})
        assert answer.status_code == 200, answer.content
        assert answer.json()["count"] == len(answer.json()["results"])
        return [task["key"] for task in answer.json()["results"]]

    return find


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("shed", ["PROJ-2"]),
        ("SHED", ["PROJ-2"]),
        ("login", ["PROJ-1", "PROJ-2"]),
        ("log", ["PROJ-1", "PROJ-2"]),
        ("login page", ["PROJ-1"]),
        ("page login", ["PROJ-1"]),
        ("  page \t login ", ["PROJ-1"]),
        ("login cat", []),
        ("paint button", ["PROJ-2"]),
        ("nowhere", []),
        ("OTHER-1", ["OTHER-1"]),
        ("other-1", ["OTHER-1"]),
        ("OTHER-1 cat", ["OTHER-1"]),
        ("OTHER-1 shed", []),
        ("PROJ-1", ["PROJ-1", "PROJ-2"]),
        ("PROJ-99999999999999999999", []),
        ("PROJ-0", []),
        ("100%", ["PROJ-1"]),
        ("%", ["PROJ-1"]),
        ("a_b", ["PROJ-3"]),
        ("a\\b", ["PROJ-3"]),
        ("日本語", ["PROJ-3"]),
        ("🎟️", ["PROJ-3"]),
        ("مرحبا", ["PROJ-3"]),
        ("SECRET-1", []),
        ("secret plans", []),
        ("'", []),
        ("", ["PROJ-1", "PROJ-2", "PROJ-3", "OTHER-1"]),
    ],
)
def test_it_finds_the_tasks_that_have_every_word(find, words, keys):
    assert find(words) == keys


def test_a_null_character_is_refused(api, tasks):
    answer = api.get(TASKS, {"search": "lo\0gin"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["search"])


@pytest.mark.parametrize("words", ["login " * 2000, "x" * 15_000], ids=["many words", "a long one"])
def test_a_search_of_any_length_is_answered(api, tasks, words):
    assert api.get(TASKS, {"search": words}).status_code in {200, 400}


def test_it_goes_with_filters(api, tasks):
    page = api.get(TASKS, {"search": "the", "project": "PROJ", "ordering": "number"}).json()
    assert [task["key"] for task in page["results"]] == ["PROJ-1", "PROJ-2"]
