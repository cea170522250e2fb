"""GET POST labels/, GET PATCH DELETE labels/{id}/"""

from unittest.mock import patch

import pytest
from rest_framework.validators import UniqueTogetherValidator

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Label
from projects.tests.factories import LabelFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/labels/"
EVENTS = "/api/v1/events/"


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def client(as_user, user):
    return as_user(user)


@pytest.fixture
def project(user):
    return ProjectFactory(member=user, owner=UserFactory())


def names(response):
    assert response.status_code == 200, response.content
    return [label["name"] for label in response.json()["results"]]


def make(client, project, name="bug", **fields):
    return client.post(URL, {"project": str(project.pk), "name": name, **fields})


def test_a_label_is_made_and_read(client, project):
    response = make(client, project, color="#1F6feb")
    assert response.status_code == 201
    label = Label.objects.get()
    assert response.json() == {"id": str(label.pk), "project": str(project.pk), "name": "bug", "color": "#1F6feb"}
    assert client.get(f"{URL}{label.pk}/").json() == response.json()


def test_a_label_has_a_color_unless_said(client, project):
    assert make(client, project).json()["color"] == "#6b7280"


def test_a_name_is_taken_once_in_a_project(client, user, project):
    make(client, project)
    with nothing_changes():
        refused(make(client, project), 400, errors={"non_field_errors": "unique"})
    assert make(client, ProjectFactory(member=user)).status_code == 201
    assert make(client, project, "Bug").status_code == 201


def test_a_label_cannot_take_the_name_of_another(client, project):
    LabelFactory(project=project, name="bug")
    label = LabelFactory(project=project, name="idea")
    with nothing_changes():
        refused(client.patch(f"{URL}{label.pk}/", {"name": "bug"}), 400, errors={"non_field_errors": "unique"})


@pytest.mark.django_db(transaction=True)
def test_of_two_names_that_pass_validation_together_the_second_gets_409(client, project):
    make(client, project)
    with patch.object(UniqueTogetherValidator, "__call__"), nothing_changes():
        refused(make(client, project), 409, "conflict")


@pytest.mark.parametrize("name", ["", "  ", "\u2003", "x" * 51, None, [], {}, True])
def test_a_name_is_a_text_that_says_something(client, project, name):
    label = LabelFactory(project=project)
    with nothing_changes():
        assert set(refused(make(client, project, name), 400)["errors"]) == {"name"}
        assert set(refused(client.patch(f"{URL}{label.pk}/", {"name": name}), 400)["errors"]) == {"name"}


@pytest.mark.parametrize(
    "color", ["", "red", "#fff", "#12345", "#1234567", "#12345g", "123456", "#١٢٣٤٥٦", None, 123456, [], True]
)
def test_a_color_is_a_hash_and_six_digits(client, project, color):
    label = LabelFactory(project=project)
    with nothing_changes():
        assert set(refused(make(client, project, color=color), 400)["errors"]) == {"color"}
        assert set(refused(client.patch(f"{URL}{label.pk}/", {"color": color}), 400)["errors"]) == {"color"}


def test_patch_changes_only_what_it_names_and_tells_of_it(client, project, user):
    label = LabelFactory(project=project, name="bug", color="#000000")
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]
    changed = client.patch(f"{URL}{label.pk}/", {"color": "#ffffff"}).json()
    assert (changed["name"], changed["color"]) == ("bug", "#ffffff")
    [event] = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert (event["type"], event["changes"], event["object"], event["actor"]) == (
        "label.updated",
        {"color": ["#000000", "#ffffff"]},
        changed,
        str(user.pk),
    )


def test_what_was_read_can_be_written_back(client, project):
    label = LabelFactory(project=project)
    read = client.get(f"{URL}{label.pk}/").json()
    with nothing_changes():
        assert client.patch(f"{URL}{label.pk}/", read).json() == read


def test_a_label_does_not_move_to_another_project(client, user, project):
    label = LabelFactory(project=project)
    other = ProjectFactory(member=user)
    with nothing_changes():
        refused(client.patch(f"{URL}{label.pk}/", {"project": str(other.pk)}), 400, errors={"project": "fixed"})


def test_deleting_a_label_takes_it_off_its_tasks_and_tells_of_each(client, user, project):
    label, other = LabelFactory(project=project), LabelFactory(project=project)
    tasks = [
        client.post("/api/v1/tasks/", {"project": str(project.pk), "title": "x", "labels": labels}).json()
        for labels in ([str(label.pk)], [str(label.pk), str(other.pk)], [str(other.pk)])
    ]
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]

    response = client.delete(f"{URL}{label.pk}/")
    assert (response.status_code, response.content) == (204, b"")

    shown = [client.get(f"/api/v1/tasks/{task['id']}/").json() for task in tasks]
    assert [task["labels"] for task in shown] == [[], [str(other.pk)], [str(other.pk)]]
    assert [task["version"] for task in shown] == [2, 2, 1]
    events = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert [(event["type"], event["id"], event["object"]) for event in events] == [
        ("task.updated", tasks[0]["id"], shown[0]),
        ("task.updated", tasks[1]["id"], shown[1]),
        ("label.deleted", str(label.pk), None),
    ]
    assert events[0]["changes"] == {"labels": [[str(label.pk)], []]}


def test_the_list_holds_those_of_the_callers_projects_by_name(client, user, project):
    second = ProjectFactory(viewer=user)
    LabelFactory(name="a secret")
    LabelFactory(name="c", project=project)
    LabelFactory(name="b", project=second)
    assert names(client.get(URL)) == ["b", "c"]
    assert names(client.get(URL, {"project": second.key})) == ["b"]
    assert names(client.get(URL, {"project": project.pk})) == ["c"]


@pytest.mark.parametrize("query", ["name=x", "project=ABSENT", "search=x", "ordering=name", "project=%00"])
def test_unknown_filters_and_values_are_refused(client, project, query):
    refused(client.get(f"{URL}?{query}"), 400, "invalid")


@pytest.mark.parametrize(("method", "body"), [("get", None), ("patch", {"name": "new"}), ("delete", None)])
def test_the_label_of_a_foreign_project_looks_as_if_there_were_none(client, method, body):
    foreign = LabelFactory()
    address = f"{URL}{foreign.pk}/"
    with nothing_changes():
        there = getattr(client, method)(address, body)
    refused(there, 404, "not_found")
    foreign.delete()
    assert getattr(client, method)(address, body).content == there.content
