"""The pages around the API: home, invitation, password, what is not found, and the id of a request."""

import re
import uuid
from functools import partial

import pytest
from django.core import mail
from django.db import OperationalError
from django.test import Client

from accounts.models import User
from accounts.tests.checks import all_at_once
from accounts.tests.factories import PASSWORD, UserFactory
from projects.tests.factories import ProjectFactory
from tickethub.management.demo import filling

pytestmark = pytest.mark.django_db

LINK = re.compile(r"/password/reset/\S+/\S+/")


# --- Home ---


def test_home_says_where_to_go(client):
    page = client.get("/").content.decode()

    for address in ("/swagger/", "/redoc/", "/admin/", "/swagger.json", "/healthz", "/readyz"):
        assert f'href="{address}"' in page
    assert "http://testserver/api/v1/" in page
    assert "ws://testserver/ws/v1/" in page
    assert "docs/realtime.md" in page


@pytest.mark.parametrize("is_on", [True, False])
def test_home_leads_to_silk_where_it_is_on(client, settings, is_on):
    settings.ROOT_URLCONF = "tickethub.tests.urls_with_silk"
    settings.ENABLE_SILK = is_on

    assert ('href="/silk/"' in client.get("/").content.decode()) == is_on


@pytest.mark.parametrize("path", ["/WEB/", "/WEB/list/?status=todo", "/T2/people/"])
def test_every_address_of_the_board_is_the_same_page(client, path):
    page = client.get(path).content.decode()

    assert "tickethub/board/main.js" in page
    assert page == client.get("/").content.decode()


@pytest.mark.parametrize("path", ["/web/", "/W/", "/WEB/nothing/", "/TOOLONGAKEY/"])
def test_what_is_no_address_of_the_board_is_not_found(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/WEB/", "/invitations/accept/"])
def test_pages_with_scripts_allow_none_within_them(client, path):
    answer = client.get(path)
    policy, page = answer.headers["Content-Security-Policy"], answer.content.decode()

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style| style=| on[a-z]+=", page) == []


def test_home_tells_how_to_log_in_to_the_demo(client, settings):
    settings.DEBUG = True
    ProjectFactory(key="SHOWN", owner=UserFactory(email="ada@example.com", is_staff=True))

    page = client.get("/").content.decode()

    assert "ada@example.com" in page
    assert filling.PASSWORD in page
    assert "owner of SHOWN" in page
    assert 'data-email="ada@example.com"' in page


@pytest.mark.parametrize(("debug", "email"), [(False, "ada@example.com"), (True, "somebody@example.com")])
def test_home_tells_nothing_of_a_demo_in_production_or_without_one(client, settings, debug, email):
    settings.DEBUG = debug
    UserFactory(email=email)

    page = client.get("/").content.decode()

    assert email not in page
    assert filling.PASSWORD not in page


def test_home_of_a_development_server_without_a_database_is_there(client, settings, monkeypatch):
    settings.DEBUG = True
    monkeypatch.setattr(filling, "logins", raise_operational_error)

    assert client.get("/").status_code == 200


def raise_operational_error(*args):
    raise OperationalError("no such table: accounts_user")


# --- Invitation and password ---


def test_an_invitation_says_what_to_do_with_its_token(client):
    page = client.get("/invitations/accept/").content.decode()

    assert "http://testserver/api/v1/invitations/accept/" in page
    assert "<code>#</code>" in page


@pytest.fixture
def link(anonymous, django_capture_on_commit_callbacks):
    """The path of a mailed link for a new password of person@example.org."""
    UserFactory(email="person@example.org")
    with django_capture_on_commit_callbacks(execute=True):
        anonymous.post("/api/v1/auth/password/reset/", {"email": "person@example.org"})
    return LINK.search(mail.outbox[-1].body)[0]


def set_password(client, link, password):
    form = client.get(link, follow=True)
    path = form.request["PATH_INFO"]
    return client.post(path, {"new_password1": password, "new_password2": password}, follow=True)


def login(client, password):
    body = {"email": "person@example.org", "password": password}
    return client.post("/api/v1/auth/token/", body).status_code


def test_a_mailed_link_sets_a_new_password(link, anonymous):
    done = set_password(Client(enforce_csrf_checks=False), link, "a new horse for the battery")

    assert "Your new password is set" in done.content.decode()
    assert login(anonymous, "a new horse for the battery") == 200
    assert login(anonymous, PASSWORD) == 401


def test_a_mailed_link_works_once(link, client):
    set_password(client, link, "a new horse for the battery")

    assert "This link does not work" in client.get(link, follow=True).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_a_mailed_link_at_once_one_works(link):
    clients = [Client() for _ in range(8)]
    (path,) = {client.get(link, follow=True).request["PATH_INFO"] for client in clients}
    words = [f"a new horse for battery {n}" for n in range(8)]
    bodies = [{"new_password1": word, "new_password2": word} for word in words]

    answers = all_at_once([partial(client.post, path, body) for client, body in zip(clients, bodies, strict=True)])

    assert answers == [200] * 7 + [302]


def test_a_mailed_link_is_dead_once_the_account_is_closed(link, client):
    form = client.get(link, follow=True)
    person = User.objects.get(email="person@example.org")
    person.deactivate()
    body = {"new_password1": "a new horse for the battery", "new_password2": "a new horse for the battery"}

    pages = [client.get(link, follow=True), client.post(form.request["PATH_INFO"], body)]

    assert all("This link does not work" in page.content.decode() for page in pages)
    assert User.objects.get(pk=person.pk).password == person.password


def test_the_token_of_a_mailed_link_is_kept_by_the_browser_for_that_page_alone(link, client, settings):
    settings.SESSION_COOKIE_SECURE = True

    answer = client.get(link)
    cookie = answer.cookies["password_reset"]

    token = link.split("/")[-2]
    assert token not in answer.headers["Location"]
    assert cookie.value == token
    assert cookie["path"] == answer.headers["Location"]
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"
    set_password(client, link, "a new horse for the battery")
    assert not client.cookies["password_reset"].value


def test_a_weak_password_is_refused_with_a_reason(link, client, anonymous):
    page = set_password(client, link, "12345").content.decode()

    assert "This password is too short" in page
    assert login(anonymous, PASSWORD) == 200


def test_a_form_from_elsewhere_is_refused(link):
    assert set_password(Client(enforce_csrf_checks=True), link, "a new horse for the battery").status_code == 403


@pytest.mark.parametrize("path", ["/password/reset/x/y/", "/password/reset/MQ/set-password/", "/password/reset/%00/y/"])
def test_a_link_that_is_nonsense_says_so(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    assert "This link does not work" in answer.content.decode()


# --- Not found ---


@pytest.mark.parametrize("path", ["/api/nothing/", "/api/v1/nothing/", "/api/v2/tasks/"])
def test_what_is_not_in_the_api_is_told_as_json(client, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found.", "code": "not_found"}


def test_what_is_not_elsewhere_is_told_as_html(client):
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


# --- The id of a request ---


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/tasks/", "/api/v1/nothing/", "/nothing/", "/admin/login/"])
def test_every_answer_carries_the_id_that_the_client_sent(client, path):
    assert client.get(path, headers={"X-Request-ID": "trace-1.a_B"}).headers["X-Request-ID"] == "trace-1.a_B"


@pytest.mark.parametrize("sent", [None, "", "a" * 129, "two words", "a\tb", "<script>", "naïve", "a;b"])
def test_an_id_that_is_not_sane_is_replaced(client, sent):
    headers = {} if sent is None else {"X-Request-ID": sent}

    given = client.get("/healthz", headers=headers).headers["X-Request-ID"]

    assert given != sent
    assert str(uuid.UUID(given)) == given


def test_a_long_id_is_kept_whole(client):
    sent = "a" * 128

    assert client.get("/healthz", headers={"X-Request-ID": sent}).headers["X-Request-ID"] == sent
