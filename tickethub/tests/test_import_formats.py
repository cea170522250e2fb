"""What comes of files as GitHub, Jira and Trello export them."""

import pytest

from accounts.tests.factories import UserFactory
from comments.models import Comment
from projects.tests.factories import ProjectFactory
from tasks.models import TaskRelation
from tickethub.env import BASE_DIR
from tickethub.transfer.importing import take
from tickethub.transfer.reading import FORMATS, decode, read

pytestmark = pytest.mark.django_db
EXPORTS = BASE_DIR / "tickethub/tests/exports"
FILES = {
    "github-rest.json": "github-json",
    "github-cli.json": "github-json",
    "github.csv": "github-csv",
    "jira.csv": "jira-csv",
    "jira.json": "jira-json",
    "trello.json": "trello-json",
    "trello.csv": "trello-csv",
}


@pytest.fixture
def ada():
    return UserFactory(username="ada", first_name="Ada", last_name="Lovelace")


@pytest.fixture
def project(ada):
    grace = UserFactory(username="grace", first_name="Grace", last_name="Hopper")
    return ProjectFactory(key="ENGINE", owner=ada, member=grace)


def content(name):
    return decode((EXPORTS / name).read_bytes())


def taken(name, project, by, **options):
    """The report, and the project's tasks by number."""
    report = take(read(content(name)), project, by, **options)
    return report, {task.number: task for task in project.tasks.select_related("status", "parent")}


def labels(task):
    return {label.name: label.color for label in task.labels.all()}


def people(task):
    return [user.username for user in task.assignees.all()]


def said(task):
    comments = Comment.objects.filter(task=task).order_by("created_at").select_related("author")
    return [(comment.author.username, comment.body, f"{comment.created_at:%Y-%m-%d}") for comment in comments]


def told(report):
    return {(field, code) for field, code, _ in report.warnings}


@pytest.mark.parametrize(("name", "format"), FILES.items())
def test_the_format_is_known_by_the_content(name, format):
    assert read(content(name)).format == read(content(name), format).format == format


def test_there_is_a_file_of_every_foreign_format():
    assert set(FILES.values()) == {name for name in FORMATS if not name.startswith("tickethub")}


@pytest.mark.parametrize("name", FILES)
def test_what_was_imported_once_is_left_as_it_is(name, project, ada):
    first, _ = taken(name, project, ada)
    project.tasks.update(title="Changed since")

    second, tasks = taken(name, project, ada)

    assert first.made["tasks"] == len(tasks) > 0
    assert second.made.total() == 0
    assert second.standing == len(tasks)
    assert {task.title for task in tasks.values()} == {"Changed since"}


def test_github_by_rest(project, ada):
    report, tasks = taken("github-rest.json", project, ada)

    assert sorted(tasks) == [3, 7]  # as there, so that what mentions #7 stays true
    slips = tasks[7]
    assert slips.title == "Wheel slips on the third tooth"
    assert slips.description.startswith("Happens **only** when wet.\r\n\r\n- [ ] measure\n\n")
    assert slips.description.endswith("_Originally by octocat https://github.example/engine/works/issues/7_")
    assert slips.status.slug == "cancelled"
    assert slips.completed_at is None
    assert tasks[3].status.slug == "todo"
    assert labels(slips) == {"bug": "#d73a4a", "brass": "#b08d57"}
    assert list(labels(tasks[3])) == ["brass"]
    assert people(slips) == ["grace"]
    assert f"{slips.created_at:%Y-%m-%d %H:%M}" == "2024-03-01 09:30"
    assert {("assignees", "not_a_member"), ("pull_request", "left_out")} <= told(report)


def test_github_by_its_command_line(project, ada):
    _, tasks = taken("github-cli.json", project, ada)

    assert tasks[7].status.slug == "done"
    assert f"{tasks[7].completed_at:%Y-%m-%d}" == "2024-03-05"
    assert said(tasks[7]) == [("ada", "Same here.\n\n_Originally by hubot_", "2024-03-02")]  # the other one is empty


def test_github_by_rest_and_by_its_command_line_are_the_same_issues(project, ada):
    taken("github-rest.json", project, ada)
    report, _ = taken("github-cli.json", project, ada)

    assert report.standing == 1
    assert report.made.total() == 0


def test_github_as_a_table(project, ada):
    _, tasks = taken("github.csv", project, ada)

    assert tasks[7].title == "Wheel slips, sometimes"
    assert tasks[7].description.startswith("Line one\nline two\n\n_Originally by octocat")
    assert set(labels(tasks[7])) == {"bug", "brass"}
    assert people(tasks[7]) == ["grace"]
    assert tasks[7].status.slug == "done"
    assert tasks[3].status.slug == "todo"


def test_jira_as_a_table(project, ada):
    report, tasks = taken("jira.csv", project, ada)

    teeth, polish, ship = tasks[4], tasks[5], tasks[9]
    assert teeth.title == "Cut the gear teeth"
    assert teeth.description == "h2. How\n\nWith *care*; see notes"  # Ada's own, by her name
    assert set(labels(teeth)) == {"brass", "urgent-fix"}
    assert people(teeth) == ["grace"]
    assert teeth.get_priority_display() == "Urgent"
    assert polish.get_priority_display() == "Low"
    assert [task.status.slug for task in (teeth, polish, ship)] == ["done", "in-progress", "cancelled"]
    assert polish.parent == teeth
    assert str(teeth.due_date) == "2025-08-20"
    assert f"{teeth.created_at:%Y-%m-%d %H:%M}" == "2025-07-14 15:42"
    relations = [(each.source, each.type, each.target) for each in TaskRelation.objects.all()]
    assert relations == [(teeth, "blocks", ship)]  # though both of them tell of it
    assert ("ada", "First; with a semicolon\n\n_Originally by 712020:5b10_", "2025-07-15") in said(teeth)
    assert "Just a note" in [body for _, body, _ in said(teeth)]
    assert told(report) == set()


def test_jira_by_rest(project, ada):
    _, tasks = taken("jira.json", project, ada)

    teeth, polish = tasks[4], tasks[5]
    assert teeth.description == (
        "## How\n\nWith **care**, see [this](https://e.example/)\n\n- file\n\n  1. slowly\n\n```sh\ncut --teeth 12\n```"
    )
    assert [task.status.slug for task in (teeth, polish)] == ["in-progress", "cancelled"]
    assert people(teeth) == ["grace"]
    assert polish.parent == teeth
    assert polish.description == "wiki *text*"
    assert said(teeth) == [("ada", "@Ada done?\n\n_Originally by Grace Hopper_", "2025-07-15")]
    assert TaskRelation.objects.count() == 1


def test_trello(project, ada):
    report, tasks = taken("trello.json", project, ada)

    assert sorted(tasks) == [12, 13]
    teeth, steam = tasks[12], tasks[13]
    assert teeth.description == (
        "With care.\n\n**Steps**\n\n- [x] cut\n- [ ] polish\n\n"
        "_Originally by stranger9 https://trello.example/c/abcd1234_"
    )
    assert [teeth.status.slug, steam.status.slug] == ["in-progress", "backlog"]
    assert steam.position < teeth.position  # its list comes first
    assert labels(teeth) == {"brass": "#e2b203", "red": "#f87462"}
    assert people(teeth) == ["grace"]
    assert str(teeth.due_date) == "2025-08-20"
    assert [body.partition("\n")[0] for _, body, _ in said(teeth)] == ["First.", "Second."]
    assert [row["rows"] for key, row in report.warnings.items() if key[1] == "left_out"] == [2]


def test_trello_as_a_table(project, ada):
    report, [task] = taken("trello.csv", project, ada)[0], project.tasks.all()

    assert set(labels(task)) == {"brass", "urgent"}
    assert task.status.slug == "in-progress"
    assert people(task) == ["grace"]
    assert ("closed", "left_out") in told(report)


def test_words_mean_what_they_are_said_to(project, ada):
    _, tasks = taken("jira.csv", project, ada, statuses={"Fertig": "in-review"}, people={"712020:5b10": "grace"})

    assert tasks[4].status.slug == "in-review"
    assert said(tasks[4])[0][1].endswith("_Originally by 712020:5b10_")  # whoever it is: not the one who imports


def test_members_are_the_authors_where_that_is_asked(project, ada):
    _, tasks = taken("jira.csv", project, ada, people={"712020:5b10": "grace"}, attribute=True)

    assert ("grace", "First; with a semicolon", "2025-07-15") in said(tasks[4])
    assert tasks[9].created_by.username == "grace"
