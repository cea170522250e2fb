"""What the tests of tasks share: a project with somebody in each role, one that they must not see, and the log."""

import pytest

from accounts.tests import checks
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tasks.tests.factories import TaskFactory


@pytest.fixture
def owner(db):
    return UserFactory(username="owner")


@pytest.fixture
def admin(db):
    return UserFactory(username="admin")


@pytest.fixture
def member(db):
    return UserFactory(username="member")


@pytest.fixture
def viewer(db):
    return UserFactory(username="viewer")


@pytest.fixture
def outsider(db):
    return UserFactory(username="outsider")


@pytest.fixture
def project(owner, admin, member, viewer):
    return ProjectFactory(key="PROJ", owner=owner, admin=admin, member=member, viewer=viewer)


@pytest.fixture
def foreign_project(outsider):
    """A project that nobody of `project` may see."""
    return ProjectFactory(key="SECRET", owner=outsider)


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
