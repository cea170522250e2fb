"""How passwords are hashed: few at a time, holding nothing that others wait for, and none for longer than they may."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.contrib.auth.tokens import default_token_generator
from django.db import connection, transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import hashers
from accounts.tests.checks import refused
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
AUTH = "/api/v1/auth/"
NEW = "a wholly new one"


@pytest.fixture(autouse=True)
def hashing(settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2PasswordHasher"]
    settings.PASSWORD_HASHES_AT_ONCE = 1
    hashers.turns.cache_clear()
    yield
    hashers.turns.cache_clear()


@pytest.fixture
def user():
    return UserFactory(username="grace", email="grace@example.org", is_staff=True)


@pytest.fixture
def held(monkeypatch):
    """Whether a connection to the database was held, for each time that something was hashed."""
    held = []

    def watched(hash):
        def watch(*args):
            held.append(connection.connection is not None)
            return hash(*args)

        return watch

    for name in ("encode", "verify"):
        monkeypatch.setattr(Argon2PasswordHasher, name, watched(getattr(Argon2PasswordHasher, name)))
    return held


def log_in(client, user, password=PASSWORD):
    return client.post(f"{AUTH}token/", {"email": user.email, "password": password})


def reset(client, user):
    link = {"uid": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}
    return client.post(f"{AUTH}password/reset/confirm/", {**link, "new_password": NEW})


def register(client, user):
    return client.post(f"{AUTH}register/", {"email": "new@example.org", "username": "new", "password": NEW})


@pytest.mark.parametrize(
    ("ask", "status", "hashes"),
    [
        (log_in, 200, 1),
        (partial(log_in, password="wrong"), 401, 1),
        (lambda client, user: client.post(f"{AUTH}token/", {"email": "a@b.org", "password": "x"}), 401, 1),
        (register, 201, 1),
        (reset, 204, 1),
    ],
    ids=["log in", "a wrong password", "nobody's password", "register", "reset"],
)
def test_no_connection_is_held_meanwhile(anonymous, user, held, ask, status, hashes):
    held.clear()
    assert ask(anonymous, user).status_code == status
    assert held == [False] * hashes


def test_no_connection_is_held_while_a_password_is_changed(as_user, user, held):
    client = as_user(user)
    held.clear()
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert client.post(f"{AUTH}password/change/", body).status_code == 204
    assert held == [False, False]


def test_no_connection_is_held_in_the_admin(client, user, held):
    client.force_login(user)
    body = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    held.clear()
    assert client.post("/admin/password_change/", body).status_code == 302
    assert held
    assert not any(held)


def test_no_more_are_hashed_at_once_than_are_allowed(monkeypatch, settings):
    settings.PASSWORD_HASHES_AT_ONCE = 2
    running, most = [], []

    def hash(*args):
        running.append(1)
        most.append(len(running))
        threading.Event().wait(0.05)
        running.pop()
        return "argon2$"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", hash)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make_password, ["x"] * 8))
    assert max(most) == 2


@pytest.fixture
def busy(monkeypatch):
    """All turns are taken, and nobody gives one back."""
    monkeypatch.setattr(hashers, "TURN_WITHIN", 0.01)
    with hashers.turn():
        yield


def test_who_gets_no_turn_is_told_when_to_come_back(anonymous, user, busy):
    for ask in (log_in, register, reset):
        refusal = ask(anonymous, user)
        refused(refusal, 503, "busy")
        assert refusal["Retry-After"] == "5"
    assert not user.sessions.exists()


def test_who_gets_no_turn_at_a_page_is_told_so_as_well(client, user, busy):
    client.raise_request_exception = False
    refusal = client.post("/admin/login/", {"username": user.email, "password": PASSWORD})
    assert (refusal.status_code, refusal["Retry-After"]) == (503, "5")
    assert "The server is busy" in refusal.content.decode()


def test_what_was_not_looked_at_does_not_count_as_a_wrong_password(anonymous, user, rates, monkeypatch):
    rates["account"] = "1/hour"
    with monkeypatch.context() as patch, hashers.turn():
        patch.setattr(hashers, "TURN_WITHIN", 0.01)
        assert [log_in(anonymous, user).status_code for _ in range(3)] == [503] * 3
    assert log_in(anonymous, user).status_code == 200


def test_a_transaction_keeps_its_connection():
    with transaction.atomic():
        user = UserFactory()
        user.set_password(NEW)
        user.save()
    user.refresh_from_db()
    assert user.check_password(NEW)
