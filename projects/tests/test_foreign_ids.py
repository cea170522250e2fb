"""Ids in bodies and filters that name what the caller may not see: the words of what does not exist, byte for byte."""

import pytest

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Project
from projects.tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db
API = "/api/v1/"
BODIES = {
    "invitations/": {"email": "new@example.org"},
    "statuses/": {"name": "New", "category": "todo"},
    "labels/": {"name": "bug"},
    "tasks/": {"title": "New"},
}


@pytest.fixture
def hidden():
    """A project that the caller is not in, with a label and a status of the names they send."""
    project = ProjectFactory(key="HIDDEN", owner=UserFactory(email="new@example.org"))
    project.labels.create(name="bug")
    return project


@pytest.mark.parametrize("staff", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_nothing_is_written_into_a_foreign_project(as_user, hidden, path, staff):
    client = as_user(UserFactory(is_staff=staff, is_superuser=staff))
    body = {**BODIES[path], "project": str(hidden.pk)}
    with nothing_changes():
        there = client.post(f"{API}{path}", body)
    refused(there, 400, errors={"project": "does_not_exist"})
    Project.objects.filter(pk=hidden.pk).delete()
    assert client.post(f"{API}{path}", body).content == there.content


@pytest.mark.parametrize("path", BODIES)
def test_a_foreign_project_is_not_told_from_a_bad_body_either(as_user, hidden, path):
    client, body = as_user(UserFactory()), {"project": str(hidden.pk), "name": "", "title": "", "email": "x"}
    with nothing_changes():
        there = client.post(f"{API}{path}", body)
    refused(there, 400)
    Project.objects.filter(pk=hidden.pk).delete()
    assert client.post(f"{API}{path}", body).content == there.content


@pytest.mark.parametrize("name", ["labels", "statuses"])
def test_nothing_is_moved_into_a_foreign_project(as_user, hidden, name):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    project.labels.create(name="mine")
    client, address = as_user(owner), f"{API}{name}/{getattr(project, name).first().pk}/"
    with nothing_changes():
        there = client.patch(address, {"project": str(hidden.pk)})
    refused(there, 400, errors={"project": "does_not_exist"})
    Project.objects.filter(pk=hidden.pk).delete()
    assert client.patch(address, {"project": str(hidden.pk)}).content == there.content


@pytest.mark.parametrize(
    "path", ["memberships/", "invitations/", "statuses/", "labels/", "tasks/", "comments/", "relations/"]
)
@pytest.mark.parametrize("by", ["pk", "key"])
def test_a_filter_by_a_foreign_project_is_one_by_none(as_user, hidden, path, by):
    client, name = as_user(UserFactory()), str(getattr(hidden, by))
    there = client.get(f"{API}{path}", {"project": name})
    refused(there, 400, errors={"project": "invalid_choice"})
    Project.objects.filter(pk=hidden.pk).delete()
    assert client.get(f"{API}{path}", {"project": name}).content == there.content


@pytest.mark.parametrize("by", ["pk", "key"])
def test_the_log_of_a_foreign_project_is_one_of_none(as_user, hidden, by):
    client, name = as_user(UserFactory()), str(getattr(hidden, by))
    there = client.get(f"{API}events/", {"project": name})
    refused(there, 404, "not_found")
    Project.objects.filter(pk=hidden.pk).delete()
    assert client.get(f"{API}events/", {"project": name}).content == there.content
