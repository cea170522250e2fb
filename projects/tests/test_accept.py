"""POST invitations/accept/"""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Invitation, Membership, Role
from projects.tests.factories import InvitationFactory, MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/invitations/accept/"


@pytest.fixture
def guest():
    return UserFactory(email="guest@example.org")


@pytest.fixture
def client(as_user, guest):
    return as_user(guest)


def make(**fields):
    """An invitation of `guest` that knows its token."""
    return InvitationFactory(**{"email": "guest@example.org", **fields})


@pytest.mark.parametrize("role", Role.values)
def test_accepting_gives_the_membership(client, guest, role):
    invitation = make(role=role)
    response = client.post(URL, {"token": invitation.token})
    assert response.status_code == 201
    membership = Membership.objects.get()
    assert (membership.project, membership.user, membership.role) == (invitation.project, guest, role)
    assert [response.json()] == client.get("/api/v1/memberships/").json()["results"]
    invitation.refresh_from_db()
    assert timezone.now() - invitation.accepted_at < timedelta(minutes=1)


def test_accepting_is_told_as_an_event(as_user, client, guest):
    invitation = make()
    watcher = as_user(MembershipFactory(project=invitation.project).user)
    query = {"project": invitation.project.key}
    query["after"] = watcher.get("/api/v1/events/", query).json()["cursor"]
    membership = client.post(URL, {"token": invitation.token}).json()
    [event] = watcher.get("/api/v1/events/", query).json()["results"]
    assert (event["type"], event["object"], event["actor"]) == ("membership.created", membership, str(guest.pk))


@pytest.mark.parametrize("email", ["Guest@Example.org", "GUEST@EXAMPLE.ORG"])
def test_the_case_of_the_address_does_not_matter(client, email):
    assert client.post(URL, {"token": make(email=email).token}).status_code == 201


def test_tokens_that_are_not_the_callers_to_use_get_one_and_the_same_404(client):
    now = timezone.now()
    tokens = [
        "never-was",
        "x" * 128,
        "é",
        Invitation.hash("never-was"),
        make().token_hash,
        make(expires_at=now - timedelta(seconds=1)).token,
        make(accepted_at=now).token,
        make(email="other@example.org").token,
        make().token + "x",
        make().token.swapcase(),
    ]
    with nothing_changes():
        answers = [client.post(URL, {"token": token}) for token in tokens]
    for answer in answers:
        refused(answer, 404, "not_found")
    assert len({answer.content for answer in answers}) == 1


def lose(membership, way):
    if way == "leave":
        membership.delete()
    elif way == "close":
        membership.user.deactivate()
    else:
        membership.role = way
        membership.save(update_fields=["role"])


@pytest.mark.parametrize(
    ("role", "way"),
    [(role, way) for role in Role.values for way in ("leave", "close", "member")] + [("owner", "admin")],
)
def test_an_invitation_of_who_may_no_longer_make_it_is_as_good_as_unknown(client, role, way):
    inviter = MembershipFactory(role="owner")
    invitation = make(role=role, project=inviter.project, invited_by=inviter.user)
    lose(inviter, way)
    with nothing_changes():
        answer = client.post(URL, {"token": invitation.token})
        unknown = client.post(URL, {"token": "never-was"})
    refused(answer, 404, "not_found")
    assert answer.content == unknown.content


@pytest.mark.parametrize(("role", "by"), [("member", "admin"), ("viewer", "admin"), ("admin", "owner")])
def test_an_invitation_of_who_may_still_make_it_lets_in(client, role, by):
    inviter = MembershipFactory(role="owner")
    invitation = make(role=role, project=inviter.project, invited_by=inviter.user)
    lose(inviter, by)
    assert client.post(URL, {"token": invitation.token}).status_code == 201


def test_who_was_removed_does_not_come_back_by_an_invitation_of_their_own(as_user):
    project = ProjectFactory(owner=UserFactory())
    leaver = MembershipFactory(project=project, role="owner")
    friend = UserFactory()
    body = {"project": str(project.pk), "email": friend.email, "role": "owner"}
    token = as_user(leaver.user).post("/api/v1/invitations/", body).json()["token"]
    leaver.delete()
    client = as_user(friend)
    with nothing_changes():
        refused(client.post(URL, {"token": token}), 404, "not_found")


def test_a_token_works_once(client, guest):
    invitation = make()
    assert client.post(URL, {"token": invitation.token}).status_code == 201
    with nothing_changes():
        refused(client.post(URL, {"token": invitation.token}), 404, "not_found")
    Membership.objects.get(user=guest).delete()
    with nothing_changes():
        refused(client.post(URL, {"token": invitation.token}), 404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_makes_a_membership(as_user):
    guest, invitation = UserFactory(email="guest@example.org"), make()
    answers = all_at_once([partial(as_user(guest).post, URL, {"token": invitation.token}) for _ in range(20)])
    assert answers.count(201) == 1
    assert set(answers) <= {201, 404, 409}
    assert Membership.objects.count() == 1


def test_who_is_a_member_already_stays_what_they_are(client, guest):
    invitation = make(role="owner")
    MembershipFactory(project=invitation.project, user=guest, role="viewer")
    with nothing_changes():
        refused(client.post(URL, {"token": invitation.token}), 409, "already_member")


def test_a_forwarded_token_is_of_no_use_to_staff_either(as_user):
    staff = as_user(UserFactory(is_staff=True, is_superuser=True))
    token = make().token
    with nothing_changes():
        refused(staff.post(URL, {"token": token}), 404)


def test_one_has_to_be_logged_in(anonymous):
    token = make().token
    with nothing_changes():
        refused(anonymous.post(URL, {"token": token}), 401)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"token": ""}, "blank"),
        ({"token": None}, "null"),
        ({"token": []}, "invalid"),
        ({"token": {}}, "invalid"),
        ({"token": True}, "invalid"),
    ],
)
def test_what_is_no_token_is_refused(client, body, code):
    with nothing_changes():
        refused(client.post(URL, body), 400, errors={"token": code})
