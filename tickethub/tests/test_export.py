"""A project as JSON and CSV: all of it, in pieces, safe in a spreadsheet, and importable again without loss."""

import csv
import io
import json
from datetime import date
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.models import Project
from projects.tests.factories import LabelFactory, ProjectFactory, StatusFactory
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.transfer import exporting
from tickethub.transfer.cells import escape, join, split, unescape
from tickethub.transfer.exporting import Export
from tickethub.transfer.importing import take
from tickethub.transfer.reading import read

pytestmark = pytest.mark.django_db
HOSTILE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1+1",
    "'quoted",
    "''=1",
    "'",
    'say "hi", then\r\nleave; =1',
    "",
    " ",
    "plain",
]
WRITTEN = ["as_json", "as_csv"]


@pytest.fixture
def people():
    return [UserFactory(username=name) for name in ("ada", "bob")]


def peopled(people, **values):
    ada, bob = people
    return ProjectFactory(owner=ada, viewer=bob, **values)


@pytest.fixture
def rich(people):
    """A project with something of everything, its tasks out of order on the board, and gaps in their numbers."""
    bob = people[1]
    project = peopled(people, key="RICH")
    qa = StatusFactory(project=project, name="Q & A", slug="qa", category="in_progress", position=3)
    labels = [
        LabelFactory(project=project, name=name, color=color) for name, color in [("a, b", "#123456"), ("c", "#abcdef")]
    ]
    tasks = [
        TaskFactory(project=project, title=f"{text.strip() or 'blank'}", description=text, created_by=people[n % 2])
        for n, text in enumerate(HOSTILE)
    ]
    tasks[3].delete()
    tasks[-1].move(before=tasks[0])
    first, second, third = tasks[0], tasks[1], tasks[2]
    first.status, first.priority, first.due_date = qa, 4, date(2031, 12, 10)
    first.save()
    second.status = project.statuses.get(slug="done")
    second.save()
    third.parent = tasks[8]
    third.save()
    first.labels.set(labels)
    first.assignees.set(people)
    TaskRelationFactory(source=first, target=tasks[9], type="duplicates")
    TaskRelationFactory(source=tasks[9], target=second, type="blocks")
    for text in [text for text in HOSTILE if text.strip()]:
        CommentFactory(task=second, author=bob, body=text).edit(f"{text} ")
    return project


def test_a_table_of_more_tasks_than_statuses_may_be_comes_back(people):
    project = peopled(people)
    TaskFactory.create_batch(101, project=project)
    file = read(exported(project, "as_csv"))
    assert (len(file.tasks), [status["slug"] for status in file.statuses]) == (101, ["todo"])


def exported(project, how, user=None):
    return b"".join(getattr(Export(project, user), how)()).decode()


def compared(project):
    """What is exported, but for ids, the key of the project, and when it was last changed; places are counted."""
    data = json.loads(exported(project, "as_json"))
    del data["project"]
    text = json.dumps(data["tasks"]).replace(f"{project.key}-", "KEY-")
    tasks = sorted(json.loads(text), key=lambda task: task["position"])
    for place, task in enumerate(tasks):
        task["position"] = place
        del task["id"], task["updated_at"]
        for comment in task["comments"]:
            del comment["id"]
    return data | {"tasks": tasks}


@pytest.mark.parametrize("how", WRITTEN)
def test_what_is_exported_can_be_imported_without_loss(rich, people, how):
    LabelFactory(project=rich, name="zz") if how == "as_json" else None  # a line of CSV is about a task
    other = peopled(people)

    report = take(read(exported(rich, how)), other, people[0], attribute=True)

    assert report.as_data()["warnings"] == []
    there, here = compared(rich), compared(other)
    if how == "as_csv":  # which has no place for the order of a workflow
        for status in there["statuses"] + here["statuses"]:
            del status["position"]
        here["statuses"].sort(key=str)
        there["statuses"].sort(key=str)
    assert here == there
    assert len(here["tasks"]) == len(HOSTILE) - 1
    assert sum(len(task["comments"]) for task in here["tasks"]) == len(HOSTILE) - 2


@pytest.mark.parametrize("how", WRITTEN)
def test_a_project_takes_its_own_export_for_what_it_has(rich, people, how):
    report = take(read(exported(rich, how)), rich, people[0])

    assert (report.made.total(), report.standing) == (0, len(HOSTILE) - 1)


def test_no_cell_is_run_by_a_spreadsheet(rich):
    rows = list(csv.reader(io.StringIO(exported(rich, "as_csv"), newline="")))

    assert {row[3] for row in rows[1:]} == {escape(text) for text in HOSTILE if text != HOSTILE[3]}
    for cell in [cell for row in rows for cell in row if cell]:
        assert cell.lstrip()[:1] not in set("=+-@＝＋－＠") | {""} or cell == " "
        assert cell[0] not in "\t\r\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_comes_back_as_it_was(text):
    assert unescape(escape(text)) == text
    assert split(join([text, "other"])) == [text, "other"]


def test_several_in_a_cell_are_safe_as_well():
    assert escape(join(["=1", "x"])).startswith("'")


def test_who_has_left_is_not_named(rich, people):
    """As in the API: of people who share no project any more, nothing but the id is shown."""
    bob = people[1]
    rich.memberships.get(user=bob).delete()

    for how in WRITTEN:
        text = exported(rich, how)
        assert str(bob.pk) in text
        assert bob.email not in text
        assert "bob" not in text


def test_it_is_made_in_pieces_of_a_few_queries_each(rich):
    def count():
        with CaptureQueriesContext(connection) as queries:
            for _ in Export(rich).as_json():
                pass
        return len(queries)

    with patch.object(exporting, "AT_ONCE", 100):
        whole = count()
    with patch.object(exporting, "AT_ONCE", 4):
        pieces = count()
        assert json.loads(exported(rich, "as_json"))["tasks"]
        assert len(read(exported(rich, "as_csv")).tasks) == len(HOSTILE) - 1
    assert pieces == whole + 6 * 3  # people, labels and statuses, tasks, comments, relations


def test_who_loses_the_project_meanwhile_gets_no_further(rich, people):
    pieces = Export(rich, people[1]).as_json()
    next(pieces)
    rich.memberships.get(user=people[1]).delete()

    with pytest.raises(Project.DoesNotExist):
        next(pieces)


@pytest.mark.parametrize(("read", "told"), [("read", 0), ("with_all_that_hangs_on", 1)])
def test_what_was_read_of_a_project_that_is_lost_meanwhile_is_not_told(rich, people, monkeypatch, read, told):
    find = getattr(Export, read)

    def find_and_remove(*args):
        found = find(*args)
        rich.memberships.filter(user=people[1]).delete()
        return found

    monkeypatch.setattr(Export, read, find_and_remove)
    pieces, heard = Export(rich, people[1]).as_json(), []
    with pytest.raises(Project.DoesNotExist):
        heard.extend(pieces)
    assert len(heard) == told


@pytest.mark.parametrize("how", WRITTEN)
def test_an_empty_project_gives_an_empty_file(how):
    project = ProjectFactory()

    assert read(exported(project, how)).tasks == []
