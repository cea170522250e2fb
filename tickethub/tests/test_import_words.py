"""What words of a file become in a project: its statuses, priorities and people."""

import pytest

from accounts.tests.checks import nothing_changes, undone
from accounts.tests.factories import UserFactory
from comments.models import Comment
from projects.tests.factories import ProjectFactory
from tasks.models import Task
from tickethub.tests.test_import import native, warnings
from tickethub.transfer.importing import take
from tickethub.transfer.matching import UnknownMeaning
from tickethub.transfer.reading import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="ENGINE", owner=ada)


def test_a_status_is_found_by_its_slug_as_it_is_written(project, ada):
    project.statuses.create(name="Quality", slug="QA", category="in_progress", position=9)
    take(read(native({"status": "QA"}, {"status": "qa"})), project, ada)
    assert [task.status.slug for task in Task.objects.order_by("number")] == ["QA", "QA"]


def test_statuses_that_differ_in_case_alone_are_two(project, ada):
    text = native({"status": "DONE"}, statuses=[{"slug": "DONE", "name": "Done for", "category": "cancelled"}])
    assert take(read(text), project, ada).made["statuses"] == 1
    task = Task.objects.get()
    assert (task.status.slug, task.completed_at) == ("DONE", None)


def test_a_status_that_was_said_to_mean_another_is_not_made(project, ada):
    text = native({"status": "QA"}, statuses=[{"slug": "QA", "name": "QA", "category": "done", "position": 7}])
    take(read(text), project, ada, statuses={"qa": "in-review"})
    assert Task.objects.get().status.slug == "in-review"
    assert not project.statuses.filter(slug="QA").exists()


def test_what_is_not_known_here_is_told_and_taken_as_the_default(project, ada):
    row = {"status": "Limbo", "priority": "ludicrous", "assignees": [{"username": "ghost"}], "parent": "OLD-99"}
    row |= {"relations": [{"type": "likes", "target": "OLD-2"}]}

    report = take(read(native(row, {**row, "created_at": "long ago"})), project, ada)

    task = project.tasks.get(number=1)
    assert (task.status.slug, task.priority, task.assignees.count(), task.parent) == ("todo", 0, 0, None)
    assert warnings(report) == {
        (1, 2, "status", "unknown_status"),
        (1, 2, "priority", "unknown_priority"),
        (1, 2, "assignees", "not_a_member"),
        (1, 2, "parent", "does_not_exist"),
        (1, 2, "relations", "does_not_exist"),
        (2, 1, "created_at", "invalid"),
    }


@pytest.mark.parametrize(
    ("word", "slug"),
    [
        ("in-progress", "in-progress"),
        ("IN REVIEW", "in-review"),
        ("Doing", "in-progress"),
        ("Selected for Development", "todo"),
        ("Someday", "backlog"),
        ("Resolved", "done"),
        ("Won't Do", "cancelled"),
        ("", "todo"),
    ],
)
def test_usual_words_for_a_status_are_understood(project, ada, word, slug):
    report = take(read(native({"status": word})), project, ada)

    assert project.tasks.get().status.slug == slug
    assert not report.warnings
    assert report.statuses == ({word: slug} if word else {})


def test_a_meaning_has_to_be_in_the_project(project, ada):
    for options in ({"statuses": {"Doing": "nowhere"}}, {"people": {"octocat": "stranger"}}):
        with nothing_changes(), pytest.raises(UnknownMeaning), undone():
            take(read(native({})), project, ada, **options)


def test_a_title_that_is_too_long_stands_in_the_description(project, ada):
    report = take(read(native({"title": "long " * 100, "description": "Text"})), project, ada)

    task = project.tasks.get()
    assert len(task.title) == 255
    assert task.description == f"{('long ' * 100).strip()}\n\nText"
    assert warnings(report) == {(1, 1, "title", "max_length")}


def test_nobody_speaks_through_a_file(project, ada):
    """Who imports could else have others say what they never did."""
    bob = UserFactory(username="bob")
    project.memberships.create(user=bob, role="admin")
    words = {"author": {"username": "bob"}, "body": "I resign."}

    take(read(native({"created_by": {"id": str(bob.pk)}, "comments": [words]})), project, ada)

    assert project.tasks.get().created_by == Comment.objects.get().author == ada
    assert Comment.objects.get().body == "I resign.\n\n_Originally by bob_"


def test_no_account_and_no_membership_comes_of_a_file(project, ada):
    people = list(project.memberships.values_list("user__username", flat=True))

    take(read(native({"assignees": [{"username": "new", "email": "new@example.org"}]})), project, ada)

    assert list(project.memberships.values_list("user__username", flat=True)) == people
    assert not type(ada).objects.filter(username="new").exists()
