"""The admin of statuses."""

import pytest

from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk, errors, told, written
from projects.models import Status
from projects.tests.factories import ProjectFactory, StatusFactory
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def project():
    return ProjectFactory(key="TEA", name="Tea", owner=UserFactory())


def test_status_is_made_with_a_slug_of_its_name(desk, project):
    response = desk.save(Status, "add", project=project.pk, name="On hold!", category="backlog")
    status = project.statuses.get(slug="on-hold")
    assert written(desk, response) == [("status.created", status.pk, {})]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "Todo"}, "already exists"),
        ({"name": "Other", "slug": "todo"}, "already exists"),
        ({"name": "!!!"}, "This name gives no slug; name one."),
        ({"name": ""}, "This field is required."),
        ({"name": "Other", "slug": "no slug"}, "valid"),
    ],
)
def test_slug_of_a_status_is_checked(desk, project, fields, words):
    assert words in errors(desk.save(Status, "add", project=project.pk, category="todo", **fields))
    rows = {f"statuses-6-{name}": value for name, value in fields.items()}
    rows |= {"statuses-6-category": "todo", "statuses-6-position": "7", "statuses-TOTAL_FORMS": 7}
    assert words in errors(desk.save(project, **rows))
    assert project.statuses.count() == 6


def test_slug_and_project_of_a_status_are_fixed(desk, project):
    status = project.statuses.get(slug="todo")
    desk.save(status, name="To do", slug="other", project=ProjectFactory().pk)
    desk.save(project, **{"statuses-1-slug": "other"})
    status.refresh_from_db()
    assert (status.name, status.slug, status.project) == ("To do", "todo", project)


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_another_status_is_made_the_default(desk, project, page):
    status = project.statuses.get(slug="backlog")
    response = desk.act("make_default", status, page=page)
    assert told(response) == ["Backlog is the default of TEA now."]
    assert project.statuses.get(is_default=True) == status
    assert [changes for *_, changes in written(desk, response)] == [
        {"is_default": [True, False]},
        {"is_default": [False, True]},
    ]


def test_default_status_is_not_deleted(desk, project):
    status, other = project.statuses.get(is_default=True), project.statuses.get(slug="done")
    words = "A project needs a default status. Make another one the default first."
    for response in (
        desk.delete(status),
        desk.delete(status, other),
        desk.save(project, **{"statuses-1-DELETE": "on"}),
    ):
        assert told(response)[-1] == words
        assert written(desk, response) == []
    assert project.statuses.count() == 6


def test_status_in_use_is_not_deleted(desk, project):
    status, other = project.statuses.get(slug="backlog"), project.statuses.get(slug="done")
    TaskFactory(project=project, status=status)
    for response in (desk.delete(status), desk.delete(status, other)):
        assert response.status_code == 200
        assert "1 task<" in response.content.decode()
        assert "Cannot delete status" in response.content.decode()
    response = desk.save(project, **{"statuses-0-DELETE": "on"})
    assert "would require deleting the following protected related objects" in errors(response)
    assert project.statuses.count() == 6


def test_category_of_a_status_in_use_is_fixed(desk, project):
    status = project.statuses.get(slug="backlog")
    TaskFactory(project=project, status=status)
    words = "its category says when they were completed"
    assert words in errors(desk.save(status, category="done"))
    assert words in errors(desk.save(project, **{"statuses-0-category": "done"}))
    assert desk.save(project.statuses.get(slug="done"), category="cancelled").status_code == 302
    status.refresh_from_db()
    assert status.category == "backlog"


def test_status_that_is_changed_and_deleted_at_once_is_deleted(desk, project):
    page = desk.open(project)
    place = next(
        number
        for number, form in enumerate(page.context["inline_admin_formsets"][1].formset.forms)
        if form.instance.slug == "in-review"
    )
    changes = {f"statuses-{place}-category": "done", f"statuses-{place}-DELETE": "on"}
    assert desk.save(project, opened=page, **changes).status_code == 302
    assert not project.statuses.filter(slug="in-review").exists()


def test_statuses_are_deleted_together(desk):
    statuses = [StatusFactory(), StatusFactory()]
    assert [kind for kind, *_ in written(desk, desk.delete(*statuses))] == ["status.deleted"] * 2
