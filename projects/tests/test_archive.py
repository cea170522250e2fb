"""An archived project is read-only until it is restored."""

import pytest

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def client(as_user, user):
    return as_user(user)


@pytest.fixture
def archived(client, user):
    """A project of `user` with something of everything in it, archived."""
    project = ProjectFactory(key="OLD", owner=user, viewer=UserFactory())
    made = {
        "labels": client.post(f"{API}labels/", {"project": str(project.pk), "name": "bug"}).json(),
        "invitations": client.post(f"{API}invitations/", {"project": str(project.pk), "email": "a@b.org"}).json(),
        "tasks": client.post(f"{API}tasks/", {"project": str(project.pk), "title": "one"}).json(),
        "other_tasks": client.post(f"{API}tasks/", {"project": str(project.pk), "title": "two"}).json(),
    }
    relation = {"source": made["tasks"]["id"], "target": made["other_tasks"]["id"], "type": "blocks"}
    made["relations"] = client.post(f"{API}relations/", relation).json()
    made["comments"] = client.post(f"{API}comments/", {"task": made["tasks"]["id"], "body": "hm"}).json()
    made["memberships"] = client.get(f"{API}memberships/", {"role": "viewer"}).json()["results"][0]
    made["statuses"] = client.get(f"{API}statuses/").json()["results"][0]
    made["projects"] = client.patch(f"{API}projects/OLD/", {"archived": True}).json()
    return made


def test_archiving_is_told_and_kept(client, archived):
    assert archived["projects"]["archived_at"]
    assert client.get(f"{API}projects/OLD/").json() == archived["projects"]


def test_an_archived_project_can_be_read(client, archived):
    for name in ("projects", "labels", "invitations", "tasks", "relations", "comments", "memberships", "statuses"):
        assert client.get(f"{API}{name}/").json()["count"] > 0


PATCHES = {
    "projects": {"name": "New"},
    "labels": {"name": "new"},
    "statuses": {"name": "New"},
    "memberships": {"role": "member"},
    "tasks": {"title": "new"},
    "comments": {"body": "new"},
}


@pytest.mark.parametrize("name", PATCHES)
def test_nothing_in_it_can_be_changed(client, archived, name):
    with nothing_changes():
        refused(client.patch(f"{API}{name}/{archived[name]['id']}/", PATCHES[name]), 409, "archived")


@pytest.mark.parametrize("name", ["labels", "statuses", "memberships", "invitations", "tasks", "relations", "comments"])
def test_nothing_in_it_can_be_deleted(client, archived, name):
    with nothing_changes():
        refused(client.delete(f"{API}{name}/{archived[name]['id']}/"), 409, "archived")


@pytest.mark.parametrize("name", ["labels", "statuses", "invitations", "tasks", "relations", "comments"])
def test_nothing_can_be_added_to_it(client, archived, name):
    project, task, other = archived["projects"]["id"], archived["tasks"]["id"], archived["other_tasks"]["id"]
    body = {
        "labels": {"project": project, "name": "new"},
        "statuses": {"project": project, "name": "New", "category": "todo"},
        "invitations": {"project": project, "email": "new@example.org"},
        "tasks": {"project": project, "title": "new"},
        "relations": {"source": task, "target": other, "type": "relates_to"},
        "comments": {"task": task, "body": "new"},
    }[name]
    with nothing_changes():
        refused(client.post(f"{API}{name}/", body), 409, "archived")


def test_its_tasks_cannot_be_moved_nor_changed_in_bulk(client, archived):
    task = archived["tasks"]["id"]
    with nothing_changes():
        refused(client.post(f"{API}tasks/{task}/move/", {"status": "done"}), 409, "archived")
        refused(client.post(f"{API}tasks/bulk/", {"ids": [task], "set": {"title": "new"}}), 409, "archived")
        refused(client.post(f"{API}tasks/bulk/", {"ids": [task], "delete": True}), 409, "archived")


def test_nobody_leaves_it(as_user, client, archived):
    leaving = MembershipFactory(project_id=archived["projects"]["id"])
    member = as_user(leaving.user)
    with nothing_changes():
        refused(member.delete(f"{API}memberships/{leaving.pk}/"), 409, "archived")


def test_nobody_joins_it(as_user, client, archived):
    guest = as_user(UserFactory(email="a@b.org"))
    with nothing_changes():
        refused(guest.post(f"{API}invitations/accept/", {"token": archived["invitations"]["token"]}), 409, "archived")
    client.patch(f"{API}projects/OLD/", {"archived": False})
    response = guest.post(f"{API}invitations/accept/", {"token": archived["invitations"]["token"]})
    assert response.status_code == 201


def test_archiving_again_is_a_conflict(client, archived):
    with nothing_changes():
        refused(client.patch(f"{API}projects/OLD/", {"archived": True}), 409, "archived")
        refused(client.patch(f"{API}projects/OLD/", {}), 409, "archived")


def test_restoring_makes_it_writable_again(client, archived):
    restored = client.patch(f"{API}projects/OLD/", {"archived": False})
    assert restored.json()["archived_at"] is None
    assert client.patch(f"{API}tasks/{archived['tasks']['id']}/", {"title": "new"}).status_code == 200


def test_restoring_may_change_more_in_one_go(client, archived):
    restored = client.patch(f"{API}projects/OLD/", {"archived": False, "name": "Back"}).json()
    assert (restored["archived_at"], restored["name"]) == (None, "Back")


def test_restoring_what_is_not_archived_changes_nothing(client, user):
    project = ProjectFactory(owner=user)
    with nothing_changes():
        assert client.patch(f"{API}projects/{project.key}/", {"archived": False}).status_code == 200


def test_archiving_and_restoring_are_told_as_events(client, user):
    project = ProjectFactory(owner=user)
    path = f"{API}projects/{project.key}/"
    cursor = client.get(f"{API}events/", {"project": project.key}).json()["cursor"]
    at = client.patch(path, {"archived": True}).json()["archived_at"]
    client.patch(path, {"archived": False})
    events = client.get(f"{API}events/", {"project": project.key, "after": cursor}).json()["results"]
    assert [(event["type"], event["changes"]) for event in events] == [
        ("project.updated", {"archived_at": [None, at]}),
        ("project.updated", {"archived_at": [at, None]}),
    ]


def test_an_owner_may_delete_what_is_archived(client, archived):
    assert client.delete(f"{API}projects/OLD/").status_code == 204


@pytest.mark.parametrize("archive", [True, False])
def test_an_admin_neither_archives_nor_restores(as_user, client, user, archive):
    project = ProjectFactory(key="ADMINS", owner=user, admin=UserFactory())
    if not archive:
        client.patch(f"{API}projects/ADMINS/", {"archived": True})
    admin = as_user(project.memberships.get(role="admin").user)
    with nothing_changes():
        refused(admin.patch(f"{API}projects/ADMINS/", {"archived": archive, "name": "New"}), 403)


@pytest.mark.parametrize("value", ["maybe", None, [], {}, 2, "archived"])
def test_archived_is_true_or_false(client, user, value):
    project = ProjectFactory(owner=user)
    with nothing_changes():
        body = refused(client.patch(f"{API}projects/{project.key}/", {"archived": value}), 400)
    assert set(body["errors"]) == {"archived"}


def test_a_project_is_not_made_archived(client):
    with nothing_changes():
        body = refused(client.post(f"{API}projects/", {"key": "NEW", "name": "x", "archived": True}), 400)
    assert set(body["errors"]) == {"archived"}


def test_projects_are_filtered_by_whether_they_are_archived(client, user, archived):
    ProjectFactory(key="LIVE", owner=user)
    LabelFactory(project__key="FOREIGN")

    def keys(**query):
        return {each["key"] for each in client.get(f"{API}projects/", query).json()["results"]}

    assert keys(archived="true") == {"OLD"}
    assert keys(archived="false") == {"LIVE"}
    assert keys() == {"OLD", "LIVE"}
