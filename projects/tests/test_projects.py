"""GET POST projects/, GET PATCH DELETE projects/{id or KEY}/"""

from functools import partial
from unittest.mock import patch

import pytest
from django.apps import apps
from rest_framework.validators import UniqueValidator

from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Membership, Project, Status
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/projects/"


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def client(as_user, user):
    return as_user(user)


def keys(response):
    assert response.status_code == 200, response.content
    return [project["key"] for project in response.json()["results"]]


def test_the_maker_of_a_project_becomes_its_owner(client, user):
    response = client.post(URL, {"key": "ENGINE", "name": "Analytical engine", "description": "Wheels."})
    assert response.status_code == 201
    project = Project.objects.get()
    made = response.json()
    assert made == {
        "id": str(project.pk),
        "key": "ENGINE",
        "name": "Analytical engine",
        "description": "Wheels.",
        "role": "owner",
        "archived_at": None,
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert made["created_at"].endswith("Z")
    assert project.pk.version == 7
    assert list(project.memberships.values_list("user", "role")) == [(user.pk, "owner")]
    assert client.get(f"{URL}ENGINE/").json() == made


def test_a_new_project_brings_its_events_with_it(client):
    made = client.post(URL, {"key": "ENGINE", "name": "Engine"}).json()
    project = Project.objects.get()
    cursor = first_cursor(project)
    events = client.get("/api/v1/events/", {"project": made["id"], "after": cursor}).json()["results"]
    assert [event["type"] for event in events] == ["status.created"] * 6 + ["membership.created"]
    assert [event["seq"] for event in events] == list(range(2, 9))


def first_cursor(project):
    event = apps.get_model("realtime", "Event").objects.get(project_id=project.pk, seq=1)
    assert event.type == "project.created"
    return event.cursor


@pytest.mark.parametrize("key", ["AB", "A1", "ABCDEFGHIJ", "Z999999999"])
def test_a_key_has_two_to_ten_capitals_and_digits(client, key):
    assert client.post(URL, {"key": key, "name": "x"}).json()["key"] == key


@pytest.mark.parametrize(
    "key", ["", "A", "ABCDEFGHIJK", "1A", "ab", "Ab", "A-B", "A B", "ÄB", "A\nB", "A\u0663", "../AB", " ", "AB/", 12]
)
def test_a_key_is_nothing_else(client, key):
    with nothing_changes():
        body = refused(client.post(URL, {"key": key, "name": "x"}), 400)
    assert set(body["errors"]) == {"key"}


def test_a_key_is_taken_once_also_by_a_project_one_does_not_see(client):
    ProjectFactory(key="TAKEN")
    with nothing_changes():
        refused(client.post(URL, {"key": "TAKEN", "name": "x"}), 400, errors={"key": "unique"})


@pytest.mark.django_db(transaction=True)
def test_of_two_keys_that_pass_validation_together_the_second_gets_409(client):
    ProjectFactory(key="TAKEN")
    with patch.object(UniqueValidator, "__call__"), nothing_changes():
        refused(client.post(URL, {"key": "TAKEN", "name": "x"}), 409, "conflict")


@pytest.mark.django_db(transaction=True)
def test_of_many_that_make_one_key_at_once_one_gets_it(as_user):
    answers = all_at_once([partial(as_user(UserFactory()).post, URL, {"key": "RACE", "name": "x"}) for _ in range(4)])
    assert answers.count(201) == 1
    assert set(answers) <= {201, 400, 409}
    assert (Project.objects.count(), Membership.objects.count(), Status.objects.count()) == (1, 1, 6)


def test_a_key_is_fixed_once_made(client, user):
    ProjectFactory(key="FIRST", owner=user)
    with nothing_changes():
        refused(client.patch(f"{URL}FIRST/", {"key": "OTHER"}), 400, errors={"key": "fixed"})
        assert client.patch(f"{URL}FIRST/", {"key": "FIRST"}).status_code == 200


@pytest.mark.parametrize("name", ["", " ", "\t\n", "x" * 101, None, [], {}, True])
def test_a_name_is_a_text_that_says_something(client, user, name):
    ProjectFactory(key="OLD", owner=user)
    with nothing_changes():
        assert set(refused(client.post(URL, {"key": "NEW", "name": name}), 400)["errors"]) == {"name"}
        assert set(refused(client.patch(f"{URL}OLD/", {"name": name}), 400)["errors"]) == {"name"}


@pytest.mark.parametrize("name", ["a\nb", "a\r\nb", "a\tb", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b"])
def test_a_name_is_one_line(client, user, name):
    ProjectFactory(key="OLD", owner=user)
    with nothing_changes():
        refused(client.post(URL, {"key": "NEW", "name": name}), 400, errors={"name": "invalid"})
        refused(client.patch(f"{URL}OLD/", {"name": name}), 400, errors={"name": "invalid"})


def test_a_project_whose_name_has_more_lines_of_old_can_be_changed(client, user):
    ProjectFactory(key="OLD", owner=user, name="One\nTwo")
    changed = client.patch(f"{URL}OLD/", {"description": "New"})
    assert (changed.status_code, changed.json()["name"]) == (200, "One\nTwo")


def test_a_description_has_its_limit(client):
    made = client.post(URL, {"key": "NEW", "name": "x", "description": "x" * 10_000})
    assert made.status_code == 201
    with nothing_changes():
        refused(client.patch(f"{URL}NEW/", {"description": "x" * 10_001}), 400, errors={"description": "max_length"})


def test_a_project_is_named_by_id_or_key(client, user):
    project = ProjectFactory(key="NAMED", member=user)
    ProjectFactory(member=user)
    by_key, by_id = client.get(f"{URL}NAMED/"), client.get(f"{URL}{project.pk}/")
    assert by_key.json() == by_id.json()
    assert by_key.json()["id"] == str(project.pk)


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_what_is_not_there_and_what_one_may_not_see_look_the_same(client, method):
    hidden = ProjectFactory(key="HIDDEN", owner=UserFactory(), name="A secret name")
    names = [
        "HIDDEN",
        hidden.pk,
        "ABSENT",
        "hidden",
        "0" * 32,
        "01900000-0000-7000-8000-000000000000",
        "nothing",
        "%00",
        "HIDDEN%00",
        "%ED%A0%80",
        "%FF",
        "é",
        "x" * 5000,
        "HIDDEN%0A",
        "-1",
        "1e9",
    ]
    with nothing_changes():
        answers = [getattr(client, method)(f"{URL}{name}/") for name in names]
    for answer in answers:
        refused(answer, 404, "not_found")
    assert len({answer.content for answer in answers}) == 1


def test_a_list_holds_the_callers_projects_alone_newest_first(client, user):
    older, newer = ProjectFactory(viewer=user), ProjectFactory(owner=user)
    ProjectFactory(owner=UserFactory())
    assert keys(client.get(URL)) == [newer.key, older.key]


def test_the_role_is_the_callers_own(client, user):
    project = ProjectFactory(viewer=user, owner=UserFactory(), admin=UserFactory())
    MembershipFactory.create_batch(3, project=project)
    assert [each["role"] for each in client.get(URL).json()["results"]] == ["viewer"]
    assert client.get(f"{URL}{project.key}/").json()["role"] == "viewer"


def test_the_role_stays_in_the_answer_to_a_patch(client, user):
    ProjectFactory(key="MINE", admin=user, owner=UserFactory())
    assert client.patch(f"{URL}MINE/", {"name": "New"}).json()["role"] == "admin"


def test_role_is_not_ones_to_write(client, user):
    ProjectFactory(key="MINE", admin=user)
    assert client.patch(f"{URL}MINE/", {"role": "owner"}).json()["role"] == "admin"
    assert Membership.objects.get(user=user).role == "admin"


def test_patch_changes_only_what_it_names_and_tells_of_it(client, user):
    project = ProjectFactory(owner=user, name="Old", description="Stays.")
    cursor = client.get("/api/v1/events/", {"project": project.key}).json()["cursor"]
    changed = client.patch(f"{URL}{project.key}/", {"name": "New"}).json()
    assert (changed["name"], changed["description"]) == ("New", "Stays.")
    assert changed["updated_at"] > changed["created_at"]
    [event] = client.get("/api/v1/events/", {"project": project.key, "after": cursor}).json()["results"]
    assert (event["type"], event["changes"], event["actor"]) == (
        "project.updated",
        {"name": ["Old", "New"]},
        str(user.pk),
    )
    assert event["object"] == {name: value for name, value in changed.items() if name != "role"}


def test_a_patch_of_nothing_changes_nothing(client, user):
    project = ProjectFactory(owner=user)
    with nothing_changes():
        assert client.patch(f"{URL}{project.key}/", {}).status_code == 200
        assert client.patch(f"{URL}{project.key}/", {"name": project.name}).status_code == 200


def test_what_was_read_can_be_written_back(client, user):
    project = ProjectFactory(owner=user)
    read = client.get(f"{URL}{project.key}/").json()
    with nothing_changes():
        assert client.patch(f"{URL}{project.key}/", read).json() == read


def test_deleting_a_project_takes_all_in_it(client, user):
    project = ProjectFactory(owner=user, member=UserFactory())
    LabelFactory(project=project)
    client.post("/api/v1/invitations/", {"project": str(project.pk), "email": "new@example.org"})
    for title in ("one", "two"):
        assert client.post("/api/v1/tasks/", {"project": str(project.pk), "title": title}).status_code == 201
    response = client.delete(f"{URL}{project.key}/")
    assert (response.status_code, response.content) == (204, b"")
    for path in ("projects", "memberships", "invitations", "statuses", "labels", "tasks"):
        assert client.get(f"/api/v1/{path}/").json()["count"] == 0
    refused(client.get(f"{URL}{project.key}/"), 404)


def test_projects_are_filtered_by_the_callers_role(client, user):
    mine, seen = ProjectFactory(owner=user), ProjectFactory(viewer=user, owner=UserFactory())
    assert keys(client.get(URL, {"role": "owner"})) == [mine.key]
    assert keys(client.get(URL, {"role": "viewer"})) == [seen.key]
    assert keys(client.get(URL, {"role": "admin"})) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [("gear", ["GEARS"]), ("GEARS", ["GEARS"]), ("brass wheel", ["GEARS"]), ("brass paper", []), ("GRÖßE", ["GEARS"])],
)
def test_projects_are_searched_by_key_name_and_description(client, user, words, found):
    ProjectFactory(key="GEARS", name="The brass one", description="Wheels and gears of any größe.", owner=user)
    ProjectFactory(key="OTHER", name="Paper", owner=user)
    ProjectFactory(key="FOREIGN", name="gear brass wheel paper")
    assert keys(client.get(URL, {"search": words})) == found


@pytest.mark.parametrize("sign", ["%", "_", "\\", "'", '"', "%25"])
def test_signs_of_the_databases_language_are_searched_as_they_are(client, user, sign):
    ProjectFactory(name="plain", owner=user)
    sought = ProjectFactory(name=f"with {sign} in it", owner=user)
    assert keys(client.get(URL, {"search": sign})) == [sought.key]


@pytest.mark.parametrize(
    "query",
    [
        "role=boss",
        "role=Owner",
        "archived=maybe",
        "archived=1",
        "archived=True",
        "serach=x",
        "ordering=name",
        "page=2",
        "key=AB",
        "format=json",
        "search=%00",
        "role=owner%00",
        "=1",
        "limit=10&%00=1",
    ],
)
def test_unknown_filters_and_values_are_refused(client, user, query):
    ProjectFactory(owner=user)
    refused(client.get(f"{URL}?{query}"), 400, "invalid")


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_parameter_is_refused_for_one_project_too(client, user, method):
    project = ProjectFactory(owner=user)
    with nothing_changes():
        refused(getattr(client, method)(f"{URL}{project.key}/?dry_run=1"), 400, errors={"dry_run": "unknown_parameter"})


def test_an_unknown_parameter_is_refused_when_making_one(client):
    with nothing_changes():
        response = client.post(f"{URL}?dry_run=1", {"key": "NEW", "name": "x"})
        refused(response, 400, errors={"dry_run": "unknown_parameter"})


def test_a_search_of_many_words_is_answered_and_of_thousands_refused(client, user):
    project = ProjectFactory(owner=user, description="w")
    assert keys(client.get(URL, {"search": "w " * 100})) == [project.key]
    refused(client.get(URL, {"search": "w " * 5000}), 400, errors={"search": "max_length"})
