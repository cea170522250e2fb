"""429: how many requests one may make, and what is said beyond."""

from unittest.mock import patch

import pytest
from django.core.cache import cache, caches
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory
from projects.tests.factories import ProjectFactory
from tickethub.throttling import AnonThrottle, ScopedThrottle, UserThrottle

pytestmark = pytest.mark.django_db
API = "/api/v1/"
RATES = {"anon": None, "user": None, "login": None, "register": None, "password": None, "invitation": None}


@pytest.fixture
def rates(monkeypatch):
    """Throttle as an installation does, by the rates put in here alone."""
    rates = dict(RATES)
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    monkeypatch.setattr(APIView, "throttle_classes", [AnonThrottle, UserThrottle, ScopedThrottle])
    cache.clear()
    yield rates
    cache.clear()


def assert_throttled(response):
    body = refused(response, 429, "throttled")
    assert 0 < int(response["Retry-After"]) <= 60
    assert body["detail"].startswith("Request was throttled.")


def test_somebody_unknown_is_held_by_their_address(anonymous, rates):
    rates["anon"] = "2/min"
    for _ in range(2):
        assert anonymous.get(f"{API}projects/").status_code == 401
    login = {"email": "a@example.org", "password": "x"}
    for _ in range(2):
        assert anonymous.post(f"{API}auth/token/", login).status_code == 401
    with nothing_changes():
        assert_throttled(anonymous.post(f"{API}auth/token/", login))
    assert anonymous.post(f"{API}auth/token/", login, REMOTE_ADDR="10.0.0.9").status_code == 401


def test_the_address_is_not_what_the_client_says_it_is(anonymous, rates):
    rates["login"] = "1/min"
    login = {"email": "a@example.org", "password": "x"}
    assert anonymous.post(f"{API}auth/token/", login).status_code == 401
    for number in range(3):
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}
        assert_throttled(anonymous.post(f"{API}auth/token/", login, headers=headers))


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
        ("login", "auth/token/refresh/", {"refresh": "x"}),
        (
            "register",
            "auth/register/",
            {"email": "new@example.org", "username": "new", "password": "difference engine"},
        ),
        ("password", "auth/password/reset/", {"email": "known@example.org"}),
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


def test_accepting_counts_as_inviting_does_so_that_tokens_cannot_be_guessed_at_will(as_user, rates):
    client = as_user(UserFactory())
    rates["invitation"] = "1/hour"
    assert client.post(f"{API}invitations/accept/", {"token": "x"}).status_code == 404
    refused(client.post(f"{API}invitations/accept/", {"token": "y"}), 429, "throttled")


@pytest.mark.parametrize("error", [RedisConnectionError, RedisTimeoutError])
def test_while_the_cache_is_away_requests_pass(as_user, anonymous, rates, error, caplog):
    rates |= {"anon": "1/min", "user": "1/min", "login": "1/min"}
    client = as_user(UserFactory())
    caplog.set_level("WARNING", "tickethub.throttling")
    with patch.object(type(caches["default"]), "get", side_effect=error("gone")):
        for _ in range(3):
            assert client.get(f"{API}projects/").status_code == 200
            assert anonymous.post(f"{API}auth/token/", {}).status_code == 400
    assert "Not throttling, the cache is away: gone" in caplog.text


def test_each_limit_has_a_setting_of_its_own(settings):
    assert set(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]) == set(RATES)
