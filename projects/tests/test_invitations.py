"""GET POST invitations/, DELETE invitations/{id}/"""

import hashlib
import re
from datetime import timedelta
from functools import partial
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from accounts.tests.checks import all_at_once, everything, nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Invitation, Role
from projects.tests.factories import InvitationFactory, MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/invitations/"
SHOWN = {"id", "project", "email", "role", "expires_at", "accepted_at", "created_at"}


@pytest.fixture
def owner():
    return UserFactory(username="olga")


@pytest.fixture
def project(owner):
    return ProjectFactory(name="Engine", owner=owner)


@pytest.fixture
def client(as_user, owner):
    return as_user(owner)


@pytest.fixture
def invite(client, project, django_capture_on_commit_callbacks):
    def call(email="new@example.org", **fields):
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(URL, {"project": str(project.pk), "email": email, **fields})

    return call


def test_an_invitation_shows_its_token_once(client, invite, settings):
    settings.PUBLIC_URL = "https://tickets.example.org"
    response = invite(role="viewer")
    assert response.status_code == 201
    made = response.json()
    assert set(made) == SHOWN | {"token", "accept_url"}
    assert made["accept_url"] == f"https://tickets.example.org/invitations/accept/#{made['token']}"
    assert (made["email"], made["role"], made["accepted_at"]) == ("new@example.org", "viewer", None)
    [listed] = client.get(URL).json()["results"]
    assert listed == {name: made[name] for name in SHOWN}


def test_the_hash_of_a_token_is_kept_and_the_token_nowhere(invite):
    token = invite().json()["token"]
    assert len(token) >= 40
    assert Invitation.objects.get().token_hash == hashlib.sha256(token.encode()).hexdigest()
    rows, _ = everything()
    assert token not in str(rows)


def test_tokens_differ(invite):
    assert invite("a@example.org").json()["token"] != invite("b@example.org").json()["token"]


def test_an_invitation_lasts_two_weeks(invite):
    invite()
    invitation = Invitation.objects.get()
    assert invitation.expires_at - invitation.created_at == pytest.approx(timedelta(days=14), abs=timedelta(seconds=5))


def test_the_role_is_member_unless_said(invite):
    assert invite().json()["role"] == "member"


def test_a_mail_is_sent(invite, settings):
    settings.PUBLIC_URL = "https://tickets.example.org"
    made = invite(role="admin").json()
    [message] = mail.outbox
    assert message.to == ["new@example.org"]
    assert message.subject == "Join Engine on TicketHub"
    assert made["accept_url"] in message.body
    assert made["token"] in message.body
    for word in ("@olga", "Engine", "admin", "new@example.org"):
        assert word in message.body
    assert re.search(rf"until {timezone.now() + timedelta(days=14):%-d} \w+ \d{{4}}", message.body)


def test_a_project_name_of_several_lines_cannot_forge_the_mail(invite, project):
    project.name = "Engine\nBcc: everybody@example.org"
    project.save(update_fields=["name"])
    assert invite().status_code == 201
    [message] = mail.outbox
    assert message.recipients() == ["new@example.org"]
    assert message.subject == "Join Engine Bcc: everybody@example.org on TicketHub"
    assert "project Engine Bcc: everybody@example.org (" in message.body


@pytest.mark.django_db(transaction=True)
def test_no_mail_is_sent_before_the_commit_nor_without_it(client, project):
    with transaction.atomic():
        response = client.post(URL, {"project": str(project.pk), "email": "new@example.org"})
        assert response.status_code == 201
        assert mail.outbox == []
        transaction.set_rollback(True)
    assert mail.outbox == []
    assert not Invitation.objects.exists()
    client.post(URL, {"project": str(project.pk), "email": "new@example.org"})
    assert len(mail.outbox) == 1


def test_a_mail_server_that_is_away_fails_no_invitation(invite):
    with patch("projects.mail.send_mail", side_effect=ConnectionRefusedError):
        assert invite().status_code == 201
    assert Invitation.objects.count() == 1


def test_a_new_invitation_supersedes_the_open_one_to_the_same_address(as_user, invite):
    old = invite("New@Example.org", role="admin").json()
    new = invite("new@example.ORG", role="viewer").json()
    assert [str(pk) for pk in Invitation.objects.values_list("pk", flat=True)] == [new["id"]]
    guest = as_user(UserFactory(email="new@example.org"))
    with nothing_changes():
        refused(guest.post(f"{URL}accept/", {"token": old["token"]}), 404, "not_found")
    response = guest.post(f"{URL}accept/", {"token": new["token"]})
    assert (response.status_code, response.json()["role"]) == (201, "viewer")


@pytest.mark.parametrize("role", ["admin", "owner"])
def test_an_admin_does_not_take_back_an_owners_invitation_by_inviting_the_same_person(as_user, project, invite, role):
    made = invite("boss@example.org", role=role).json()
    admin = as_user(MembershipFactory(project=project, role="admin").user)
    body = {"project": str(project.pk), "email": "Boss@example.org", "role": "viewer"}
    with nothing_changes():
        refused(admin.post(URL, body), 403, "permission_denied")
    assert str(Invitation.objects.get().pk) == made["id"]


def test_an_admin_replaces_an_owners_invitation_of_a_member(as_user, project, invite):
    invite("new@example.org", role="member")
    admin = as_user(MembershipFactory(project=project, role="admin").user)
    body = {"project": str(project.pk), "email": "new@example.org", "role": "viewer"}
    assert admin.post(URL, body).status_code == 201
    assert Invitation.objects.get().role == "viewer"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_to_one_address_one_is_open(as_user, owner, project):
    body = {"project": str(project.pk), "email": "new@example.org"}
    assert all_at_once([partial(as_user(owner).post, URL, body) for _ in range(6)]) == [201] * 6
    assert project.invitations.open().count() == 1


def test_it_supersedes_none_of_another_project_or_address_nor_a_used_one(invite, project):
    kept = [
        InvitationFactory(email="new@example.org"),
        InvitationFactory(email="other@example.org", project=project),
        InvitationFactory(email="new@example.org", project=project, accepted_at=timezone.now()),
    ]
    made = invite("new@example.org").json()
    assert {str(pk) for pk in Invitation.objects.values_list("pk", flat=True)} == {
        made["id"],
        *(str(each.pk) for each in kept),
    }


def test_a_member_is_not_invited(invite, project):
    MembershipFactory(project=project, user__email="in@example.org")
    with nothing_changes():
        refused(invite("In@Example.org"), 400, errors={"email": "already_member"})


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("actor", Role.values)
def test_who_invites_and_withdraws_whom(as_user, project, actor, role):
    client = as_user(MembershipFactory(project=project, role=actor).user)
    body = {"project": str(project.pk), "email": "new@example.org", "role": role}
    standing = InvitationFactory(project=project, role=role)
    if actor == "owner" or (actor == "admin" and role in {"viewer", "member"}):
        assert client.post(URL, body).status_code == 201
        assert client.delete(f"{URL}{standing.pk}/").status_code == 204
    else:
        with nothing_changes():
            refused(client.post(URL, body), 403, "permission_denied")
            refused(client.delete(f"{URL}{standing.pk}/"), 403, "permission_denied")


def test_a_withdrawn_invitation_is_dead(as_user, client, invite):
    made = invite().json()
    assert client.delete(f"{URL}{made['id']}/").status_code == 204
    guest = as_user(UserFactory(email="new@example.org"))
    with nothing_changes():
        refused(guest.post(f"{URL}accept/", {"token": made["token"]}), 404)


def test_the_list_holds_those_of_the_callers_projects_newest_first(client, project, owner):
    other = ProjectFactory(viewer=owner)
    InvitationFactory(email="secret@example.org")
    made = [InvitationFactory(project=project), InvitationFactory(project=other), InvitationFactory(project=project)]
    assert ids(client.get(URL)) == [str(each.pk) for each in reversed(made)]
    assert ids(client.get(URL, {"project": other.key})) == [str(made[1].pk)]
    assert ids(client.get(URL, {"project": other.pk})) == [str(made[1].pk)]


def ids(response):
    assert response.status_code == 200, response.content
    return [each["id"] for each in response.json()["results"]]


@pytest.mark.parametrize("query", ["email=x", "project=ABSENT", "role=member", "ordering=email", "token=x"])
def test_unknown_filters_and_values_are_refused(client, query):
    refused(client.get(f"{URL}?{query}"), 400, "invalid")


def test_the_invitation_of_a_foreign_project_looks_as_if_there_were_none(client):
    foreign = InvitationFactory()
    address = f"{URL}{foreign.pk}/"
    with nothing_changes():
        there = client.delete(address)
    refused(there, 404, "not_found")
    foreign.delete()
    assert client.delete(address).content == there.content


@pytest.mark.parametrize("method", ["get", "patch", "put"])
def test_an_invitation_is_not_changed_nor_read_alone(client, project, method):
    invitation = InvitationFactory(project=project)
    with nothing_changes():
        refused(getattr(client, method)(f"{URL}{invitation.pk}/"), 405, "method_not_allowed")


def test_what_is_not_ones_to_set_is_left_alone(invite):
    wishes = {"expires_at": "2099-01-01", "accepted_at": "2020-01-01", "token": "mine", "id": "0" * 32}
    made = invite(**wishes).json()
    assert made["accepted_at"] is None
    assert made["expires_at"] < "2099"
    assert made["token"] != "mine"
    assert made["id"] == str(Invitation.objects.get().pk)
