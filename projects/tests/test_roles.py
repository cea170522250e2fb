"""Who gives whom which role, who removes whom, and who invites as what: every triple, and exactly what is permitted."""

from contextlib import contextmanager, nullcontext

import pytest

from accounts.tests.checks import nothing_changes, refused, undone
from accounts.tests.factories import UserFactory
from projects.models import Invitation, Membership, Role
from projects.tests.factories import InvitationFactory, MembershipFactory, ProjectFactory

API = "/api/v1/"
NOBODY = ["anonymous", "outsider", "staff"]  # who is not in the project

# Actor and target: whom it is done to, by role; `self` is the actor. Then what becomes of giving them each role, and of
# removing them.
MEMBERSHIPS = """
    anonymous  viewer   401 401 401 401   401
    anonymous  member   401 401 401 401   401
    anonymous  admin    401 401 401 401   401
    anonymous  owner    401 401 401 401   401
    outsider   viewer   404 404 404 404   404
    outsider   member   404 404 404 404   404
    outsider   admin    404 404 404 404   404
    outsider   owner    404 404 404 404   404
    staff      viewer   404 404 404 404   404
    staff      member   404 404 404 404   404
    staff      admin    404 404 404 404   404
    staff      owner    404 404 404 404   404
    viewer     viewer   403 403 403 403   403
    viewer     member   403 403 403 403   403
    viewer     admin    403 403 403 403   403
    viewer     owner    403 403 403 403   403
    viewer     self     403 403 403 403   204
    member     viewer   403 403 403 403   403
    member     member   403 403 403 403   403
    member     admin    403 403 403 403   403
    member     owner    403 403 403 403   403
    member     self     403 403 403 403   204
    admin      viewer   200 200 403 403   204
    admin      member   200 200 403 403   204
    admin      admin    403 403 403 403   403
    admin      owner    403 403 403 403   403
    admin      self     403 403 403 403   204
    owner      viewer   200 200 200 200   204
    owner      member   200 200 200 200   204
    owner      admin    200 200 200 200   204
    owner      owner    200 200 200 200   204
    owner      self     200 200 200 200   204
    last       self     409 409 409 200   409
"""

# Inviting as each role, and withdrawing an invitation of each role.
INVITATIONS = """
    anonymous   401 401 401 401   401 401 401 401
    outsider    400 400 400 400   404 404 404 404
    staff       400 400 400 400   404 404 404 404
    viewer      403 403 403 403   403 403 403 403
    member      403 403 403 403   403 403 403 403
    admin       201 201 403 403   204 204 403 403
    owner       201 201 201 201   204 204 204 204
"""


def rows(table):
    return [line.split() for line in table.strip().splitlines()]


@pytest.fixture
def project(db):
    return ProjectFactory()


class Actor:
    """Somebody who stands to the project as a row of a table says, in a project that has another owner or not."""

    def __init__(self, as_user, project, actor):
        if actor != "last":
            MembershipFactory(project=project, role="owner")
        if actor in NOBODY:
            self.membership, user = None, UserFactory(is_staff=actor == "staff", is_superuser=actor == "staff")
        else:
            self.membership = MembershipFactory(project=project, role="owner" if actor == "last" else actor)
            user = self.membership.user
        self.client = as_user(None if actor == "anonymous" else user)

    @contextmanager
    def calling(self, method, path, body, status):
        """Make a request and check its status, and that a refusal changes nothing; take it back at the end."""
        status = int(status)
        with undone(), nothing_changes() if status >= 400 else nullcontext():
            response = getattr(self.client, method)(f"{API}{path}", body)
            if status >= 400:
                refused(response, status)
            assert response.status_code == status
            yield status < 400


@pytest.fixture
def actor(as_user, project, request):
    return Actor(as_user, project, request.param)


@pytest.mark.parametrize(
    ("actor", "target", "statuses"),
    [pytest.param(*row[:2], row[2:], id="-".join(row[:2])) for row in rows(MEMBERSHIPS)],
    indirect=["actor"],
)
def test_who_manages_whom(project, actor, target, statuses):
    membership = actor.membership if target == "self" else MembershipFactory(project=project, role=target)
    address, before = f"memberships/{membership.pk}/", membership.role
    *changes, removal = statuses
    for role, status in zip(Role.values, changes, strict=True):
        with actor.calling("patch", address, {"role": role}, status) as is_done:
            assert Membership.objects.get(pk=membership.pk).role == (role if is_done else before)
    with actor.calling("delete", address, None, removal) as is_done:
        assert Membership.objects.filter(pk=membership.pk).exists() != is_done


@pytest.mark.parametrize(
    ("actor", "statuses"), [pytest.param(row[0], row[1:], id=row[0]) for row in rows(INVITATIONS)], indirect=["actor"]
)
def test_who_invites_as_what(project, actor, statuses):
    for role, status in zip(Role.values, statuses[:4], strict=True):
        body = {"project": str(project.pk), "email": "new@example.org", "role": role}
        with actor.calling("post", "invitations/", body, status) as is_done:
            assert list(project.invitations.values_list("role", flat=True)) == [role] * is_done
    for role, status in zip(Role.values, statuses[4:], strict=True):
        invitation = InvitationFactory(project=project, role=role)
        with actor.calling("delete", f"invitations/{invitation.pk}/", None, status) as is_done:
            assert Invitation.objects.filter(pk=invitation.pk).exists() != is_done


def test_the_tables_name_all_there_are():
    actors = [*NOBODY, *Role.values]
    own = {(actor, "self") for actor in [*Role.values, "last"]}
    assert {(row[0], row[1]) for row in rows(MEMBERSHIPS)} == {(actor, role) for actor in actors for role in Role} | own
    assert [row[0] for row in rows(INVITATIONS)] == actors
