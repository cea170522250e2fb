"""How requests are counted: each once, of many at once too, in windows that pass; and not while the cache is away."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import Mock
from uuid import uuid4

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rest_framework.exceptions import Throttled

from accounts.tests.checks import all_at_once
from accounts.tests.factories import UserFactory
from tickethub import throttling
from tickethub.counting import LocMemCache

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_pass_than_may(as_user, rates):
    rates["refresh"] = "5/min"
    requests = [partial(as_user().post, f"{API}auth/token/refresh/", {"refresh": "x"}) for _ in range(20)]
    assert all_at_once(requests) == [401] * 5 + [429] * 15


@pytest.fixture
def hasty_threads():
    """Threads that interrupt each other as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_many_threads_count_each_of_theirs(rates):
    rates["login"] = "100/min"

    def pass_as_often_as_may(_):
        return sum(is_let("login", "10.0.0.1") for _ in range(25))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(pass_as_often_as_may, range(8))) == 100


def is_let(scope, who):
    try:
        throttling.take(scope, who)
    except Throttled:
        return False
    return True


def test_a_limit_passes_by_itself_and_says_when(anonymous, rates, monkeypatch):
    counters = LocMemCache(uuid4().hex, {})
    monkeypatch.setattr(throttling, "counters", lambda: counters)
    rates["refresh"] = "1/min"
    now = time.time()
    for later, expected in [(0, None), (0.5, "60"), (59.5, "1"), (60.5, None), (61, "60")]:
        monkeypatch.setattr(time, "time", lambda later=later: now + later)
        answer = anonymous.post(f"{API}auth/token/refresh/", {"refresh": "x"})
        assert (answer.status_code, answer.get("Retry-After")) == (429 if expected else 401, expected)


def test_a_window_begins_with_the_first_and_another_one_after_its_end(counters):
    began = time.monotonic()
    (first, left), (third, left_then) = counters.count("x", 1), counters.count("x", 1, by=2)
    assert (first, third) == (1, 3)
    assert 0 < left_then <= left <= 1
    assert counters.count("y", 1)[0] == 1
    time.sleep(max(began + 1.05 - time.monotonic(), 0))
    assert counters.count("x", 1)[0] == 1


def test_a_cache_that_is_emptied_in_between_fails_nothing(rates, monkeypatch):
    counters = LocMemCache(uuid4().hex, {})
    monkeypatch.setattr(throttling, "counters", lambda: counters)
    rates["login"] = "1/min"
    monkeypatch.setattr(counters, "incr", Mock(side_effect=ValueError))
    assert is_let("login", "10.0.0.1")


@pytest.mark.parametrize("error", [RedisConnectionError, RedisTimeoutError])
def test_while_the_cache_is_away_requests_pass_and_one_alone_asks_for_it(
    as_user, anonymous, rates, monkeypatch, error, caplog
):
    rates |= {"anon": "1/min", "user": "1/min", "login": "1/min", "account": "1/min"}
    client = as_user(UserFactory())
    caplog.set_level("WARNING", "tickethub.throttling")
    away = Mock(**{f"{name}.side_effect": error("gone") for name in ("get", "count", "set")})
    monkeypatch.setattr(throttling, "counters", lambda: away)
    for _ in range(3):
        assert client.get(f"{API}projects/").status_code == 200
        assert anonymous.get(f"{API}projects/").status_code == 401
        assert anonymous.post(f"{API}auth/token/", {"email": "ada@example.org", "password": "wrong"}).status_code == 401
    assert len(away.method_calls) == 1
    assert caplog.text.count("Not throttling, the cache is away: gone") == 1
    monkeypatch.setattr(throttling.Patience, "away_until", time.monotonic() - 1)
    assert client.get(f"{API}projects/").status_code == 200
    assert len(away.method_calls) == 2
