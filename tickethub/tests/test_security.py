"""What browsers and strangers are told: policies, cookies, caches, origins, hosts, and the pages that are for staff."""

import json
import os
import re
import subprocess
import sys

import pytest
from django.core import mail

from accounts.tests.checks import refused
from accounts.tests.factories import PASSWORD, UserFactory
from projects.tests.factories import ProjectFactory
from tickethub.env import BASE_DIR
from tickethub.tests.test_env import PRODUCTION

pytestmark = pytest.mark.django_db
PAGES = ["/", "/admin/login/", "/invitations/accept/", "/password/reset/x/y/", "/password/reset/done/", "/nothing/"]
API_PAGES = ["/swagger/", "/redoc/"]
DESCRIPTIONS = ["/swagger.json", "/swagger.yaml"]
APP = "https://app.example.org"

# Asks for each path on the command line, as a stranger, over HTTPS or not; prints {path: [status, headers, cookies]}.
ASK = """
import json, os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "tickethub.settings"
from django.conf import settings
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # uncollected
django.setup()
from django.test import Client
answers = {}
for word in sys.argv[1:]:
    scheme, _, path = word.partition(":")
    client = Client(raise_request_exception=False, headers={"Host": "tickets.example.org"})
    answer = client.get(path, secure=scheme == "https", headers={"Origin": "https://evil.example"})
    cookies = {name: dict(cookie) for name, cookie in client.cookies.items()}
    answers[word] = [answer.status_code, dict(answer.headers), cookies]
print(json.dumps(answers))
"""
ASKED = [f"https:{path}" for path in [*PAGES, *API_PAGES, *DESCRIPTIONS, "/silk/", "/api/v1/tasks/", "/api/nothing/"]]
ASKED += ["http:/", "http:/api/v1/tasks/", "http:/healthz", "https:/healthz"]


def ask(database, *words, **settings):
    """What a server of other settings answers."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"ENV_FILE": os.devnull, "DATABASE_URL": f"sqlite:///{database}", "LOG_LEVEL": "ERROR"} | settings
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK, *words],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """{`https:/path`: [status, headers, cookies]} as production answers a stranger."""
    return ask(tmp_path_factory.mktemp("production") / "db.sqlite3", *ASKED, **PRODUCTION)


def policy(headers):
    return {name: values for name, *values in map(str.split, headers["Content-Security-Policy"].split(";"))}


# --- Production ---


def test_every_answer_of_production_has_the_headers_of_a_careful_server(production):
    for asked, (_, headers, _) in production.items():
        if asked.startswith("https:"):
            assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload", asked
            assert policy(headers)["default-src"] == ["'self'"], asked
            assert policy(headers)["frame-ancestors"] == ["'none'"], asked
            assert headers["X-Frame-Options"] == "DENY", asked
        assert headers["X-Content-Type-Options"] == "nosniff", asked
        assert headers["Referrer-Policy"] == "same-origin", asked
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", asked
        assert headers["X-Request-ID"], asked


def test_production_sends_plain_http_away_but_for_its_health(production):
    for path in ("/", "/api/v1/tasks/"):
        status, headers, _ = production[f"http:{path}"]
        assert (status, headers["Location"]) == (301, f"https://tickets.example.org{path}")
        assert "Strict-Transport-Security" not in headers
    assert production["http:/healthz"][0] == 200


def test_the_cookies_of_production_are_for_https_and_for_no_script(production):
    cookies = production["https:/admin/login/"][2]

    assert set(cookies) == {"csrftoken"}
    assert (cookies["csrftoken"]["secure"], cookies["csrftoken"]["httponly"]) == (True, True)
    assert cookies["csrftoken"]["samesite"] == "Lax"


def test_production_is_closed_to_pages_of_other_origins(production):
    for asked, (_, headers, _) in production.items():
        assert not [name for name in headers if name.lower().startswith("access-control-")], asked


def test_production_asks_strangers_to_log_in_for_the_pages_of_the_api(production):
    for path in API_PAGES:
        status, headers, _ = production[f"https:{path}"]
        assert (status, headers["Location"]) == (302, f"/admin/login/?next={path}")
    assert [production[f"https:{path}"][0] for path in DESCRIPTIONS] == [403, 403]


def test_production_has_no_silk(production):
    assert production["https:/silk/"][0] == 404


def test_an_installation_without_https_sends_nobody_there(tmp_path):
    settings = PRODUCTION | {"PUBLIC_URL": "http://tickets.example.org"}

    status, headers, cookies = ask(tmp_path / "db.sqlite3", "http:/admin/login/", **settings)["http:/admin/login/"]

    assert status == 200
    assert "Strict-Transport-Security" not in headers
    assert not cookies["csrftoken"]["secure"]


# --- The pages of the API, and whom they are for ---


@pytest.fixture
def for_staff(settings):
    settings.API_PAGES = "STAFF"


@pytest.fixture
def staff_client(client):
    client.force_login(UserFactory(is_staff=True))
    return client


@pytest.fixture
def member_client(client):
    client.force_login(UserFactory())
    return client


@pytest.mark.usefixtures("for_staff")
def test_staff_see_them(staff_client):
    for path in [*API_PAGES, *DESCRIPTIONS]:
        assert staff_client.get(path, headers={"Accept": "text/html,*/*"}).status_code == 200


@pytest.mark.usefixtures("for_staff")
@pytest.mark.parametrize("who", ["client", "member_client"])
def test_nobody_else_sees_them_or_is_led_to_them_as_if_they_could(request, who):
    client = request.getfixturevalue(who)

    for path in API_PAGES:
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/admin/login/?next={path}"
    for path in DESCRIPTIONS:
        answer = client.get(path)
        refused(answer, 403, "permission_denied")
        assert b"paths" not in answer.content
    home = client.get("/").content.decode()
    assert "For staff: Read the API" in home
    assert "swagger.json" not in home
    assert "Swagger" not in client.get("/invitations/accept/").content.decode()


def test_all_see_them_where_they_are_public(client):
    for path in [*API_PAGES, *DESCRIPTIONS]:
        assert client.get(path, headers={"Accept": "text/html,*/*"}).status_code == 200


# --- The content security policy ---


@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_ours_runs_what_stands_in_it(client, path):
    told = policy(client.get(path).headers)

    assert "script-src" not in told
    assert "style-src" not in told
    assert told["default-src"] == ["'self'"]
    assert told["object-src"] == told["base-uri"] == ["'none'"]
    assert told["form-action"] == ["'self'"]


@pytest.mark.parametrize("path", API_PAGES)
def test_the_pages_of_the_api_may_have_their_styles_and_no_scripts(client, path):
    told = policy(client.get(path).headers)

    assert told["style-src"] == ["'self'", "'unsafe-inline'"]
    assert told["worker-src"] == ["'self'", "blob:"]
    assert "script-src" not in told


def test_swagger_asks_no_validator_elsewhere(client):
    page = client.get("/swagger/").content.decode()
    settings = json.loads(re.search(r'id="swagger-settings" type="application/json">(.*?)</script>', page)[1])

    assert settings["validatorUrl"] is None


# --- Caches ---


def test_tokens_are_kept_by_no_cache(anonymous):
    person = UserFactory()

    login = anonymous.post("/api/v1/auth/token/", {"email": person.email, "password": PASSWORD})
    refused_login = anonymous.post("/api/v1/auth/token/", {"email": person.email, "password": "wrong"})

    assert "refresh" in login.json()
    assert login.headers["Cache-Control"] == refused_login.headers["Cache-Control"] == "no-store"


def test_an_invitation_and_a_profile_are_kept_by_no_cache(as_user):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    client = as_user(owner)
    body = {"project": project.pk, "email": "ada@example.org", "role": "member"}

    for answer in (client.post("/api/v1/invitations/", body), client.get("/api/v1/users/me/")):
        assert answer.headers["Cache-Control"] == "no-store"


def test_the_rest_of_the_api_is_for_one_person_who_asks_again(as_user):
    owner = UserFactory()
    project = ProjectFactory(owner=owner)

    for path in ("projects/", f"projects/{project.pk}/", "tasks/", "nothing/"):
        answer = as_user(owner).get(f"/api/v1/{path}")
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in answer.headers["Vary"]  # and not who shares the browser's cache


# --- Other origins ---


def preflight(client, origin):
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,if-match"}
    return client.options("/api/v1/tasks/", headers={"Origin": origin, **asked})


def allowed(answer):
    answer.close()  # where it is a file
    told = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in told.items() if name.startswith("access-control-")}


def test_a_page_of_an_origin_that_is_not_named_gets_no_leave(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [APP]

    for origin in ("https://evil.example", "null", f"{APP}.evil.example", f"{APP}:8443", "http://app.example.org"):
        assert allowed(preflight(client, origin)) == {}
        assert allowed(client.get("/api/v1/tasks/", headers={"Origin": origin})) == {}


def test_a_page_of_a_named_origin_may_use_the_api_without_cookies(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [APP]

    told = allowed(preflight(client, APP))

    assert told["access-control-allow-origin"] == APP
    assert "PATCH" in told["access-control-allow-methods"]
    assert {"authorization", "if-match"} <= set(told["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in told
    told = allowed(client.get("/api/v1/tasks/", headers={"Origin": APP}))
    assert told["access-control-allow-origin"] == APP
    assert "ETag" in told["access-control-expose-headers"]


def test_a_page_of_a_named_origin_may_use_nothing_but_the_api(client, settings):
    settings.CORS_ALLOWED_ORIGINS = [APP]

    for path in [*PAGES, *API_PAGES, *DESCRIPTIONS, "/readyz", "/static/tickethub/site.css"]:
        assert allowed(client.get(path, headers={"Origin": APP})) == {}


# --- Hosts ---


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "a b"])
def test_a_foreign_host_is_refused(client, settings, host):
    settings.ALLOWED_HOSTS = ["testserver"]

    assert client.get("/", headers={"Host": host}).status_code == 400
    answer = client.get("/api/v1/tasks/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


def test_no_header_decides_where_a_mailed_link_leads(anonymous, settings, django_capture_on_commit_callbacks):
    settings.ALLOWED_HOSTS = ["*"]
    UserFactory(email="ada@example.org")
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}

    with django_capture_on_commit_callbacks(execute=True):
        asked = anonymous.post("/api/v1/auth/password/reset/", {"email": "ada@example.org"}, headers=evil)

    assert asked.status_code == 202
    assert settings.PUBLIC_URL in mail.outbox[0].body
    assert "evil" not in mail.outbox[0].body


@pytest.mark.django_db
def test_a_login_that_is_to_lead_elsewhere_leads_to_the_admin(client):
    staff = UserFactory(is_staff=True)
    body = {"username": staff.email, "password": PASSWORD, "next": "//evil.example/"}
    assert client.post("/admin/login/?next=//evil.example/", body).headers["Location"] == "/admin/"


# --- Bodies ---


def test_a_form_over_the_limit_is_refused(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    client.raise_request_exception = False

    answer = client.post("/admin/login/", {"username": "x" * 2000, "password": "x"})

    assert answer.status_code == 400
