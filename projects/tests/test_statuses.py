"""GET POST statuses/, GET PATCH DELETE statuses/{id}/"""

from functools import partial
from unittest.mock import patch

import pytest

from accounts.tests.checks import all_at_once, nothing_changes, refused, undone
from accounts.tests.factories import UserFactory
from projects.models import Status
from projects.tests.factories import ProjectFactory, StatusFactory
from tickethub.errors import Conflict

pytestmark = pytest.mark.django_db
URL = "/api/v1/statuses/"
EVENTS = "/api/v1/events/"


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def client(as_user, user):
    return as_user(user)


@pytest.fixture
def project(user):
    return ProjectFactory(admin=user, owner=UserFactory())


def path(status):
    return f"{URL}{status.pk}/"


def make(client, project, name="Testing", category="in_progress", **fields):
    return client.post(URL, {"project": str(project.pk), "name": name, "category": category, **fields})


def slugs(response):
    assert response.status_code == 200, response.content
    return [status["slug"] for status in response.json()["results"]]


def defaults(project):
    return list(project.statuses.filter(is_default=True).values_list("slug", flat=True))


def use(client, project, slug):
    body = {"project": str(project.pk), "title": "x", "status": slug}
    assert client.post("/api/v1/tasks/", body).status_code == 201


def test_a_new_project_has_six(client, project):
    results = client.get(URL, {"project": project.key}).json()["results"]
    assert [(each["slug"], each["name"], each["category"], each["is_default"]) for each in results] == [
        ("backlog", "Backlog", "backlog", False),
        ("todo", "Todo", "todo", True),
        ("in-progress", "In progress", "in_progress", False),
        ("in-review", "In review", "in_progress", False),
        ("done", "Done", "done", False),
        ("cancelled", "Cancelled", "cancelled", False),
    ]
    assert [each["position"] for each in results] == list(range(6))


def test_a_status_is_made_and_read(client, project):
    response = make(client, project, position=7)
    assert response.status_code == 201
    status = Status.objects.get(slug="testing")
    assert response.json() == {
        "id": str(status.pk),
        "project": str(project.pk),
        "slug": "testing",
        "name": "Testing",
        "category": "in_progress",
        "position": 7,
        "is_default": False,
    }
    assert client.get(path(status)).json() == response.json()
    use(client, project, "testing")


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Waiting for Godot!", "waiting-for-godot"), ("Überprüfung", "uberprufung"), ("x" * 50, "x" * 50)],
)
def test_the_slug_is_made_of_the_name(client, project, name, slug):
    assert make(client, project, name).json()["slug"] == slug


def test_the_slug_may_be_chosen(client, project):
    assert make(client, project, "審査中", slug="shinsa").json()["slug"] == "shinsa"


def test_a_name_that_gives_no_slug_wants_one(client, project):
    with nothing_changes():
        refused(make(client, project, "審査中"), 400, errors={"slug": "required"})


@pytest.mark.parametrize("slug", ["", " ", "a b", "ä", "a/b", "x" * 51, None, [], {}, True, "a.b"])
def test_a_slug_has_letters_digits_and_dashes(client, project, slug):
    with nothing_changes():
        assert set(refused(make(client, project, slug=slug), 400)["errors"]) == {"slug"}


def test_a_slug_is_taken_once_in_a_project(client, user, project):
    with nothing_changes():
        refused(make(client, project, "Done"), 400, errors={"slug": "unique"})
        refused(make(client, project, "Other", slug="done"), 400, errors={"slug": "unique"})
    make(client, project, "Testing")
    assert make(client, ProjectFactory(admin=user), "Testing").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_two_slugs_that_pass_validation_together_the_second_gets_409(client, project):
    with (
        patch("projects.serializers.StatusSerializer.validate_new_slug", lambda self, attrs: attrs["slug"]),
        nothing_changes(),
    ):
        refused(make(client, project, slug="done"), 409, "conflict")


def test_slug_and_project_are_fixed_once_made(client, user, project):
    status, other = project.statuses.get(slug="todo"), ProjectFactory(admin=user)
    with nothing_changes():
        refused(client.patch(path(status), {"slug": "later"}), 400, errors={"slug": "fixed"})
        refused(client.patch(path(status), {"project": str(other.pk)}), 400, errors={"project": "fixed"})


def test_what_was_read_can_be_written_back(client, project):
    for status in project.statuses.all():
        read = client.get(path(status)).json()
        with nothing_changes():
            response = client.patch(path(status), read)
            assert (response.status_code, response.json()) == (200, read)


def test_a_new_name_leaves_the_slug_and_is_told(client, project):
    status = project.statuses.get(slug="todo")
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]
    changed = client.patch(path(status), {"name": "Next"}).json()
    assert (changed["name"], changed["slug"]) == ("Next", "todo")
    [event] = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert (event["type"], event["changes"], event["object"]) == ("status.updated", {"name": ["Todo", "Next"]}, changed)


def test_a_new_default_takes_the_place_of_the_old_one_and_both_are_told(client, project):
    status = project.statuses.get(slug="backlog")
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]
    response = client.patch(path(status), {"is_default": True})
    assert (response.status_code, response.json()["is_default"]) == (200, True)
    assert defaults(project) == ["backlog"]
    events = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert {(event["type"], event["object"]["slug"], *event["changes"]["is_default"]) for event in events} == {
        ("status.updated", "todo", True, False),
        ("status.updated", "backlog", False, True),
    }
    task = client.post("/api/v1/tasks/", {"project": str(project.pk), "title": "x"}).json()
    assert task["status"] == "backlog"


def test_a_status_may_be_made_the_default_at_once(client, user, project):
    other = ProjectFactory(admin=user)
    assert make(client, project, is_default=True).status_code == 201
    assert (defaults(project), defaults(other)) == (["testing"], ["todo"])


@pytest.mark.django_db(transaction=True)
def test_of_many_defaults_at_once_one_stays(as_user):
    user = UserFactory()
    project = ProjectFactory(admin=user)
    others = project.statuses.exclude(slug="todo")[:4]
    answers = all_at_once([partial(as_user(user).patch, path(each), {"is_default": True}) for each in others])
    assert set(answers) <= {200, 409}
    assert len(defaults(project)) == 1


def test_a_project_is_not_left_without_a_default(client, project):
    status = project.statuses.get(slug="todo")
    with nothing_changes():
        assert set(refused(client.patch(path(status), {"is_default": False}), 400)["errors"]) == {"is_default"}
        refused(client.delete(path(status)), 409, "is_default")


def test_a_status_in_use_cannot_be_deleted(client, project):
    use(client, project, "in-review")
    status = project.statuses.get(slug="in-review")
    with nothing_changes():
        refused(client.delete(path(status)), 409, "in_use")


@pytest.mark.django_db(transaction=True)
def test_a_status_that_is_taken_into_use_meanwhile_cannot_be_deleted(client, project):
    use(client, project, "in-review")
    status = project.statuses.get(slug="in-review")
    with patch.object(Status, "refuse_deletion"), nothing_changes():
        refused(client.delete(path(status)), 409, "conflict")


def test_a_new_name_takes_the_default_from_nobody(client, project):
    before = project.statuses.get(is_default=True)
    assert client.patch(path(project.statuses.get(slug="done")), {"is_default": True}).status_code == 200
    before.name = "To do"
    before.save(update_fields=["name"])
    assert [status.slug for status in project.statuses.filter(is_default=True)] == ["done"]


def test_a_status_that_became_the_default_meanwhile_cannot_be_deleted(client, project):
    before = project.statuses.get(slug="in-review")
    assert client.patch(path(before), {"is_default": True}).status_code == 200
    with nothing_changes(), pytest.raises(Conflict, match="needs a default"), undone():
        before.delete()


def test_an_unused_status_is_deleted_and_told(client, project):
    status = project.statuses.get(slug="in-review")
    cursor = client.get(EVENTS, {"project": project.key}).json()["cursor"]
    assert client.delete(path(status)).status_code == 204
    [event] = client.get(EVENTS, {"project": project.key, "after": cursor}).json()["results"]
    assert (event["type"], event["id"], event["object"]) == ("status.deleted", str(status.pk), None)
    refused(client.get(path(status)), 404)


def test_the_category_of_a_status_in_use_stays(client, project):
    use(client, project, "in-review")
    status = project.statuses.get(slug="in-review")
    with nothing_changes():
        refused(client.patch(path(status), {"category": "done"}), 409, "in_use")
        assert client.patch(path(status), {"category": "in_progress"}).status_code == 200


def test_the_category_of_an_unused_status_changes(client, project):
    status = project.statuses.get(slug="in-review")
    assert client.patch(path(status), {"category": "done"}).json()["category"] == "done"


def test_statuses_stand_in_the_order_of_the_board(client, project):
    project.statuses.get(slug="done").delete()
    make(client, project, "First", position=0)
    make(client, project, "Last", position=1_000_000)
    shown = slugs(client.get(URL, {"project": project.key}))
    assert shown == ["backlog", "first", "todo", "in-progress", "in-review", "cancelled", "last"]


@pytest.mark.parametrize("position", [-1, 1_000_001, 10**30, 1.5, "", "x", None, [], {}, True, "1e3"])
def test_a_position_is_a_whole_number_of_reason(client, project, position):
    with nothing_changes():
        assert set(refused(make(client, project, position=position), 400)["errors"]) == {"position"}


@pytest.mark.parametrize("category", ["doing", "Done", "", None, 1, [], {}, True])
def test_a_category_is_one_of_the_five(client, project, category):
    with nothing_changes():
        assert set(refused(make(client, project, category=category), 400)["errors"]) == {"category"}


@pytest.mark.parametrize("name", ["", " ", "x" * 51, None, [], {}, True])
def test_a_name_is_a_text_that_says_something(client, project, name):
    with nothing_changes():
        assert "name" in refused(make(client, project, name), 400)["errors"]


@pytest.mark.parametrize("name", ["project", "name", "category"])
def test_what_is_needed_may_not_be_left_out(client, project, name):
    body = {"project": str(project.pk), "name": "Testing", "category": "todo"}
    del body[name]
    with nothing_changes():
        refused(client.post(URL, body), 400, errors={name: "required"})


def test_the_list_holds_those_of_the_callers_projects(client, user, project):
    StatusFactory(name="Secret")
    second = ProjectFactory(viewer=user)
    results = client.get(URL).json()["results"]
    assert {each["project"] for each in results} == {str(project.pk), str(second.pk)}
    assert len(results) == 12
    assert slugs(client.get(URL, {"project": second.pk}))[0] == "backlog"


@pytest.mark.parametrize("query", ["category=todo", "project=ABSENT", "ordering=position", "project=%00"])
def test_unknown_filters_and_values_are_refused(client, project, query):
    refused(client.get(f"{URL}?{query}"), 400, "invalid")


@pytest.mark.parametrize(("method", "body"), [("get", None), ("patch", {"name": "new"}), ("delete", None)])
def test_the_status_of_a_foreign_project_looks_as_if_there_were_none(client, method, body):
    foreign = StatusFactory()
    address = path(foreign)
    with nothing_changes():
        there = getattr(client, method)(address, body)
    refused(there, 404, "not_found")
    foreign.delete()
    assert getattr(client, method)(address, body).content == there.content
