"""GET tasks/?search=: words in title and description, and keys."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.tests.factories import ProjectFactory
from tasks.filters import SearchedText
from tasks.models import Task
from tasks.tests.factories import TaskFactory
from tickethub.filters import HasWord

TASKS = "/api/v1/tasks/"


@pytest.fixture
def tasks(project, member, foreign_task):
    other = ProjectFactory(key="OTHER", owner=member)
    return [
        TaskFactory(project=project, title="Fix the login page", description="It shows 100% of nothing."),
        TaskFactory(project=project, title="Paint the shed", description="Red, as the LOGIN button. See PROJ-1."),
        TaskFactory(project=project, title="a_b and a\\b", description="日本語のテスト 🎟️ مرحبا"),
        TaskFactory(
            project=project, title="Отчёт für Überseehändler", description="ΟΔΟΣ οδος straße [é] ^x ]y *z? (w|v)"
        ),
        TaskFactory(project=project, title="Đường tiếng DENİZ", description="제브라"),
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
        ("log LOGIN login o page", ["PROJ-1"]),
        ("o PROJ-1 1", ["PROJ-1", "PROJ-2"]),
        ("FEED OTHER-1 Feed f", ["OTHER-1"]),
        ("THER OTHER-1", []),
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
        *[
            (words, ["PROJ-4"])
            for words in ("ОТЧЁТ", "отчёт", "ÜBERSEE", "überSEE", "FÜR HÄNDLER", "οδο", "STRAßE", "É")
        ],
        *[(words, ["PROJ-4"]) for words in ("[é]", "[É", "É]", "^x", "]y", "*z?", "(w|v)", "ß", "w|v", "[", "]", "^")],
        *[(words, []) for words in ("é*", "é?x", "ü.", "h.ndler", "[üa]", "^é", "é|ü", "ü*r", "(é)", "é\\")],
        ("SECRET-1", []),
        ("secret plans", []),
        ("'", []),
        ("", ["PROJ-1", "PROJ-2", "PROJ-3", "PROJ-4", "PROJ-5", "OTHER-1"]),
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


def test_twenty_words_are_asked_for_and_more_refused(api, tasks):
    letters = "q w z j x k v y p f u m h c d b g t i s"
    with CaptureQueriesContext(connection) as queries:
        assert api.get(TASKS, {"search": f"{letters} {letters.upper()} qw"}).json()["count"] == 0
    assert max(query["sql"].count(" LIKE ") for query in queries) == 19
    answer = api.get(TASKS, {"search": f"{letters} r"})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]["search"]
    assert error == {"detail": "A search has at most 20 different words.", "code": "too_many_words"}


def test_it_goes_with_filters(api, tasks):
    page = api.get(TASKS, {"search": "the", "project": "PROJ", "ordering": "number"}).json()
    assert [task["key"] for task in page["results"]] == ["PROJ-1", "PROJ-2"]


def test_pages_of_a_search_count_all_that_it_finds(api, tasks):
    pages = [api.get(TASKS, {"search": "e", "limit": 2, "offset": offset}).json() for offset in (0, 2, 4, 6)]
    assert [page["count"] for page in pages] == [5] * 4
    assert len({task["key"] for page in pages for task in page["results"]}) == 5


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL counts and finds by an index")
@pytest.mark.parametrize(("words", "found"), [("login", 2), ("händler", 1), ("nowhere", 0)])
def test_sqlite_looks_at_every_task_once(api, tasks, words, found):
    with CaptureQueriesContext(connection) as queries:
        assert api.get(TASKS, {"search": words}).json()["count"] == found
    searches = [query["sql"] for query in queries if "LIKE" in query["sql"] or "GLOB" in query["sql"]]
    assert len([sql for sql in searches if '"tasks_task"."id" IN (\'' not in sql]) == 1, searches


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no index of words")
@pytest.mark.parametrize("word", ["login", "ÜBERSEE", "100%", "οδος", "DENİZ", "브라", "ĐƯỜNG"])
def test_postgresql_finds_words_by_an_index(tasks, word):
    found = Task.objects.filter(HasWord(SearchedText("title", "description"), word))
    at_large = set(found)
    with connection.cursor() as cursor:
        for other in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{other} = off")
    assert "Bitmap Index Scan on task_search" in found.explain()
    assert set(found.all()) == at_large != set()
