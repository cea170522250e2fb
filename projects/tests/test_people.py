"""What projects say about people: whom one sees under users/, and who may close their account."""

import pytest

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/users/"
ME = "/api/v1/users/me/"


@pytest.fixture
def user():
    return UserFactory(username="caller", first_name="Zoe")


@pytest.fixture
def client(as_user, user):
    return as_user(user)


def handles(response):
    assert response.status_code == 200, response.content
    return [person["username"] for person in response.json()["results"]]


def test_one_sees_those_of_ones_projects_and_oneself_each_once(client, user):
    friend, stranger = UserFactory(username="friend"), UserFactory(username="stranger")
    for _ in range(2):
        ProjectFactory(member=user, owner=friend, viewer=UserFactory())
    ProjectFactory(owner=stranger, member=friend)
    shown = handles(client.get(URL))
    assert len(shown) == len(set(shown)) == 4
    assert {"caller", "friend"} < set(shown)
    assert "stranger" not in shown


def test_who_is_in_no_project_sees_oneself_alone(client):
    UserFactory.create_batch(3)
    assert handles(client.get(URL)) == ["caller"]


def test_staff_sees_no_more(as_user):
    UserFactory.create_batch(3)
    staff = UserFactory(is_staff=True, is_superuser=True)
    assert handles(as_user(staff).get(URL)) == [staff.username]


def test_a_person_shows_public_fields_alone(client, user):
    friend = UserFactory(is_staff=True)
    ProjectFactory(member=user, owner=friend)
    response = client.get(f"{URL}{friend.pk}/")
    assert set(response.json()) == {"id", "username", "email", "first_name", "last_name", "date_joined"}
    assert response.json()["id"] == str(friend.pk)


def test_a_stranger_looks_as_if_there_were_none(client):
    stranger = UserFactory()
    address = f"{URL}{stranger.pk}/"
    there = client.get(address)
    refused(there, 404, "not_found")
    stranger.delete()
    assert client.get(address).content == there.content
    assert client.get(f"{URL}nonsense/").content == there.content
    refused(client.get(f"{URL}nonsense/"), 404, "not_found")


def test_who_has_left_is_seen_no_more(client, user):
    membership = MembershipFactory(project=ProjectFactory(owner=user))
    assert client.get(f"{URL}{membership.user.pk}/").status_code == 200
    membership.delete()
    refused(client.get(f"{URL}{membership.user.pk}/"), 404)


@pytest.mark.parametrize("words", ["LOVE", "ada love", "lovelace@", "ada", "countess", "ÉRÉ"])
def test_people_are_searched_by_handle_names_and_address(client, user, words):
    ada = UserFactory(
        username="countess", email="ada.lovelace@example.org", first_name="Ada Bérénice", last_name="Lovelace"
    )
    ProjectFactory(member=user, owner=ada, viewer=UserFactory(username="babbage"))
    UserFactory(username="ada_of_elsewhere", last_name="Lovelace countess", email="lovelace@example.net")
    assert handles(client.get(URL, {"search": words})) == ["countess"]


@pytest.mark.parametrize("query", ["email=x", "search=%00", "ordering=email", "limit=0"])
def test_unknown_filters_and_values_are_refused(client, query):
    refused(client.get(f"{URL}?{query}"), 400, "invalid")


@pytest.mark.parametrize("method", ["patch", "delete", "put", "post"])
def test_nobody_else_can_be_changed(client, user, method):
    friend = UserFactory()
    ProjectFactory(member=friend, owner=user)
    with nothing_changes():
        refused(getattr(client, method)(f"{URL}{friend.pk}/", {"first_name": "New"}), 405)
        refused(getattr(client, method)(f"{URL}{user.pk}/", {"first_name": "New"}), 405)


def test_the_last_owner_of_a_project_cannot_close_their_account(client, user):
    ProjectFactory(owner=user, admin=UserFactory())
    with nothing_changes():
        refused(client.delete(ME), 409, "last_owner")
    assert client.get(ME).status_code == 200


def test_an_owner_beside_a_closed_account_is_the_last_one(client, user):
    MembershipFactory(project=ProjectFactory(owner=user), role="owner", user__is_active=False)
    with nothing_changes():
        refused(client.delete(ME), 409, "last_owner")


def test_one_of_two_owners_may_close_their_account(client, user):
    project = ProjectFactory(owner=user)
    MembershipFactory(project=project, role="owner")
    ProjectFactory(member=user, owner=UserFactory())
    assert client.delete(ME).status_code == 204
    user.refresh_from_db()
    assert not user.is_active


def test_a_new_name_is_told_in_each_of_ones_projects(client, user):
    projects = [ProjectFactory(member=user), ProjectFactory(viewer=user)]
    ProjectFactory()
    cursors = {
        project.key: client.get("/api/v1/events/", {"project": project.key}).json()["cursor"] for project in projects
    }
    client.patch(ME, {"first_name": "Zoé"})
    for key, cursor in cursors.items():
        [event] = client.get("/api/v1/events/", {"project": key, "after": cursor}).json()["results"]
        assert (event["type"], event["actor"]) == ("membership.updated", str(user.pk))
        assert event["object"]["user"]["first_name"] == "Zoé"
        assert event["changes"]["user"][0]["first_name"] == "Zoe"
