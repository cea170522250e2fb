"""What tests of all apps share: a client of the API for any person, and limits that are a test's own."""

import gc
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.core.cache import caches
from rest_framework.throttling import SimpleRateThrottle

from accounts.tests.checks import WatchfulClient
from accounts.tests.factories import log_in
from tickethub import throttling


def pytest_collection_finish():
    """Keep what is loaded by now, most of all code, out of the rounds of the garbage collector."""
    gc.collect()
    gc.freeze()


def client_of(user=None, **headers):
    """A client of the API with a real access token of `user`, or none."""
    client = WatchfulClient(headers=headers)
    if user:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {log_in(user).access_token}")
    return client


@pytest.fixture(scope="session")
def as_user():
    return client_of


@pytest.fixture
def anonymous():
    return client_of()


@pytest.fixture(scope="session", autouse=True)
def quick_flush():
    """Empty the tables after tests that commit by deleting the few rows they left.

    Django truncates all tables, and makes the content types and permissions anew: both cost more than most tests.
    """
    kept = {"django_content_type", "auth_permission", "django_migrations"}

    def sql_flush(style, connection, **kwargs):
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables if table not in kept]  # noqa: S608

    flush = "django.core.management.commands.flush"
    with patch(f"{flush}.sql_flush", sql_flush), patch(f"{flush}.emit_post_migrate_signal"):
        yield


@pytest.fixture
def counters(monkeypatch):
    """A cache that counts for this test alone."""
    counters = caches.create_connection("default")
    counters.key_prefix = uuid4().hex
    monkeypatch.setattr(throttling, "counters", lambda: counters)
    monkeypatch.setattr(throttling.Patience, "away_until", 0)
    return counters


@pytest.fixture
def rates(monkeypatch, settings, counters):
    """Throttle as an installation does, by the rates put in here alone."""
    rates = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    return rates
