"""A list costs as many queries for thirty rows as for one, and few: the check of the token is among them."""

import pytest

from accounts.tests.checks import MOST_QUERIES, count_queries
from accounts.tests.factories import UserFactory
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def user():
    return UserFactory()


def assert_flat(client, path, grow, before=1):
    """Assert that a list of `before` rows, and of 29 more after `grow`, takes the same few queries."""
    few = count_queries(client, f"{API}{path}", before)
    grow()
    many = count_queries(client, f"{API}{path}", before + 29)
    assert few == many <= MOST_QUERIES


def many_projects(user):
    for _ in range(29):
        ProjectFactory(member=user)


def test_projects(as_user, user):
    ProjectFactory(member=user)
    assert_flat(as_user(user), "projects/", lambda: many_projects(user))


def test_users(as_user, user):
    project = ProjectFactory(member=user)
    assert_flat(as_user(user), "users/", lambda: MembershipFactory.create_batch(29, project=project))


def test_memberships_of_one_project(as_user, user):
    project = ProjectFactory(member=user)
    assert_flat(as_user(user), "memberships/", lambda: MembershipFactory.create_batch(29, project=project))


def test_memberships_of_many_projects(as_user, user):
    ProjectFactory(member=user)
    assert_flat(as_user(user), "memberships/", lambda: many_projects(user))


@pytest.mark.parametrize(("path", "make"), [("invitations/", InvitationFactory), ("labels/", LabelFactory)])
def test_what_is_in_many_projects(as_user, user, path, make):
    def grow():
        for _ in range(29):
            make(project__member=user)

    make(project__member=user)
    assert_flat(as_user(user), path, grow)


def test_statuses_of_one_project(as_user, user):
    project = ProjectFactory(member=user)
    project.statuses.exclude(slug="todo").delete()
    assert_flat(as_user(user), "statuses/", lambda: StatusFactory.create_batch(29, project=project))


def test_statuses_of_many_projects(as_user, user):
    ProjectFactory(member=user)
    client = as_user(user)
    few = count_queries(client, f"{API}statuses/", 6)
    for _ in range(14):
        ProjectFactory(member=user)
    many = count_queries(client, f"{API}statuses/", 90)
    assert few == many <= MOST_QUERIES


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("projects/", "?role=member&archived=false&search=project"),
        ("users/", "?search=person"),
        ("memberships/", "?role=member&project={key}"),
        ("labels/", "?project={key}"),
    ],
)
def test_filters_do_not_change_that(as_user, user, path, query):
    project = ProjectFactory(member=user)
    client = as_user(user)
    LabelFactory(project=project)
    address = path + query.format(key=project.key)

    def grow():
        if path == "projects/":
            many_projects(user)
        elif path == "labels/":
            LabelFactory.create_batch(29, project=project)
        else:
            MembershipFactory.create_batch(29, project=project)

    assert_flat(client, address, grow)
