"""GET comments/: filters, order, pages, and what it costs."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.tests.factories import MembershipFactory, ProjectFactory
from tasks.tests.factories import TaskFactory

COMMENTS = "/api/v1/comments/"
NOBODYS = "0192f0c0-0000-7000-8000-00000000dead"


@pytest.fixture
def comments(project, task, member, owner, foreign_comment):
    other = TaskFactory(project=project)
    elsewhere = TaskFactory(project=ProjectFactory(key="ELSE", viewer=member))
    return [
        CommentFactory(task=on, author=author, body=body)
        for body, on, author in [
            ("one", task, member),
            ("two", other, owner),
            ("three", task, owner),
            ("four", elsewhere, owner),
            ("five", task, member),
        ]
    ]


@pytest.fixture
def find(api, comments):
    def find(**query):
        answer = api.get(COMMENTS, query)
        assert answer.status_code == 200, answer.content
        assert answer.json()["count"] == len(answer.json()["results"])
        return [comment["body"] for comment in answer.json()["results"]]

    return find


def test_those_of_ones_projects_come_oldest_first_and_none_of_others(find):
    assert find() == ["one", "two", "three", "four", "five"]


def test_a_task_by_id_or_key_narrows(find, task):
    assert find(task=str(task.pk)) == find(task="PROJ-1") == ["one", "three", "five"]
    assert find(task="PROJ-2") == ["two"]


def test_a_project_by_id_or_key_narrows(find, project):
    assert find(project=str(project.pk)) == find(project="PROJ") == ["one", "two", "three", "five"]
    assert find(project="ELSE") == ["four"]
    assert find(project="ELSE", task="PROJ-1") == []
    assert find(project="PROJ", task="PROJ-1") == ["one", "three", "five"]


def test_an_edit_does_not_change_the_order(api, find, comments):
    assert api.patch(f"{COMMENTS}{comments[0].pk}/", {"body": "one again"}).status_code == 200
    assert find()[0] == "one again"


def test_a_former_member_reads_none_of_it(api, find, project, member):
    assert "one" in find()
    project.memberships.get(user=member).delete()
    assert find() == ["four"]


@pytest.mark.parametrize(
    "query",
    [
        {"task": "PROJ-99"},
        {"task": "PROJ-99999999999999999999"},
        {"task": NOBODYS},
        {"task": "SECRET-1"},
        {"task": "x"},
        {"task": "a\0"},
        {"task": "9" * 5000},
        {"project": "NOPE"},
        {"project": "SECRET"},
        {"project": NOBODYS},
        {"author": "me"},
        {"ordering": "-created_at"},
        {"search": "one"},
        {"limit": "0"},
        {"limit": "x"},
        {"offset": "-1"},
    ],
)
def test_what_it_does_not_know_it_refuses(api, comments, query):
    answer = api.get(COMMENTS, query)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(query))
    assert "secret" not in answer.content.decode()


def test_a_task_out_of_sight_is_refused_as_one_that_does_not_exist(api, comments, foreign_task):
    foreign, missing = (api.get(COMMENTS, {"task": value}) for value in (foreign_task.key, "SECRET-99"))
    assert (foreign.status_code, foreign.content) == (400, missing.content)


def test_pages_neither_repeat_nor_skip(api, comments):
    bodies, url = [], f"{COMMENTS}?limit=2"
    while url:
        page = api.get(url).json()
        bodies += [comment["body"] for comment in page["results"]]
        url = page["next"]
    assert bodies == ["one", "two", "three", "four", "five"]


def test_one_and_thirty_cost_the_same_queries(api, project, task):
    def queries_of(query):
        with CaptureQueriesContext(connection) as queries:
            answer = api.get(COMMENTS, query)
        return len(answer.json()["results"]), len(queries)

    queries = [{}, {"task": str(task.pk)}, {"project": "PROJ"}, {"project": "PROJ", "task": "PROJ-1"}]
    comment = CommentFactory(task=task)
    at_one = [queries_of(query) for query in queries]
    for _ in range(29):
        person = UserFactory()
        MembershipFactory(project=project, user=person)
        CommentFactory(task=task, author=person)
    at_thirty = [queries_of(query) for query in queries]
    assert {rows for rows, _ in at_one} == {1}
    assert {rows for rows, _ in at_thirty} == {30}
    assert [cost for _, cost in at_thirty] == [cost for _, cost in at_one]
    assert max(cost for _, cost in at_one) <= 6
    with CaptureQueriesContext(connection) as one:
        api.get(f"{COMMENTS}{comment.pk}/")
    assert len(one) <= 6
