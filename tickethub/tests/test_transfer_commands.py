"""`manage.py import_tasks` and `export_project`."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.tests.checks import nothing_changes
from accounts.tests.factories import UserFactory
from comments.models import Comment
from projects.models import Project
from projects.tests.factories import ProjectFactory
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db
ISSUES = [
    {"number": 7, "title": "Order the wheels", "state": "OPEN", "assignees": [{"login": "ghost"}]},
    {
        "number": 8,
        "title": "Cut the teeth",
        "state": "Sawing",
        "comments": [{"author": {"login": "bob"}, "body": "Mine."}],
    },
]


@pytest.fixture
def project():
    project = ProjectFactory(key="ENGINE", owner=UserFactory(username="ada"))
    project.memberships.create(user=UserFactory(username="bob"), role="member")
    return project


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "issues.json"
    path.write_text(json.dumps(ISSUES))
    return path


def run(file, *options):
    """What the command prints to standard output and to standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_tasks", str(file), "--project", "ENGINE", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_imports_with_progress_and_a_summary(project, file):
    out, err = run(file, "--map", "Sawing=in-progress")

    assert err == "2 of 2 rows read\n"
    assert out.splitlines() == [
        "row 1: assignees: “ghost” is no member: left unassigned. (not_a_member)",
        "github-json: made: 2 tasks, 1 comments, 0 relations, 0 labels, 0 statuses; 0 tasks were here already.",
    ]
    assert [task.status.slug for task in project.tasks.order_by("number")] == ["todo", "in-progress"]
    assert {task.created_by.username for task in project.tasks.all()} == {"ada"}
    assert Comment.objects.get().author.username == "bob"  # whoever runs this has the database anyway


def test_a_dry_run_changes_nothing(project, file):
    with nothing_changes():
        out, _ = run(file, "--dry-run")
    assert "would be made: 2 tasks" in out


def test_what_is_refused_is_told_and_ends_in_an_error(project, file):
    file.write_text(json.dumps([*ISSUES, {"number": 9, "title": ""}]))
    out = io.StringIO()

    with nothing_changes(), pytest.raises(CommandError, match="Nothing is imported: 1 refused"):
        call_command("import_tasks", str(file), "--project", "ENGINE", stdout=out, stderr=io.StringIO())
    assert "row 3: title: This field may not be blank. (blank)" in out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--map", "Sawing=nowhere"], "no 'nowhere'"),
        (["--map", "Sawing"], "not name=value"),
        (["--as", "nobody@example.org"], "nobody of the address"),
        (["--format", "trello-json"], "not a list"),
        (["--project", "NONE"], "no project NONE"),
    ],
)
def test_mistakes_are_told_and_change_nothing(project, file, options, words):
    with nothing_changes(), pytest.raises(CommandError, match=words):
        run(file, *options)


def test_a_file_that_is_not_there_or_not_utf_8_is_told(project, tmp_path):
    latin = tmp_path / "latin.csv"
    latin.write_bytes("title\nRäder\n".encode("latin-1"))

    with pytest.raises(CommandError, match="Cannot read"):
        run(tmp_path / "missing")
    with pytest.raises(CommandError, match="not in UTF-8"):
        run(latin)


def test_a_byte_order_mark_is_no_part_of_a_column(project, tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes("\ufefftitle,state\r\nRäder,open\r\n".encode())

    run(path)

    assert project.tasks.get().title == "Räder"


def test_an_archived_project_takes_nothing(project, file):
    Project.objects.filter(pk=project.pk).update(archived_at="2031-01-01T00:00Z")

    with nothing_changes(), pytest.raises(CommandError, match="archived"):
        run(file)


@pytest.mark.parametrize("format", ["json", "csv"])
def test_what_is_exported_is_imported(project, tmp_path, format):
    task = TaskFactory(title="=wheels")
    out = io.StringIO()
    call_command("export_project", "--project", task.project.key, "--format", format, stdout=out)
    (tmp_path / "export").write_text(out.getvalue(), newline="")

    run(tmp_path / "export")

    assert project.tasks.get().title == "=wheels"
