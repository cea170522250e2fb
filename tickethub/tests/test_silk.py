"""Silk, switched on: whom it lets in, what it keeps, and that it breaks nothing."""

import base64
import json
import re

import pytest
from django.apps import apps
from django.core import mail
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.test import Client, RequestFactory
from rest_framework.test import APIClient
from silk.collector import DataCollector
from silk.model_factory import ResponseModelFactory
from silk.models import Request

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from projects.tests.factories import ProjectFactory
from tickethub.profiling import SilkMiddleware, explain
from tickethub.recording import may_be_recorded

pytestmark = pytest.mark.django_db

SECOND_PASSWORD = "second horse battery staple"
THIRD_PASSWORD = "third horse battery staple"


@pytest.fixture(autouse=True)
def silk(settings):
    settings.ROOT_URLCONF = "tickethub.tests.urls_with_silk"
    place = settings.MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware") + 1
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:place], settings.SILKY_MIDDLEWARE_CLASS, *settings.MIDDLEWARE[place:]]
    yield
    DataCollector().clear()
    if hasattr(SQLCompiler, "_execute_sql"):  # what Silk has put its own in place of
        SQLCompiler.execute_sql = SQLCompiler._execute_sql
        del SQLCompiler._execute_sql


@pytest.fixture
def staff():
    return UserFactory(is_staff=True, is_superuser=True)


def everything_kept():
    """All that Silk's tables hold, as one text."""
    texts = []
    for model in apps.get_app_config("silk").get_models():
        for row in model._base_manager.values_list():
            texts.extend(str(value) for value in row)
    encoded = Request.objects.exclude(response__raw_body="").values_list("response__raw_body", flat=True)
    texts.extend(base64.b64decode(text or "").decode() for text in encoded)
    return "\n".join(texts)


def test_silk_is_not_there_unless_switched_on(client, settings):
    settings.ROOT_URLCONF = "tickethub.urls"

    assert client.get("/silk/").status_code == 404


def test_silk_asks_strangers_to_log_in(client):
    assert client.get("/silk/").headers["Location"] == "/admin/login/?next=/silk/"


def test_silk_is_forbidden_to_those_who_are_not_staff(client):
    client.force_login(UserFactory())

    assert client.get("/silk/").status_code == 403


def test_silk_shows_staff_what_requests_cost(client, staff, as_user):
    as_user(staff).get("/api/v1/tasks/?search=needle")
    client.force_login(staff)
    page = client.get("/silk/requests/")
    recorded = Request.objects.get()

    assert page.status_code == 200
    assert "/api/v1/tasks/" in page.content.decode()
    assert client.get(f"/silk/request/{recorded.pk}/").status_code == 200
    assert recorded.query_params == '{"search": "needle"}'
    assert recorded.num_sql_queries > 0


def test_silk_sees_sql_that_is_kept(staff, as_user):
    project = ProjectFactory(owner=staff)
    for _ in range(2):  # the first makes the SQL, the second has it
        as_user(staff).get(f"/api/v1/projects/{project.pk}/")

    asked = [list(request.queries.values_list("query", flat=True)) for request in Request.objects.all()]
    assert [sum('FROM "projects_project"' in sql for sql in queries) for queries in asked] == [1, 1]


def test_its_pages_alone_may_run_the_scripts_in_them(client, staff):
    client.force_login(staff)

    told = [client.get(path).headers["Content-Security-Policy"] for path in ("/silk/", "/silk/requests/", "/")]

    assert ["script-src 'self' 'unsafe-inline' 'unsafe-eval'" in policy for policy in told] == [True, True, False]


def test_no_password_and_no_token_is_kept(staff, django_capture_on_commit_callbacks):
    person = UserFactory(email="person@example.org")
    project = ProjectFactory(owner=staff)
    api = APIClient()

    def post(path, body, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return api.post(f"/api/v1/{path}", body, headers=headers, format="json").json()

    login = post("auth/token/", {"email": person.email, "password": PASSWORD})
    refreshed = post("auth/token/refresh/", {"refresh": login["refresh"]})
    other = post("auth/token/", {"email": staff.email, "password": PASSWORD})
    invitation = post("invitations/", {"project": str(project.pk), "email": person.email}, other["access"])
    post("invitations/accept/", {"token": invitation["token"]}, refreshed["access"])
    post("auth/register/", {"email": "new@example.org", "username": "new", "password": SECOND_PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        post("auth/password/reset/", {"email": person.email})
    api.get("/api/v1/tasks/", headers={"Authorization": f"Bearer {refreshed['access']}"})
    api.patch("/api/v1/users/me/", {"first_name": "P"}, headers={"Authorization": f"Bearer {refreshed['access']}"})
    link = re.search(r"/password/reset/\S+/\S+/", mail.outbox[-1].body)[0]
    browser = Client()
    form = browser.get(link, follow=True).request["PATH_INFO"]
    browser.post(form, {"new_password1": THIRD_PASSWORD, "new_password2": THIRD_PASSWORD})
    browser.post("/admin/login/", {"username": staff.email, "password": PASSWORD})
    browser.get("/")
    browser.get("/swagger/")
    person.refresh_from_db()

    assert person.check_password(THIRD_PASSWORD), "the link was of no use"
    assert "sessionid" in browser.cookies
    kept = everything_kept()
    assert "/api/v1/tasks/" in kept
    secrets = [PASSWORD, SECOND_PASSWORD, THIRD_PASSWORD, *login.values(), *refreshed.values(), *other.values()]
    secrets += [invitation["token"], link.split("/")[-2], person.password, browser.cookies["sessionid"].value]
    assert [secret for secret in secrets if secret in kept] == []


@pytest.mark.parametrize("path", ["/api/v2/auth/token/", "//api/v1/auth/token/", "/API/v1/auth/token/", "/login/", "/"])
@pytest.mark.parametrize("format", ["json", "multipart"])
def test_what_is_sent_to_a_mistyped_address_is_not_kept(path, format):
    body = {"email": "person@example.org", "password": PASSWORD, "new_password": "pass-2", "refresh": "the.refresh.jwt"}

    APIClient().generic("POST", path, *encode(body, format))

    assert not everything_kept()


def test_what_leads_nowhere_is_not_even_kept_until_it_is_answered():
    for path in ("/api/v1/nope/", "/api/v2/auth/token/", "/login/", "/\0"):
        assert not may_be_recorded(RequestFactory().post(path))
    assert may_be_recorded(RequestFactory().post("/api/v1/tasks/"))


def test_what_is_refused_as_nonsense_is_not_kept(as_user):
    client = as_user(UserFactory())
    broken = b'{"new_password": "pass-2" broken'

    answers = [
        client.get("/api/v1/tasks/?token=pass-2&other=pass-3"),
        client.get("/api/v1/tasks/pass-2/"),
        APIClient().get("/api/v1/tasks/?other=pass-3"),
        client.generic("POST", "/api/v1/tasks/", broken, content_type="application/json"),
        client.generic("POST", "/api/v1/tasks/", broken, content_type="text/plain"),
        client.generic("PUT", "/api/v1/tasks/", broken, content_type="application/json"),
    ]

    assert [answer.status_code for answer in answers] == [400, 404, 401, 400, 415, 405]
    assert not everything_kept()


def test_the_secrets_of_a_query_that_nobody_reads_are_not_kept(client):
    client.get("/?token=pass-2&new_password=pass-3&page=pass-4")

    kept = everything_kept()
    assert "pass-4" in kept
    assert not [secret for secret in ("pass-2", "pass-3") if secret in kept]


def encode(body, format):
    client = APIClient()
    return client._encode_data(body, format=format)


BODIES = {
    "a little deep": b"[" * 900 + b"]" * 900,
    "deep": b"[" * 2_000 + b"]" * 2_000,
    "very deep": b"[" * 20_000 + b"]" * 20_000,
    "deep and unfinished": b"[" * 20_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "escaped NUL": rb'{"title": "\u0000"}',
    "lone surrogate": rb'{"title": "\ud800"}',
    "not UTF-8": b'{"title": "\xff\xfe"}',
    "a long number": b'{"title": ' + b"9" * 6_000 + b"}",
    "large": b'{"title": "' + b"a" * 3_000_000 + b'"}',
}
TYPES = ["application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded"]


def answers_with_and_without_silk(client, settings, path, body, content_type):
    for middleware in (settings.MIDDLEWARE, settings.MIDDLEWARE[:1] + settings.MIDDLEWARE[2:]):
        settings.MIDDLEWARE = middleware
        client.handler.load_middleware()
        yield client.generic("POST", path, body, content_type)


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("name", BODIES)
def test_no_body_fails_because_of_silk(name, content_type, as_user, settings):
    client = as_user(UserFactory())

    answers = answers_with_and_without_silk(client, settings, "/api/v1/tasks/", BODIES[name], content_type)

    with_silk, without = answers
    assert with_silk.status_code == without.status_code < 500
    assert with_silk.json() == without.json()


def test_no_file_to_import_may_be_larger_because_of_silk(as_user, settings):
    settings.IMPORT_MAX_SIZE, owner = 100, UserFactory()
    path, body = f"/api/v1/projects/{ProjectFactory(owner=owner).pk}/import/", json.dumps([{"title": "x" * 100}])

    answers = answers_with_and_without_silk(as_user(owner), settings, path, body, "application/json")

    assert [answer.status_code for answer in answers] == [413, 413]


@pytest.mark.django_db(transaction=True)  # as in a server: PostgreSQL, which cannot keep a NUL, ends the transaction
@pytest.mark.parametrize("path", ["/api/v1/tasks/", "/api/v1/\0/"])
def test_no_nul_fails_because_of_silk(path, as_user, settings):
    client = as_user(UserFactory())

    answers = answers_with_and_without_silk(client, settings, path, b'{"title": "\0"}', "application/json")

    with_silk, without = answers
    assert with_silk.status_code == without.status_code < 500


def test_a_response_that_cannot_be_recorded_is_sent(client, monkeypatch):
    def fail(factory):
        raise RecursionError

    monkeypatch.setattr(ResponseModelFactory, "construct_response_model", fail)

    assert client.get("/").status_code == 200


def test_looks_at_the_health_are_not_recorded(client):
    client.get("/healthz")
    client.get("/readyz")

    assert not Request.objects.exists()


def test_a_query_that_fails_tells_its_own_error():
    """PostgreSQL refuses whatever comes after it in the transaction, such as Silk's EXPLAIN."""
    one, other = UserFactory(), UserFactory()
    SilkMiddleware(lambda request: None).process_request(RequestFactory().get("/"))

    with pytest.raises(IntegrityError), transaction.atomic():
        QuerySet.update(User.objects.filter(pk=one.pk), email=other.email)


def test_a_query_that_cannot_be_explained_is_recorded_without():
    def fail(connection, query, params):
        raise DatabaseError

    assert explain(None, "SELECT 1", (), explain=fail) is None
