"""What every refusal looks like, whoever refuses."""

import sqlite3
from contextlib import closing
from unittest.mock import patch

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.middleware.common import CommonMiddleware
from django.test import Client
from psycopg.errors import DeadlockDetected, DiskFull, LockNotAvailable, QueryCanceled
from psycopg_pool import PoolTimeout
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Project
from projects.tests.factories import LabelFactory, MembershipFactory, ProjectFactory
from tasks.tests.factories import TaskFactory
from tickethub.errors import Conflict, PreconditionFailed
from tickethub.handlers import describe
from tickethub.prepared import Statement

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def user():
    return UserFactory()


@pytest.fixture
def client(as_user, user):
    client = as_user(user)
    client.raise_request_exception = False
    return client


def test_401_without_a_token(anonymous):
    assert refused(anonymous.get(f"{API}projects/"), 401) == {
        "detail": "Authentication credentials were not provided.",
        "code": "not_authenticated",
    }


def test_403_for_what_is_seen_but_not_allowed(client, user):
    ProjectFactory(key="SEEN", viewer=user)
    with nothing_changes():
        assert refused(client.patch(f"{API}projects/SEEN/", {"name": "x"}), 403) == {
            "detail": "You do not have permission to perform this action.",
            "code": "permission_denied",
        }


def test_404_for_what_is_not_there(client):
    assert refused(client.get(f"{API}projects/ABSENT/"), 404) == {"detail": "Not found.", "code": "not_found"}


@pytest.mark.parametrize(
    "path",
    [
        *["nonsense/", "projects/MAIN/nonsense/", "memberships/not-an-id/", "labels/1/", "statuses/%00/"],
        *["invitations/None/", "relations/x/", "comments/x/", "users/you/", "tasks/x/y/z/", "projects//", "%FF/"],
        *["memberships/01900000-0000-7000-8000-00000000000g/", "users/01900000-0000-7000-8000-000000000000x/"],
    ],
)
@pytest.mark.parametrize("method", ["get", "patch", "delete", "post"])
def test_an_address_that_no_route_has_gets_the_same_404_in_json(client, path, method):
    response = getattr(client, method)(f"{API}{path}", {} if method in {"patch", "post"} else None)
    refused(response, 404, "not_found")
    assert response.content == client.get(f"{API}projects/ABSENT/").content


@pytest.mark.parametrize("debug", [False, True])
def test_an_address_without_its_last_slash_is_none_also_under_debug(client, settings, debug):
    settings.DEBUG = debug
    with nothing_changes():
        refused(client.post(f"{API}projects", {"key": "NEW", "name": "x"}), 404, "not_found")
        refused(client.get(f"{API}projects"), 404, "not_found")
        refused(client.get(f"{API}memberships/not-an-id/"), 404, "not_found")


def test_beyond_the_api_a_404_is_a_page(client):
    response = client.get("/nonsense/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("method", ["PUT", "TRACE", "NONSENSE"])
@pytest.mark.parametrize(
    "path",
    [
        *["auth/register/", "auth/token/", "users/", "users/me/", "projects/", "projects/MAIN/", "memberships/"],
        *["invitations/", "invitations/accept/", "statuses/", "labels/", "tasks/", "tasks/MAIN-1/", "tasks/bulk/"],
        *["relations/", "comments/", "events/"],
    ],
)
def test_405_for_methods_that_are_not_offered(client, user, path, method):
    TaskFactory(project=ProjectFactory(key="MAIN", owner=user))
    with nothing_changes():
        response = client.generic(method, f"{API}{path}", "{}", content_type="application/json")
    refused(response, 405, "method_not_allowed")
    assert method not in response["Allow"]


def test_409_for_a_conflict_with_the_present_state(client, user):
    project = ProjectFactory(owner=user)
    with nothing_changes():
        body = refused(client.delete(f"{API}memberships/{project.memberships.get().pk}/"), 409)
    assert body == {"detail": "A project needs an owner. Give it another one first.", "code": "last_owner"}


def test_400_names_each_field_with_words_and_codes(client):
    body = refused(client.post(f"{API}projects/", {"key": "x"}), 400)
    assert body == {
        "detail": "Some of what was sent is not valid.",
        "code": "invalid",
        "errors": {
            "key": [{"detail": "2 to 10 capital letters or digits, a letter first.", "code": "invalid"}],
            "name": [{"detail": "This field is required.", "code": "required"}],
        },
    }


def test_400_for_the_whole_stands_under_non_field_errors(client, user):
    label = LabelFactory(project__member=user)
    with nothing_changes():
        body = refused(client.post(f"{API}labels/", {"project": str(label.project_id), "name": label.name}), 400)
    assert list(body["errors"]) == ["non_field_errors"]


@pytest.mark.parametrize(
    ("detail", "errors"),
    [
        ("no", {"non_field_errors": [("no", "invalid")]}),
        (["no", "never"], {"non_field_errors": [("no", "invalid"), ("never", "invalid")]}),
        ({"a": ["no"], "b": "never"}, {"a": [("no", "invalid")], "b": [("never", "invalid")]}),
        ({"a": {"b": {"c": ["no"]}}}, {"a.b.c": [("no", "invalid")]}),
        ({"a": [{}, {"b": ["no"]}]}, {"a.1.b": [("no", "invalid")]}),
        ({"a": {1: ["no"]}}, {"a.1": [("no", "invalid")]}),
        ({"a": {"non_field_errors": ["no"]}}, {"a": [("no", "invalid")]}),
        ({"__all__": ["no"]}, {"non_field_errors": [("no", "invalid")]}),
        ({"a": [ErrorDetail("no", "special")]}, {"a": [("no", "special")]}),
        ({"message": ["no"], "code": ["never"]}, {"message": [("no", "invalid")], "code": [("never", "invalid")]}),
        ({"a": {"message": ["no"]}}, {"a.message": [("no", "invalid")]}),
    ],
)
def test_nested_errors_are_told_by_their_paths(detail, errors):
    told = describe(ValidationError(detail))["errors"]
    assert {name: [(each["detail"], each["code"]) for each in told[name]] for name in told} == errors


def test_a_thousand_errors_are_told():
    told = describe(ValidationError({str(number): "no" for number in range(1001)}))["errors"]
    assert list(told) == list(map(str, range(1000)))


def test_of_what_is_long_the_middle_is_left_out():
    name, words = "n" * 10**6, f'"{"w" * 10**6}" is not a valid choice.'
    [(path, [told])] = describe(ValidationError({"a": {name: [words]}}))["errors"].items()
    assert path == f"a.{'n' * 150}…{'n' * 150}"
    assert (len(told["detail"]), told["detail"][:2], told["detail"][-6:]) == (301, '"w', "hoice.")
    assert describe(Conflict(words))["detail"] == told["detail"]
    whole = "w" * 300
    assert describe(ValidationError({whole: [whole]}))["errors"] == {whole: [{"detail": whole, "code": "invalid"}]}


def test_412_brings_the_present_state():
    assert describe(PreconditionFailed({"version": 2})) == {
        "detail": "This changed since you read it.",
        "code": "precondition_failed",
        "current": {"version": 2},
    }


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed"), PoolTimeout("none free")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_503_while_the_database_is_away(client, error, method):
    with patch.object(Project.objects.all().__class__, "visible_to", side_effect=error), nothing_changes():
        response = getattr(client, method)(f"{API}labels/" if method == "post" else f"{API}projects/", {})
        if method == "post":
            response = client.post(f"{API}labels/", {"project": "01900000-0000-7000-8000-000000000000", "name": "x"})
    refused(response, 503, "unavailable")
    assert response["Retry-After"] == "1"


def test_503_where_the_token_cannot_be_checked_for_want_of_the_database(client):
    with patch.object(Statement, "all", side_effect=OperationalError("gone")):
        response = client.get(f"{API}projects/")
    refused(response, 503, "unavailable")
    assert response["Retry-After"] == "1"


def test_503_keeps_the_databases_words_to_itself(client):
    words = 'connection to server at "10.1.2.3", port 5432 failed: password authentication failed for user "tickethub"'
    with patch.object(Project.objects.all().__class__, "visible_to", side_effect=OperationalError(words)):
        response = client.get(f"{API}projects/")
    assert b"10.1.2.3" not in response.content


@pytest.mark.parametrize("path", [f"{API}projects/", "/admin/"])
def test_503_tells_the_log_why_in_the_words_of_the_driver(client, log, path):
    error = OperationalError("as Django passes it on")
    error.__cause__ = sqlite3.OperationalError("attempt to write\na readonly database")
    client.cookies["sessionid"] = "a" * 32
    with patch.object(Project.objects.all().__class__, "visible_to", side_effect=error), away(error):
        assert client.get(path).status_code == 503
    [line] = log.lines("tickethub.handlers")
    assert line["level"] == "WARNING"
    assert line["message"] == "Unavailable: OperationalError: attempt to write a readonly database"
    assert line["request_id"] != "-"


def away(error):
    return patch.object(connection, "ensure_connection", side_effect=error)


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/"])
@pytest.mark.parametrize("error", [OperationalError("10.1.2.3 is gone"), PoolTimeout("10.1.2.3 has none free")])
def test_a_page_is_503_while_the_database_is_away(error, path):
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a" * 32
    with away(error):
        page = browser.get(path)
    assert (page.status_code, page["Retry-After"]) == (503, "1")
    assert "The database is away." in page.content.decode()
    assert "10.1.2.3" not in page.content.decode()


def test_a_page_is_500_where_anything_else_goes_wrong():
    browser = Client(raise_request_exception=False)
    browser.cookies["sessionid"] = "a" * 32
    with away(ZeroDivisionError):
        page = browser.get("/admin/")
    assert (page.status_code, "Retry-After" in page) == (500, False)


def test_the_api_is_503_also_where_a_middleware_finds_the_database_away(client):
    with patch.object(CommonMiddleware, "process_request", side_effect=OperationalError("gone")):
        response = client.get(f"{API}projects/")
    refused(response, 503, "unavailable")
    assert response["Retry-After"] == "1"


def sqlite_full():
    """What SQLite itself says when it may grow no more."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("CREATE TABLE small (it); PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("INSERT INTO small VALUES (zeroblob(100000))")
    return raised.value


@pytest.mark.parametrize("cause", [sqlite_full(), DiskFull()], ids=["SQLite", "PostgreSQL"])
def test_503_where_the_disk_is_full_says_so_and_to_come_back_later(client, cause):
    def fail(project, **kwargs):
        save(project, **kwargs)
        raise OperationalError("full") from cause

    save = Project.save
    with patch.object(Project, "save", fail), nothing_changes():
        response = client.post(f"{API}projects/", {"key": "NEW", "name": "x"})
    refused(response, 503, "storage_full")
    assert response["Retry-After"] == "10"


def deadlocked(times):
    """A Project.save that PostgreSQL ends so many times before it lets it pass."""
    save = Project.save
    tries = []

    def fail_then_save(project, **kwargs):
        tries.append(project)
        if len(tries) <= times:
            raise OperationalError("deadlock detected") from DeadlockDetected()
        save(project, **kwargs)

    return patch.object(Project, "save", fail_then_save)


def test_a_write_that_another_stood_in_the_way_of_is_done_again(client):
    with deadlocked(times=5), patch("tickethub.transactions.sleep") as paused:
        response = client.post(f"{API}projects/", {"key": "NEW", "name": "x"})
    assert response.status_code == 201
    pauses = [call.args[0] for call in paused.call_args_list]
    assert len(set(pauses)) == 5  # by chance, or two that met would meet again
    assert 0 < max(pauses) <= 0.5
    project = Project.objects.get()
    assert (project.memberships.count(), project.statuses.count()) == (1, 6)


@pytest.mark.django_db(transaction=True)
def test_while_it_pauses_others_have_its_connection(client):
    held = []
    with deadlocked(times=1), patch("tickethub.transactions.sleep", lambda _: held.append(connection.connection)):
        assert client.post(f"{API}projects/", {"key": "NEW", "name": "x"}).status_code == 201
    assert held == [None]


def test_503_where_it_is_done_again_in_vain(client):
    with deadlocked(times=99), patch("tickethub.transactions.sleep"), nothing_changes():
        response = client.post(f"{API}projects/", {"key": "NEW", "name": "x"})
    refused(response, 503, "busy")
    assert response.json()["detail"] == "Too many write the same at once. Try again shortly."
    assert response["Retry-After"] == "1"


@pytest.mark.parametrize(("cause", "seconds"), [(QueryCanceled, "5"), (LockNotAvailable, "1")])
def test_503_where_the_database_would_take_too_long(client, cause, seconds):
    error = OperationalError("canceling statement due to a timeout")
    error.__cause__ = cause()
    with patch("projects.views.ProjectViewSet.get_queryset", side_effect=error):
        response = client.get(f"{API}projects/")
    refused(response, 503, "busy")
    assert response["Retry-After"] == seconds


def test_409_for_what_validation_let_pass_and_the_database_did_not(client):
    words = 'duplicate key value violates unique constraint "projects_project_key_key" DETAIL: (key)=(SECRET)'
    with patch.object(Project, "save", side_effect=IntegrityError(words)), nothing_changes():
        response = client.post(f"{API}projects/", {"key": "NEW", "name": "x"})
    refused(response, 409, "conflict")
    assert b"SECRET" not in response.content


def test_djangos_own_refusal_is_told_like_ours(client):
    with patch("projects.views.ProjectViewSet.get_queryset", side_effect=PermissionDenied):
        refused(client.get(f"{API}projects/"), 403, "permission_denied")


def test_what_nobody_foresaw_is_a_500_in_the_same_shape_that_tells_nothing(client):
    with patch("projects.views.ProjectViewSet.get_queryset", side_effect=ZeroDivisionError("a secret")):
        response = client.get(f"{API}projects/")
    assert refused(response, 500) == {"detail": "Something went wrong here.", "code": "error"}


def test_a_conflict_undoes_what_the_request_had_done_before_it(client, user):
    project = ProjectFactory(owner=user)
    membership = MembershipFactory(project=project)
    with patch("projects.models.Membership.save", side_effect=Conflict), nothing_changes():
        refused(client.patch(f"{API}memberships/{membership.pk}/", {"role": "viewer"}), 409, "conflict")


def test_a_refusal_carries_the_clients_own_request_id(client):
    response = client.get(f"{API}projects/ABSENT/", headers={"X-Request-ID": "mine.7"})
    assert response["X-Request-ID"] == "mine.7"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png", "nonsense"])
def test_json_comes_whatever_is_accepted_or_406_in_json(client, accept):
    response = client.get(f"{API}projects/", headers={"Accept": accept})
    assert response.status_code in {200, 406}
    assert response["Content-Type"] == "application/json"


def test_more_parameters_than_django_reads_get_400_in_json(client):
    query = "&".join(f"project=P{n}" for n in range(1500))
    refused(client.get(f"{API}labels/?{query}"), 400)


def test_options_of_every_list_say_what_is_offered(client, user):
    ProjectFactory(key="MAIN", owner=user)
    for path in (
        *["users/", "users/me/", "projects/", "projects/MAIN/", "memberships/", "invitations/", "statuses/", "labels/"],
        *["tasks/", "relations/", "comments/", "events/", "auth/register/", "auth/password/change/", "tasks/bulk/"],
    ):
        response = client.options(f"{API}{path}")
        assert response.status_code == 200, path
        assert "PUT" not in response["Allow"]
