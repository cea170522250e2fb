"""What the tests of tasks share: a project with somebody in each role, one that they must not see, and the log."""

from copy import deepcopy
from types import SimpleNamespace

import pytest

from accounts.tests import checks
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tasks.tests.factories import TaskFactory


def make_cast():
    """People by their role in a project, and one that they must not see."""
    people = {name: UserFactory(username=name) for name in ("owner", "admin", "member", "viewer")}
    outsider = UserFactory(username="outsider")
    return SimpleNamespace(
        **people,
        outsider=outsider,
        project=ProjectFactory(key="PROJ", **people),
        foreign_project=ProjectFactory(key="SECRET", owner=outsider),
    )


@pytest.fixture(scope="module")
def cast_of_module(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), checks.undone():
        yield make_cast()


@pytest.fixture
def cast(cast_of_module, db):
    """The cast, made once for all tests of a module: each takes back what it changes, and has objects of its own."""
    return deepcopy(cast_of_module)


@pytest.fixture
def owner(cast):
    return cast.owner


@pytest.fixture
def admin(cast):
    return cast.admin


@pytest.fixture
def member(cast):
    return cast.member


@pytest.fixture
def viewer(cast):
    return cast.viewer


@pytest.fixture
def outsider(cast):
    return cast.outsider


@pytest.fixture
def project(cast):
    return cast.project


@pytest.fixture
def foreign_project(cast):
    """A project that nobody of `project` may see."""
    return cast.foreign_project


@pytest.fixture
def foreign_task(foreign_project, outsider):
    return TaskFactory(project=foreign_project, created_by=outsider, title="secret plans")


@pytest.fixture
def task(project, member):
    return TaskFactory(project=project, created_by=member, title="Lay the table", description="With care.")


@pytest.fixture
def api(as_user, member):
    """A member's client."""
    return as_user(member)


@pytest.fixture
def log(as_user, owner, project):
    """A callable that gives the events since it was last called, first since the test asked for it."""
    client, cursors = as_user(owner), {}

    def read(project=project):
        query = {"project": project.key, "limit": 100}
        if project in cursors:
            query["after"] = cursors[project]
        answer = client.get("/api/v1/events/", query)
        assert answer.status_code == 200, answer.content
        assert not answer.json()["has_more"]
        cursors[project] = answer.json()["cursor"]
        return answer.json()["results"]

    read()
    return read


@pytest.fixture
def nothing_changes(db):
    """A context manager that fails if a row, an event or a mail comes, goes or changes within it."""
    return checks.nothing_changes
