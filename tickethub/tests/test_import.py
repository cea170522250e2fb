"""Taking a file into a project: all or nothing, each once, and told as every other write."""

import json
import random
from importlib import import_module
from uuid import uuid5

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.checks import nothing_changes, undone
from accounts.tests.factories import UserFactory
from comments.models import Comment
from projects.models import Project
from projects.tests.factories import ProjectFactory
from realtime.models import Event
from realtime.things import THINGS
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory
from tickethub.env import BASE_DIR
from tickethub.transfer import importing
from tickethub.transfer.adf import as_markdown
from tickethub.transfer.importing import take
from tickethub.transfer.reading import FORMATS, read
from tickethub.transfer.report import Refused
from tickethub.transfer.rows import Unreadable

pytestmark = pytest.mark.django_db
EXPORTS = sorted((BASE_DIR / "tickethub/tests/exports").iterdir())


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="ENGINE", owner=ada)


def native(*tasks, **more):
    """A file as TicketHub exports it, of tasks with ids and titles unless they say otherwise."""
    items = [{"id": f"x{n}", "key": f"OLD-{n}", "title": f"Task {n}", **task} for n, task in enumerate(tasks, 1)]
    return json.dumps({"tickethub": 1, "tasks": items, **more})


def refusals(text, project, by):
    """`(row, field, code)` of all that is refused, asserting that nothing is written."""
    with nothing_changes(), pytest.raises(Refused) as refused, undone():
        take(read(text), project, by)
    return [(each["row"], each["field"], each["code"]) for each in refused.value.report.refused]


def warnings(report):
    return {(each["row"], each["rows"], each["field"], each["code"]) for each in report.as_data()["warnings"]}


# --- What is not like the others ---


@pytest.mark.parametrize("more", [{"labels": [{"name": f"l{n}"} for n in range(5001)]}, {"statuses": [{}] * 101}])
def test_a_file_brings_no_more_labels_and_statuses_than_a_project_can_use(more):
    with pytest.raises(Unreadable, match="At most"):
        read(native({}, **more))


def test_a_cell_beyond_the_columns_is_no_cell_to_be_lost():
    assert len(read("title,body\nFix,one\n,,\n").tasks) == 1
    with pytest.raises(Unreadable, match="Row 3 has more cells"):
        read("title,body\nFix,one\nFix,one, two\n")


def test_a_description_that_is_no_text_is_refused_with_a_long_title_too(project, ada):
    text = native({"title": "x" * 300, "description": {"a": 1}})
    assert refusals(text, project, ada) == [(1, "description", "invalid")]


def test_documents_that_want_to_grow_do_not():
    marked = {"type": "text", "text": "x" * 1000, "marks": [{"type": "strong"}] * 100_000}
    assert as_markdown({"content": [{"type": "paragraph", "content": [marked]}]}) == f"**{'x' * 1000}**"
    node = {"type": "paragraph", "content": [{"type": "text", "text": "x"}] + [{"type": "hardBreak"}] * 1000}
    for _ in range(300):
        node = {"type": "blockquote", "content": [node]}
    assert len(as_markdown({"content": [node]})) < 100_000


# --- All or nothing ---


def test_every_row_that_cannot_be_taken_is_told_and_none_is_taken(project, ada):
    text = native(
        {"title": " "},
        {"description": "x" * 50_001, "due_date": "soon"},
        {"title": "Fine"},
        {"title": "NUL \0"},
        {"id": "x1"},
        {"comments": [{"body": "fine"}, {"body": "x" * 50_001}]},
        {"labels": ["x" * 51]},
        {"labels": "bug"},
        {"title": ["a list"]},
        {"parent": "OLD-11"},
        {"parent": "OLD-10"},
    )

    assert set(refusals(text, project, ada)) == {
        (1, "title", "blank"),
        (2, "description", "max_length"),
        (2, "due_date", "invalid"),
        (4, "title", "null_characters_not_allowed"),
        (5, "id", "unique"),
        (6, "comments", "max_length"),
        (7, "labels", "max_length"),
        (8, "labels", "not_a_list"),
        (9, "title", "invalid"),
        (10, "parent", "circle"),
    }


@pytest.mark.parametrize(("column", "cell"), [("comments", "[{"), ("label_colors", '""a'), ("labels", '""a')])
def test_a_line_of_csv_that_is_broken_is_refused(project, ada, column, cell):
    header = f"id,key,title,status_category,{column}\n"

    assert refusals(f'{header}a,A-1,Fine,,\nb,A-2,Broken,,"{cell}"\n', project, ada) == [
        (3, "non_field_errors", "malformed")
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unknown_format"),
        ("a,b\n1,2\n", "unknown_format"),
        ('title\n"never closed', "malformed"),
        ("{", "malformed"),
        ("[" * 100_000, "malformed"),
        ("[1, 2]", "unknown_format"),
        ('{"tickethub": 2, "tasks": []}', "version"),
        ('{"tickethub": 1}', "malformed"),
        ('[{"title": "\\ud800"}]', "malformed"),
        ('{"cards": [{"idMembers": 5}]}', "malformed"),
    ],
)
def test_what_is_no_file_of_a_known_format_is_unreadable(text, code):
    with pytest.raises(Unreadable) as error:
        read(text)
    assert error.value.code == code


# --- Each once ---


def test_a_task_that_was_deleted_here_does_not_come_back(project, ada):
    text = native({}, {})
    take(read(text), project, ada)
    project.tasks.get(number=1).delete()

    report = take(read(text), project, ada)

    assert (report.made["tasks"], report.standing) == (0, 1)
    assert warnings(report) == {(1, 1, "id", "deleted")}
    assert project.tasks.count() == 1


def test_only_what_is_new_in_a_file_is_made(project, ada):
    take(read(native({"comments": [{"body": "Once"}], "labels": ["a"]})), project, ada)

    text = native(
        {"comments": [{"body": "Once"}], "labels": ["b"]},
        {"parent": "OLD-1", "relations": [{"type": "blocks", "target": "OLD-1"}]},
    )
    report = take(read(text), project, ada)

    assert report.as_data()["made"] == {"tasks": 1, "comments": 0, "relations": 1, "labels": 0, "statuses": 0}
    first, second = project.tasks.order_by("number")
    assert second.parent == first
    assert TaskRelation.objects.get().target == first
    assert Comment.objects.count() == 1


def test_a_parent_that_was_imported_before_is_found_though_the_file_lacks_it(project, ada):
    issue = {"key": "E-1", "fields": {"summary": "Parent"}}
    child = {"key": "E-2", "fields": {"summary": "Child", "parent": {"key": "E-1"}}}
    take(read(json.dumps({"issues": [issue]})), project, ada)
    take(read(json.dumps({"issues": [child]})), project, ada)

    assert project.tasks.get(number=2).parent.title == "Parent"


def test_one_file_goes_into_two_projects(project, ada):
    other = ProjectFactory(owner=ada)

    for each in (project, other):
        assert take(read(native({}, {})), each, ada).made["tasks"] == 2


def test_no_id_of_an_imported_task_can_be_guessed(project, ada):
    """A client may make ids: it would learn by its 409 what was imported, or keep a file out by taking them before."""
    take(read(native({})), project, ada)

    assert project.tasks.get().pk == uuid5(project.import_key, "tickethub:x1")
    assert str(project.import_key) not in json.dumps([event.object for event in Event.objects.all()])
    assert project.import_key not in {project.pk, ProjectFactory().import_key}


def test_what_was_imported_before_there_were_keys_is_known_again(project, ada):
    before, other = ProjectFactory(import_key=project.import_key, owner=ada), TaskFactory().project
    keys = Project.objects.in_bulk()
    TaskFactory(project=before, id=uuid5(before.pk, "tickethub:x1"))

    import_module("tasks.migrations.0012_import_keys").keep_ids(apps, None)

    assert take(read(native({})), Project.objects.get(pk=before.pk), ada).standing == 1
    for each in (project, other):
        assert Project.objects.get(pk=each.pk).import_key == keys[each.pk].import_key


def test_what_a_process_of_before_the_keys_imports_during_an_upgrade_is_known_again(project, ada):
    TaskFactory(project=project, id=uuid5(project.pk, "tickethub:x1"))

    assert take(read(native({})), project, ada).standing == 1


def test_lines_without_an_id_are_known_by_their_title(project, ada):
    text = "title\nBuy milk\nBuy milk\nBuy bread\n"

    assert take(read(text), project, ada).made["tasks"] == 3
    assert take(read(text), project, ada).standing == 3


def test_an_id_of_another_project_is_no_more_than_a_word(project, ada):
    """The tasks of one's own project are known again by theirs; of another's nothing is found out, nor touched."""
    own, foreign = TaskFactory(project=project), TaskFactory()

    report = take(read(native({"id": str(own.pk)}, {"parent": str(foreign.pk)})), project, ada)

    assert (report.made["tasks"], report.standing) == (1, 1)
    assert warnings(report) == {(2, 1, "parent", "does_not_exist")}


# --- How it is written ---


def test_each_object_is_told_once_as_get_shows_it(project, ada):
    before = Event.objects.of(project.pk).last().seq
    text = native(
        {"comments": [{"body": "One"}, {"body": "Two"}], "labels": ["a", "b"], "assignees": [{"username": "ada"}]},
        {"parent": "OLD-3", "relations": [{"type": "blocks", "target": "OLD-1"}]},
        {"status": "done"},
        statuses=[{"slug": "qa", "name": "QA", "category": "in_progress"}],
    )

    take(read(text), project, ada)

    events = list(Event.objects.of(project.pk).filter(seq__gt=before))
    assert [event.seq for event in events] == list(range(before + 1, before + 1 + 9))
    kinds = {"task": 3, "comment": 2, "relation": 1, "label": 2, "status": 1}
    assert sorted(event.type for event in events) == sorted(
        f"{kind}.created" for kind, count in kinds.items() for _ in range(count)
    )
    by_name = {thing.name: thing for thing in THINGS.values()}
    for event in events:
        assert event.object == by_name[event.type.partition(".")[0]].show(event.object_id)
    made = [event.object["title"] for event in events if event.type == "task.created"]
    assert made.index("Task 3") < made.index("Task 2")  # what is above comes first


def test_the_number_of_queries_does_not_grow_with_the_rows(project, ada):
    def count(name, rows):
        tasks = [{"id": f"{name}{n}", "key": "", "comments": [{"body": "Hm"}], "labels": ["a"]} for n in range(rows)]
        with CaptureQueriesContext(connection) as queries:
            take(read(native(*tasks)), project, ada)
        return len(queries)

    count("warm", 1)
    assert count("few", 2) == count("many", 200)


def test_a_deep_chain_of_parents_is_walked_once(project, ada):
    report = take(read(native(*({"parent": f"OLD-{n + 2}"} for n in range(500)), {})), project, ada)

    assert report.made["tasks"] == 501
    assert Task.objects.get(number=1).parent.number == 2


# --- Whatever is in a file ---

ODD = [
    None,
    True,
    -1,
    1e308,
    "",
    "\0",
    "x" * 300,
    "=1+1",
    [],
    {},
    [None],
    [[]],
    {"id": []},
    {"name": {}},
    "2024-13-45",
    10**30,
]


def spoiled(value, chance):
    """The same with something odd here and there."""
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: spoiled(each, chance) for name, each in value.items()}
    if isinstance(value, list):
        return [spoiled(each, chance) for each in value]
    return value


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.name)
def test_a_file_of_any_shape_is_taken_or_refused_in_words(project, ada, path):
    chance = random.Random(path.name)
    text = path.read_text()
    for _ in range(40):
        if path.suffix == ".json":
            broken = json.dumps(spoiled(json.loads(text), chance))
        else:
            at = chance.randrange(len(text))
            broken = (
                text[:at] + chance.choice(['"', ",", "\n", "\0", "\r", "'", "=", ""]) + text[at + chance.randrange(9) :]
            )
        with undone():
            try:
                report = take(read(broken, chance.choice([None, *FORMATS])), project, ada)
                json.dumps(report.as_data())
            except (Unreadable, Refused):
                pass


# --- What PostgreSQL knows of it ---


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no statistics")
@pytest.mark.parametrize(("many", "dry_run", "known"), [(2, False, True), (3, False, False), (2, True, False)])
def test_postgresql_knows_at_once_of_a_large_import(
    project, ada, monkeypatch, django_capture_on_commit_callbacks, many, dry_run, known
):
    monkeypatch.setattr(importing, "MANY", many)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with django_capture_on_commit_callbacks(execute=True):
        take(read(native({}, {"comments": [{"body": "Hello"}]})), project, ada, dry_run=dry_run)
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname IN ('tasks_task', 'comments_comment')")
        assert all(rows > 0 for (rows,) in cursor.fetchall()) == known


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite keeps no statistics")
def test_postgresql_looks_often_at_what_grows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE 'autovacuum_analyze_scale_factor=0.005' = ANY(reloptions)")
        assert {name for (name,) in cursor.fetchall()} == {model._meta.db_table for model in importing.WRITTEN}
