"""Pages: `limit` and `offset`, on every list alike."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.db.models import QuerySet
from django.urls import resolve
from django.utils import timezone

from accounts.tests.checks import refused, undone
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Invitation, Label, Membership, Project, Status
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.pagination import StrictLimitOffsetPagination

pytestmark = pytest.mark.django_db
LISTS = ["users", "projects", "memberships", "invitations", "statuses", "labels", "tasks", "relations", "comments"]
every_list = pytest.mark.parametrize("path", [f"/api/v1/{name}/" for name in LISTS])


@pytest.fixture(scope="module")
def user(django_db_setup, django_db_blocker):
    """Somebody with at least three of everything to see, all made at one moment and, where they may, of one name.

    Made once for all tests of the module: each takes back what it changes.
    """
    with django_db_blocker.unblock(), undone():
        yield make_user()


@pytest.fixture
def client(as_user, user):
    return as_user(user)


def make_user():
    user = UserFactory()
    for _ in range(3):
        project = ProjectFactory(owner=user)
        MembershipFactory(project=project)
        InvitationFactory(project=project)
        LabelFactory(project=project, name="bug")
        CommentFactory(task=TaskRelationFactory(source__project=project).source)
    for model in (Project, Membership, Invitation, Status, Label, Task, TaskRelation, Comment):
        QuerySet(model).update(created_at=timezone.now())  # past the models, which would make events of it
    return user


@every_list
def test_a_list_tells_how_many_there_are_and_where_to_go_on(client, path):
    page = client.get(path, {"limit": 1, "offset": 1}).json()
    assert set(page) == {"count", "next", "previous", "results"}
    assert page["count"] >= 3
    assert len(page["results"]) == 1
    assert parse_qs(urlsplit(page["next"]).query) == {"limit": ["1"], "offset": ["2"]}
    assert parse_qs(urlsplit(page["previous"]).query) == {"limit": ["1"]}


@every_list
def test_pages_together_hold_each_row_once_also_where_all_are_alike(client, path):
    seen, address = [], f"{path}?limit=2"
    while address:
        page = client.get(address).json()
        seen += page["results"]
        address = page["next"]
    assert seen == client.get(path).json()["results"]
    assert len({each["id"] for each in seen}) == len(seen) == page["count"]


@every_list
def test_the_order_ends_in_what_is_unique(rf, user, path):
    match = resolve(path)
    view = match.func.cls(action="list", request=rf.get(path))
    view.request.user = user
    assert view.get_queryset().query.order_by[-1] in {"pk", "-pk"}


@every_list
def test_a_list_without_rows_is_a_page_too(as_user, user, path):
    client = as_user(UserFactory())
    page = client.get(path).json()
    itself = 1 if path == "/api/v1/users/" else 0
    assert (page["count"], page["next"], page["previous"], len(page["results"])) == (itself, None, None, itself)


@every_list
def test_a_limit_is_a_whole_number_above_zero(client, path):
    for limit in ("0", "-1", "", "x", "1.5", "1e3", "٣", "²", "0x10", "+5", " 5", "5,", "5\n", "[]"):
        refused(client.get(f"{path}?limit={quote(limit)}"), 400, errors={"limit": "invalid"})


@every_list
def test_an_offset_is_a_whole_number(client, path):
    for offset in ("-1", "", "x", "1.5", "1e3", "٣", "+5", " 5", "--1", "None"):
        refused(client.get(f"{path}?offset={quote(offset)}"), 400, errors={"offset": "invalid"})


@every_list
def test_a_nul_is_no_number_either(client, path):
    for name in ("limit", "offset"):
        refused(client.get(f"{path}?{name}=1%00"), 400, errors={name: "null_characters_not_allowed"})


@every_list
def test_an_offset_beyond_the_end_gives_an_empty_page(client, path):
    for offset in (1000, 2**31, 2**63, "9" * 5000):
        page = client.get(f"{path}?offset={offset}").json()
        assert (page["results"], page["next"]) == ([], None)
        assert page["count"] >= 3


@every_list
def test_a_limit_beyond_the_greatest_is_cut_to_it(client, path):
    for limit in (101, 2**31, 2**63, "9" * 5000):
        page = client.get(f"{path}?limit={limit}&offset=1").json()
        assert len(page["results"]) == page["count"] - 1
        assert parse_qs(urlsplit(page["previous"]).query) == {"limit": ["100"]}


def test_a_page_has_fifty_unless_asked_and_a_hundred_at_most(as_user):
    user = UserFactory()
    client = as_user(user)
    TaskFactory.create_batch(101, project=ProjectFactory(owner=user))
    page = client.get("/api/v1/tasks/").json()
    assert (page["count"], len(page["results"])) == (101, 50)
    assert parse_qs(urlsplit(page["next"]).query) == {"limit": ["50"], "offset": ["50"]}
    page = client.get("/api/v1/tasks/", {"limit": 1000}).json()
    assert len(page["results"]) == 100
    assert parse_qs(urlsplit(page["next"]).query) == {"limit": ["100"], "offset": ["100"]}


@every_list
def test_a_page_that_others_came_before_since_the_count_is_not_the_last(client, path, monkeypatch):
    """Or who loads page by page would stop before those who were there all the time."""
    count = client.get(path).json()["count"]
    monkeypatch.setattr(StrictLimitOffsetPagination, "get_count", lambda *_: count - 1)
    page = client.get(path, {"limit": count - 1}).json()
    assert (len(page["results"]), page["count"]) == (count - 1, count)
    monkeypatch.undo()
    assert client.get(page["next"]).json()["results"] == client.get(path).json()["results"][-1:]


def test_the_links_keep_the_filters(client):
    project = Project.objects.first()
    page = client.get("/api/v1/statuses/", {"project": project.key, "limit": 2}).json()
    assert parse_qs(urlsplit(page["next"]).query)["project"] == [project.key]
