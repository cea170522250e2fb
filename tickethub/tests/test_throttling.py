"""429: how many requests one may make, and what is said beyond."""

from functools import partial
from unittest.mock import Mock

import pytest
from django.test import RequestFactory
from rest_framework.settings import api_settings

from accounts.tests.checks import assert_throttled, nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in
from projects.tests.factories import ProjectFactory
from tickethub import throttling

pytestmark = pytest.mark.django_db
API = "/api/v1/"
LOGIN = f"{API}auth/token/"
BAD = {"email": "ada@example.org", "password": "wrong"}


def test_somebody_unknown_is_held_by_their_address(anonymous, rates):
    rates["anon"] = "3/min"
    assert anonymous.get(f"{API}projects/").status_code == 401
    assert anonymous.get(f"{API}users/me/", HTTP_AUTHORIZATION="Bearer x.y.z").status_code == 401
    assert anonymous.get("/swagger.json").status_code == 200
    assert_throttled(anonymous.get(f"{API}projects/"))
    assert_throttled(anonymous.get(f"{API}users/me/", HTTP_AUTHORIZATION="Bearer x.y.z"))
    assert anonymous.get(f"{API}projects/", REMOTE_ADDR="10.0.0.9").status_code == 401
    assert anonymous.post(LOGIN, BAD).status_code == 401  # which has a limit of its own


FORGED = {"Forwarded": "for=10.9.9.{0}", "X-Real-IP": "10.9.9.{0}", "X-Client-IP": "10.9.9.{0}"}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "is_held"),
    [
        (0, "10.0.0.{0}", True),
        (0, "10.0.0.{0}, 192.0.2.7", True),
        (1, "192.0.2.7", True),
        (1, "10.0.0.{0}, 192.0.2.7", True),
        (1, "10.0.0.{0},10.0.1.{0},192.0.2.7", True),  # as several headers arrive
        (1, None, True),
        (1, "10.0.0.{0}", False),  # what the proxy itself says
        (1, "2001:db8:0:1::{0}", True),
        (1, "2001:db8:0:{0}::1", False),
        (1, "::ffff:192.0.2.{0}", False),
        (1, "no address", True),
    ],
)
def test_the_address_is_not_what_the_client_says_it_is(anonymous, rates, monkeypatch, proxies, forwarded, is_held):
    monkeypatch.setattr(api_settings, "NUM_PROXIES", proxies)
    rates["refresh"] = "1/min"
    answers = []
    for number in range(1, 4):
        headers = {name: value.format(number) for name, value in FORGED.items()}
        if forwarded:
            headers["X-Forwarded-For"] = forwarded.format(number)
        answers.append(anonymous.post(f"{API}auth/token/refresh/", {"refresh": "x"}, headers=headers).status_code)
    assert answers == ([401, 429, 429] if is_held else [401] * 3)


def test_a_person_is_held_wherever_they_come_from(as_user, rates):
    rates["user"] = "2/min"
    user = UserFactory()
    first, second = as_user(user), as_user(user)
    assert first.get(f"{API}projects/").status_code == 200
    assert second.get(f"{API}tasks/", REMOTE_ADDR="10.0.0.9").status_code == 200
    assert_throttled(first.get(f"{API}projects/"))
    assert_throttled(second.get(f"{API}users/me/", REMOTE_ADDR="10.0.0.10"))
    assert as_user(UserFactory()).get(f"{API}projects/").status_code == 200


@pytest.mark.parametrize(
    ("scope", "path", "body"),
    [
        ("login", "auth/token/", {"email": "known@example.org", "password": PASSWORD}),
        ("refresh", "auth/token/refresh/", {"refresh": "x"}),
        (
            "register",
            "auth/register/",
            {"email": "new@example.org", "username": "new", "password": "difference engine"},
        ),
        ("reset", "auth/password/reset/", {"email": "known@example.org"}),
        ("password", "auth/password/reset/confirm/", {"uid": "x", "token": "x", "new_password": "x"}),
    ],
)
def test_what_can_be_guessed_or_flooded_has_its_own_limit(anonymous, rates, scope, path, body):
    UserFactory(email="known@example.org")
    rates[scope] = "1/min"
    assert anonymous.post(f"{API}{path}", {}).status_code == 400
    with nothing_changes():
        assert_throttled(anonymous.post(f"{API}{path}", body))
    assert anonymous.get(f"{API}projects/").status_code == 401


def test_guessing_ones_password_has_its_limit(as_user, rates):
    client = as_user(UserFactory())
    rates["password"] = "1/min"
    guess = {"current_password": "wrong", "new_password": "a wholly new one"}
    assert client.post(f"{API}auth/password/change/", guess).status_code == 400
    with nothing_changes():
        assert_throttled(client.post(f"{API}auth/password/change/", {**guess, "current_password": PASSWORD}))


def test_inviting_has_its_limit_and_reading_invitations_has_not(as_user, rates):
    user = UserFactory()
    project = ProjectFactory(owner=user)
    client = as_user(user)
    rates["invitation"] = "1/hour"

    def invite(email):
        return client.post(f"{API}invitations/", {"project": str(project.pk), "email": email})

    assert invite("a@example.org").status_code == 201
    with nothing_changes():
        response = invite("b@example.org")
    refused(response, 429, "throttled")
    assert 60 < int(response["Retry-After"]) <= 3600
    assert [client.get(f"{API}invitations/").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("path", ["invitations/", "invitations/accept/", "auth/password/change/"])
def test_somebody_unknown_is_held_where_those_who_are_known_have_a_limit_of_their_own(anonymous, rates, path):
    rates["anon"] = "2/min"
    statuses = [anonymous.post(f"/api/v1/{path}", {}).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_asking_who_has_an_address_by_wanting_it_has_its_limit(as_user, rates):
    rates["register"] = "2/hour"
    ada, bob = UserFactory(), UserFactory()
    client = as_user(ada)
    for email in (bob.email, "nobody@example.org"):
        answer = client.patch("/api/v1/users/me/", {"email": email, "username": "!"})
        assert answer.status_code == 400
    refused(client.patch("/api/v1/users/me/", {"email": bob.email, "username": "!"}), 429, "throttled")
    assert client.patch("/api/v1/users/me/", {"email": ada.email, "first_name": "Ada"}).status_code == 200


def test_accepting_has_its_limit_so_that_tokens_cannot_be_guessed_at_will(as_user, rates):
    client = as_user(UserFactory())
    rates |= {"accept": "1/min", "invitation": "1/hour"}
    assert client.post(f"{API}invitations/accept/", {"token": "x"}).status_code == 404
    assert_throttled(client.post(f"{API}invitations/accept/", {"token": "y"}))


# --- Mailboxes ---


@pytest.mark.parametrize("email", ["known@example.org", "unknown@example.org"])
def test_nobodys_mailbox_is_filled_from_many_addresses(anonymous, rates, email):
    UserFactory(email="known@example.org")
    rates["account"] = "2/min"

    def ask(number):
        return anonymous.post(f"{API}auth/password/reset/", {"email": email}, REMOTE_ADDR=f"10.0.0.{number}")

    assert [ask(number).status_code for number in range(2)] == [202] * 2
    with nothing_changes():
        assert_throttled(ask(9))


def test_nobodys_mailbox_is_filled_by_many_who_invite_them(as_user, rates):
    rates["invited"] = "2/min"

    def invitation(email):
        project = ProjectFactory(owner=UserFactory())
        client = as_user(project.memberships.get().user)
        return partial(client.post, f"{API}invitations/", {"project": str(project.pk), "email": email})

    assert [invitation(email)().status_code for email in ("ada@example.org", "Ada@Example.org")] == [201] * 2
    third = invitation("ADA@example.org")
    with nothing_changes():
        assert_throttled(third())
    assert invitation("grace@example.org")().status_code == 201


def test_who_may_not_invite_does_not_use_up_the_invitations_of_others(as_user, rates):
    rates["invited"] = "1/hour"
    project = ProjectFactory(owner=UserFactory(), viewer=UserFactory())
    body = {"project": str(project.pk), "email": "ada@example.org"}
    viewer, owner = (as_user(project.memberships.get(role=role).user) for role in ("viewer", "owner"))
    assert [viewer.post(f"{API}invitations/", body).status_code for _ in range(3)] == [403] * 3
    assert owner.post(f"{API}invitations/", body).status_code == 201


def test_nobodys_mailbox_is_filled_by_many_who_had_its_address_in_turn(as_user, rates):
    rates["account"] = "2/min"

    def had(user):
        client = as_user(user)
        assert client.patch(f"{API}users/me/", {"email": "ada@example.org"}).status_code == 200
        return partial(client.patch, f"{API}users/me/", {"email": f"{user.pk}@example.org"})

    assert [had(UserFactory())().status_code for _ in range(2)] == [200] * 2
    third = had(UserFactory())
    with nothing_changes():
        assert_throttled(third())


# --- Pages ---

ADMIN = {"username": "ada@example.org", "password": "wrong"}
PAGES = {
    "/admin/login/": ("login", ADMIN),
    "/admin/password_change/": ("password", {"old_password": "wrong"}),
    "/password/reset/x/y/": ("password", {}),
}


def assert_page(response):
    assert response.status_code == 429
    assert response["Content-Type"].startswith("text/html")
    assert 0 < int(response["Retry-After"]) <= 60
    assert "Too many attempts" in response.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_pages_that_take_passwords_have_their_limit(client, rates, path):
    client.force_login(UserFactory(email="ada@example.org", is_staff=True))
    scope, form = PAGES[path]
    rates[scope] = "1/min"
    assert client.post(path, form).status_code == 200
    with nothing_changes():
        assert_page(client.post(path, form, headers={"X-Forwarded-For": "10.0.0.1"}))
    assert client.get(path).status_code == (302 if path == "/admin/login/" else 200)
    assert client.post(path, form, REMOTE_ADDR="10.0.0.9").status_code == 200


def test_the_admins_login_counts_for_the_account_as_the_apis_does(client, anonymous, rates):
    UserFactory(email="ada@example.org", is_staff=True)
    rates["account"] = "2/min"
    assert client.post("/admin/login/", ADMIN, REMOTE_ADDR="10.0.0.1").status_code == 200
    assert anonymous.post(LOGIN, BAD, REMOTE_ADDR="10.0.0.2").status_code == 401
    assert_page(client.post("/admin/login/", {**ADMIN, "password": PASSWORD}, REMOTE_ADDR="10.0.0.3"))


# --- Settings ---


def test_without_throttling_nothing_is_counted(anonymous, client, counters, monkeypatch):
    monkeypatch.setattr(throttling, "count", Mock(side_effect=AssertionError))
    user = UserFactory()
    assert anonymous.post(LOGIN, {"email": user.email, "password": PASSWORD}).status_code == 200
    assert anonymous.post(LOGIN, BAD).status_code == 401
    assert anonymous.get(f"{API}projects/").status_code == 401
    assert anonymous.post(f"{API}auth/password/reset/", {"email": user.email}).status_code == 202
    assert client.post("/admin/login/", ADMIN).status_code == 200
    throttling.address_of(RequestFactory().get("/"))


def test_a_refresh_of_many_people_at_one_address_is_not_what_anonymous_means(as_user, rates):
    rates |= {"anon": "1/min", "user": "1/min", "refresh": "9/min"}
    for _ in range(3):
        body = {"refresh": str(log_in(UserFactory()))}
        assert as_user().post(f"{API}auth/token/refresh/", body).status_code == 200
