"""Lists of tasks and relations cost the same number of SQL queries at 1 and at 30 rows, and five at most."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from projects.tests.factories import LabelFactory
from tasks import making
from tasks.models import Task
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub import pagination

AMONG = {"postgresql": "= ANY(ARRAY", "sqlite": "IN "}
MOST = 5  # with the caller's own row, which the token is checked against


def queries_of(client, path, query, rows):
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) == rows
    return len(queries)


@pytest.fixture
def label(project):
    return LabelFactory(project=project)


@pytest.fixture
def make(project, member, admin, label):
    """Make so many tasks with all that hangs on a task."""
    parent = TaskFactory(title="parent", project=project, created_by=admin)

    def make(count):
        labels = [label, *LabelFactory.create_batch(2, project=project)]
        for _ in range(count):
            task = TaskFactory(
                title="child",
                project=project,
                created_by=member,
                parent=parent,
                due_date="2030-01-01",
                priority=Task.Priority.HIGH,
            )
            task.labels.set(labels)
            task.assignees.set([member, admin])

    return make


QUERIES = {
    "no filter but a word": {"search": "child"},
    "project": {"project": "PROJ", "search": "child"},
    "status": {"status": ["todo", "done"], "search": "child"},
    "status_category": {"status_category": ["todo", "done"], "search": "child"},
    "priority": {"priority": ["high", "low"]},
    "assignee": {"assignee": "ME"},
    "assignee me": {"assignee": ["me"]},
    "label": {"label": "LABEL"},
    "created_by": {"created_by": "ME"},
    "parent": {"parent": "PARENT"},
    "days": {"due_after": "2029-12-31", "due_before": "2030-01-02"},
    "moments": {"created_after": "2020-01-01T00:00Z", "updated_after": "2020-01-01T00:00Z", "search": "child"},
    "ordering": {"ordering": "-priority,due_date", "search": "child"},
    "project, status and oneself": {"project": "PROJ", "status": ["todo"], "assignee": "ME"},
    "many together": {"project": "PROJ", "status": ["todo"], "assignee": ["me"], "label": "LABEL", "created_by": "ME"},
}


def test_tasks(api, make, member, label):
    words = {"ME": member.pk, "LABEL": label.pk, "PARENT": Task.objects.get(title="parent").pk}
    queries = {
        name: {key: words.get(value, value) if isinstance(value, str) else value for key, value in query.items()}
        for name, query in QUERIES.items()
    }
    make(1)
    at_one = {name: queries_of(api, "/api/v1/tasks/", query, 1) for name, query in queries.items()}
    make(29)
    assert {name: queries_of(api, "/api/v1/tasks/", query, 30) for name, query in queries.items()} == at_one
    assert max(at_one[name] for name in queries if name != "many together") <= MOST


def test_relations(api, project):
    queries = [{}, {"project": "PROJ"}, {"task": "PROJ-1"}, {"type": "blocks"}]
    source = TaskFactory(project=project)
    TaskRelationFactory(source=source)
    at_one = [queries_of(api, "/api/v1/relations/", query, 1) for query in queries]
    for _ in range(29):
        TaskRelationFactory(source=source)
    assert [queries_of(api, "/api/v1/relations/", query, 30) for query in queries] == at_one
    assert max(at_one) <= MOST


@pytest.mark.parametrize("few", [0, pagination.FEW])
def test_on_the_board_the_first_of_many_are_found_by_their_ids(api, project, make, monkeypatch, few):
    """An index alone knows those: of a status that few have, tasks stand far behind all that is done. Of few, all are
    sorted, in whatever order.
    """
    monkeypatch.setattr(pagination, "FEW", few)
    make(3)
    asked = {"project": "PROJ", "status_category": ["todo", "in_progress"], "limit": 2}
    for ordering in ("position", "-position", "number"):
        with CaptureQueriesContext(connection) as queries:
            answer = api.get("/api/v1/tasks/", asked | {"ordering": ordering}).json()
        in_order = project.tasks.order_by(ordering).values_list("pk", flat=True)[:2]
        assert (answer["count"], [task["id"] for task in answer["results"]]) == (4, [str(pk) for pk in in_order])
        ids = (
            queries[-1]["sql"].partition(f'"tasks_task"."id" {AMONG[connection.vendor]}(SELECT')[2].partition("LIMIT 3")
        )
        assert bool(ids[1]) == ("position" in ordering or few > 0 or connection.vendor == "sqlite")
        assert ("ORDER BY COALESCE" in ids[0]) == (few > 0 and connection.vendor == "postgresql")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no statistics")
@pytest.mark.parametrize("query", [{}, {"offset": 20}])
def test_a_project_that_postgresql_takes_for_empty_is_not_gone_through_for_each_task(api, project, member, query):
    TaskFactory(project__owner=member)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    made = {
        "project": project,
        "status": project.statuses.first(),
        "created_at": timezone.now(),
        "updated_at": timezone.now(),
    }
    tasks = [Task(title="child", **made) for _ in range(200)]
    for task in tasks:
        task.assignee_ids, task.label_ids = [member.pk], []
    making.number(tasks)
    making.place(tasks)
    making.make_all(tasks)
    with CaptureQueriesContext(connection) as queries:
        page = api.get("/api/v1/tasks/", {"project": "PROJ", "assignee": "me", "limit": 20, **query}).json()
    assert (page["count"], len(page["results"])) == (200, 20)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # which it would do without by itself were there some more
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {queries[-1]['sql']}")
        [[plan]] = cursor.fetchone()
    assert max(rows_of(plan["Plan"])) <= 200 * (20 + 1), plan  # once for each that is shown at the most, and the next


def rows_of(node):
    """How many rows each node of a plan has looked at."""
    left_out = [number for name, number in node.items() if name.startswith("Rows Removed by")]
    yield node["Actual Loops"] * (node["Actual Rows"] + sum(left_out))
    for each in node.get("Plans", ()):
        yield from rows_of(each)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has other indexes of assignments")
def test_sqlite_knows_whose_a_task_is_by_an_index_alone(api, make):
    make(1)
    with CaptureQueriesContext(connection) as queries:
        assert api.get("/api/v1/tasks/", {"assignee": "me"}).json()["count"] == 1
    [asked] = [query["sql"] for query in queries if "tasks_task_assignees" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked}")
        plan = [step for *_, step in cursor.fetchall()]
    assert len([step for step in plan if "COVERING INDEX assigned_to (user_id=?)" in step]) == 2, plan  # count and page
