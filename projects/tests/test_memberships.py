"""GET memberships/, PATCH DELETE memberships/{id}/: who may do which of it is in test_roles.py"""

from functools import partial
from time import sleep
from unittest.mock import patch

import pytest

from accounts.models import User
from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk
from projects.models import Membership, Role
from projects.tests.factories import MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/memberships/"
EVENTS = "/api/v1/events/"


@pytest.fixture
def project():
    return ProjectFactory(owner=UserFactory())


def path(membership):
    return f"{URL}{membership.pk}/"


@pytest.mark.parametrize("role", Role.values)
def test_everybody_may_leave_and_then_sees_nothing(as_user, project, role):
    membership = MembershipFactory(project=project, role=role)
    client = as_user(membership.user)
    assert client.delete(path(membership)).status_code == 204
    refused(client.get(f"/api/v1/projects/{project.key}/"), 404)
    assert client.get(URL).json()["count"] == 0


@pytest.mark.parametrize("new", ["viewer", "member", "admin"])
def test_the_last_owner_cannot_be_demoted(as_user, project, new):
    MembershipFactory(project=project, role="admin")
    owner = project.memberships.get(role="owner")
    client = as_user(owner.user)
    with nothing_changes():
        refused(client.patch(path(owner), {"role": new}), 409, "last_owner")
        assert client.patch(path(owner), {"role": "owner"}).status_code == 200


def test_the_last_owner_cannot_leave(as_user, project):
    MembershipFactory(project=project, role="admin")
    owner = project.memberships.get(role="owner")
    client = as_user(owner.user)
    with nothing_changes():
        refused(client.delete(path(owner)), 409, "last_owner")


def test_an_owner_whose_account_is_closed_does_not_count(as_user, project):
    MembershipFactory(project=project, role="owner", user__is_active=False)
    owner = project.memberships.get(user__is_active=True)
    client = as_user(owner.user)
    with nothing_changes():
        refused(client.delete(path(owner)), 409, "last_owner")
        refused(client.patch(path(owner), {"role": "member"}), 409, "last_owner")


def test_with_a_second_owner_the_first_may_step_down_and_leave(as_user, project):
    MembershipFactory(project=project, role="owner")
    owner = project.memberships.earliest("created_at")
    client = as_user(owner.user)
    assert client.patch(path(owner), {"role": "member"}).status_code == 200
    assert client.delete(path(owner)).status_code == 204


def ways_out(client, own, other):
    """What ends somebody's ownership, or another one's: the ways a project could lose its last owner."""
    return {
        "leave": partial(client.delete, path(own)),
        "step down": partial(client.patch, path(own), {"role": "member"}),
        "close": partial(client.delete, "/api/v1/users/me/"),
        "demote": partial(client.patch, path(other), {"role": "admin"}),
        "remove": partial(client.delete, path(other)),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("leave", "leave"),
        ("leave", "close"),
        ("close", "close"),
        ("step down", "leave"),
        ("demote", "demote"),
        ("remove", "remove"),
        ("close", "step down"),
    ],
)
def test_of_two_owners_that_go_at_once_one_stays(as_user, first, second):
    project = ProjectFactory(owner=UserFactory())
    MembershipFactory(project=project, role="owner")
    one, two = project.memberships.order_by("created_at")
    going = [ways_out(as_user(one.user), one, two)[first], ways_out(as_user(two.user), two, one)[second]]
    check = Membership.refuse_for_last_owner

    def check_and_dawdle(membership):
        check(membership)
        sleep(0.1)  # long enough for the other to check as well, if nothing holds it

    with patch.object(Membership, "refuse_for_last_owner", check_and_dawdle):
        statuses = all_at_once(going)
    assert statuses[0] in {200, 204}
    assert statuses[1] in {401, 403, 404, 409}
    assert project.memberships.filter(role="owner", user__is_active=True).count() == 1


def close_account(as_user, person):
    return as_user(person).delete("/api/v1/users/me/")


def be_deactivated(as_user, person):
    return Desk().act("deactivate", person)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("close", [close_account, be_deactivated])
def test_whose_account_is_closed_is_not_made_the_last_owner_meanwhile(as_user, close):
    project = ProjectFactory(owner=UserFactory())
    owner, leaver = project.memberships.get(), MembershipFactory(project=project, role="admin")
    client, deactivate = as_user(owner.user), User.deactivate
    handover = [partial(client.patch, path(leaver), {"role": "owner"}), partial(client.delete, path(owner))]

    def be_slow(user):
        sleep(0.3)  # long enough for the handover, if nothing holds it
        deactivate(user)

    def hand_over():
        sleep(0.1)
        return [call() for call in handover][-1]

    with patch.object(User, "deactivate", be_slow):
        all_at_once([partial(close, as_user, leaver.user), hand_over])
    assert project.memberships.filter(role="owner", user__is_active=True).exists()


def make_task(client, project, *assignees):
    body = {"project": str(project.pk), "title": "x", "assignees": [str(user.pk) for user in assignees]}
    response = client.post("/api/v1/tasks/", body)
    assert response.status_code == 201
    return response.json()


def test_removing_somebody_unassigns_their_tasks_there_alone_and_tells_of_each(as_user, project):
    owner = project.memberships.get().user
    client = as_user(owner)
    leaver = MembershipFactory(project=project).user
    elsewhere = ProjectFactory(owner=owner, member=leaver)
    both, theirs = make_task(client, project, leaver, owner), make_task(client, project, leaver)
    nobodys, other = make_task(client, project), make_task(client, elsewhere, leaver)
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]

    membership = project.memberships.get(user=leaver)
    assert client.delete(path(membership)).status_code == 204

    def assignees(task):
        return client.get(f"/api/v1/tasks/{task['id']}/").json()["assignees"]

    assert [assignees(task) for task in (both, theirs, nobodys, other)] == [[str(owner.pk)], [], [], [str(leaver.pk)]]
    events = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert [(event["type"], event["id"]) for event in events] == [
        ("task.updated", both["id"]),
        ("task.updated", theirs["id"]),
        ("membership.deleted", str(membership.pk)),
    ]
    assert events[1]["changes"] == {"assignees": [[str(leaver.pk)], []]}
    assert events[2]["object"] is None


def test_a_membership_shows_the_person_and_no_secrets(as_user, project):
    membership = MembershipFactory(project=project, role="viewer", user__first_name="Ada")
    [shown] = as_user(membership.user).get(URL, {"role": "viewer"}).json()["results"]
    assert shown == {
        "id": str(membership.pk),
        "project": str(project.pk),
        "user": {
            "id": str(membership.user.pk),
            "username": membership.user.username,
            "email": membership.user.email,
            "first_name": "Ada",
            "last_name": "",
            "date_joined": shown["user"]["date_joined"],
        },
        "role": "viewer",
        "created_at": shown["created_at"],
    }


def test_the_list_holds_all_of_the_callers_projects_and_no_others(as_user, project):
    caller = MembershipFactory(project=project).user
    second = ProjectFactory(viewer=caller, owner=UserFactory())
    ProjectFactory(owner=UserFactory(), member=project.memberships.first().user)
    results = as_user(caller).get(URL).json()["results"]
    shown = {(each["project"], each["user"]["id"]) for each in results}
    assert len(results) == len(shown)
    assert shown == {
        (str(each.project_id), str(each.user_id)) for each in Membership.objects.filter(project__in=[project, second])
    }


@pytest.mark.parametrize("by", ["pk", "key"])
def test_the_list_is_narrowed_by_project_and_role(as_user, project, by):
    caller = MembershipFactory(project=project).user
    second = ProjectFactory(viewer=caller, owner=UserFactory())
    client = as_user(caller)
    results = client.get(URL, {"project": getattr(second, by)}).json()["results"]
    assert {each["project"] for each in results} == {str(second.pk)}
    assert len(results) == 2
    results = client.get(URL, {"project": getattr(second, by), "role": "viewer"}).json()["results"]
    assert [each["user"]["id"] for each in results] == [str(caller.pk)]


@pytest.mark.parametrize("query", ["role=boss", "project=ABSENT", "user=x", "project=%00", "ordering=role"])
def test_unknown_filters_and_values_are_refused(as_user, project, query):
    refused(as_user(project.memberships.get().user).get(f"{URL}?{query}"), 400, "invalid")


def test_project_and_user_are_fixed(as_user, project):
    owner, other = project.memberships.get().user, UserFactory()
    membership = MembershipFactory(project=project)
    elsewhere = ProjectFactory(owner=owner)
    body = {"project": str(elsewhere.pk), "user": str(other.pk), "id": str(other.pk), "role": "viewer"}
    response = as_user(owner).patch(path(membership), body)
    assert response.status_code == 200
    changed = Membership.objects.get(pk=membership.pk)
    assert (changed.project, changed.user, changed.role) == (project, membership.user, "viewer")


def test_a_membership_is_not_read_alone(as_user, project):
    membership = project.memberships.get()
    refused(as_user(membership.user).get(path(membership)), 405, "method_not_allowed")


def test_a_membership_is_not_made_by_post(as_user, project):
    client = as_user(project.memberships.get().user)
    body = {"project": str(project.pk), "user": str(UserFactory().pk), "role": "member"}
    with nothing_changes():
        refused(client.post(URL, body), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "body"), [("patch", {"role": "owner"}), ("patch", {"role": "boss"}), ("delete", None)]
)
def test_anothers_membership_looks_as_if_there_were_none(as_user, project, method, body):
    foreign = MembershipFactory(role="viewer")
    client, address = as_user(project.memberships.get().user), path(foreign)
    with nothing_changes():
        there = getattr(client, method)(address, body)
    refused(there, 404, "not_found")
    foreign.delete()
    assert getattr(client, method)(address, body).content == there.content


@pytest.mark.parametrize("role", ["boss", "Owner", "", None, 1, True, [], {}, ["owner"], "owner "])
def test_a_role_is_one_of_the_four(as_user, project, role):
    membership = MembershipFactory(project=project)
    client = as_user(project.memberships.get(role="owner").user)
    with nothing_changes():
        assert set(refused(client.patch(path(membership), {"role": role}), 400)["errors"]) == {"role"}
