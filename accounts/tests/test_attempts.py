"""How often a wrong password may be tried for one account, from wherever."""

import json
from unittest.mock import Mock

import pytest
from django.core import mail

from accounts.tests.checks import assert_throttled, nothing_changes
from accounts.tests.factories import PASSWORD, UserFactory
from tickethub import throttling

pytestmark = pytest.mark.django_db
API = "/api/v1/"
LOGIN = f"{API}auth/token/"
LONG = "x" * 1_000_000
BAD = {"email": "ada@example.org", "password": "wrong"}


@pytest.mark.parametrize("email", ["known@example.org", "unknown@example.org"])
def test_one_account_is_not_guessed_at_from_many_addresses(anonymous, rates, email):
    UserFactory(email="known@example.org")
    rates["account"] = "3/min"
    for number, spelt in enumerate([email, email.upper(), f" {email.title()} "]):
        guess = {"email": spelt, "password": "wrong"}
        assert anonymous.post(LOGIN, guess, REMOTE_ADDR=f"10.0.0.{number}").status_code == 401
    with nothing_changes():
        body = {"email": email, "password": PASSWORD}
        assert_throttled(anonymous.post(LOGIN, body, REMOTE_ADDR="10.0.0.9"))
    other = UserFactory()
    assert anonymous.post(LOGIN, {"email": other.email, "password": PASSWORD}).status_code == 200


def test_no_password_is_hashed_beyond_the_limit(anonymous, rates, monkeypatch):
    UserFactory(email="ada@example.org")
    rates["account"] = "1/min"
    hashed = Mock(return_value=False)
    monkeypatch.setattr("accounts.models.User.check_password", hashed)
    assert [anonymous.post(LOGIN, BAD).status_code for _ in range(3)] == [401, 429, 429]
    assert hashed.call_count == 1


def test_logging_in_does_not_count(anonymous, rates):
    user = UserFactory()
    rates["account"] = "1/min"
    body = {"email": user.email, "password": PASSWORD}
    assert [anonymous.post(LOGIN, body, REMOTE_ADDR=f"10.0.0.{n}").status_code for n in range(4)] == [200] * 4


def test_whoever_guesses_all_day_does_not_keep_the_owner_out(anonymous, rates):
    user = UserFactory(email="ada@example.org")
    rates["account"] = "2/min"
    right = {"email": user.email, "password": PASSWORD}
    assert anonymous.post(LOGIN, right, REMOTE_ADDR="192.0.2.1").status_code == 200
    for number in range(5):
        anonymous.post(LOGIN, BAD, REMOTE_ADDR=f"10.0.0.{number}")
    assert anonymous.post(LOGIN, right, REMOTE_ADDR="192.0.2.1").status_code == 200
    assert_throttled(anonymous.post(LOGIN, right, REMOTE_ADDR="192.0.2.2"))
    for _ in range(2):  # from there no more may be guessed than from elsewhere
        assert anonymous.post(LOGIN, BAD, REMOTE_ADDR="192.0.2.1").status_code == 401
    assert_throttled(anonymous.post(LOGIN, right, REMOTE_ADDR="192.0.2.1"))


@pytest.mark.parametrize("by_page", [False, True])
def test_a_mailed_link_lets_the_owner_in_from_anywhere(anonymous, client, rates, by_page):
    UserFactory(email="ada@example.org")
    rates["account"] = "1/min"
    here = {"REMOTE_ADDR": "192.0.2.1"}
    anonymous.post(LOGIN, BAD)
    assert_throttled(anonymous.post(LOGIN, BAD, **here))
    anonymous.post(f"{API}auth/password/reset/", {"email": "ada@example.org"})
    words = mail.outbox[-1].body.split()
    new = "a wholly new one"
    if by_page:
        form = client.get(words[words.index("minutes:") + 1], follow=True, **here).request["PATH_INFO"]
        assert client.post(form, {"new_password1": new, "new_password2": new}, **here).status_code == 302
    else:
        parts = {"uid": words[words.index("uid") + 1], "token": words[words.index("token") + 1], "new_password": new}
        assert anonymous.post(f"{API}auth/password/reset/confirm/", parts, **here).status_code == 204
    assert anonymous.post(LOGIN, {"email": "ada@example.org", "password": new}, **here).status_code == 200


CHANGES = {
    "api": (f"{API}auth/password/change/", "current_password", {"new_password": "a wholly new one"}, 400, 204),
    "admin": (
        "/admin/password_change/",
        "old_password",
        dict.fromkeys(["new_password1", "new_password2"], "x"),
        200,
        200,
    ),
}


@pytest.mark.parametrize("page", CHANGES)
def test_who_is_logged_in_guesses_no_more_at_the_present_password(as_user, client, anonymous, rates, page):
    path, name, new, wrong, right = CHANGES[page]
    user = UserFactory(is_staff=True)
    rates["account"] = "2/min"
    if page == "admin":
        client.force_login(user)
    else:
        client = as_user(user)

    assert [client.post(path, {name: "wrong", **new}).status_code for _ in range(3)] == [wrong, wrong, 429]
    with nothing_changes():
        assert client.post(path, {name: PASSWORD, **new}).status_code == 429
    assert_throttled(anonymous.post(LOGIN, {"email": user.email, "password": PASSWORD}))
    throttling.counters().clear()
    assert client.post(path, {name: PASSWORD, **new}).status_code == right
    for _ in range(2):  # the one that was right does not count
        assert anonymous.post(LOGIN, {"email": user.email, "password": "wrong"}).status_code == 401


@pytest.mark.parametrize(
    "email", [None, "", [], ["ada@example.org"], {"a": 1}, True, "ada@example.org\0", "ada@example.org\ud800", LONG]
)
def test_what_is_no_address_counts_for_no_account(anonymous, rates, email):
    UserFactory(email="ada@example.org")
    rates["account"] = "1/min"
    body = json.dumps({"email": email, "password": PASSWORD})
    for _ in range(3):
        answer = anonymous.post(LOGIN, body, content_type="application/json")
        assert answer.status_code in ({401, 429} if email == LONG else {400})
        assert anonymous.post(LOGIN, {"password": PASSWORD}).status_code == 400
    assert anonymous.post(LOGIN, {"email": "ada@example.org", "password": PASSWORD}).status_code == 200
