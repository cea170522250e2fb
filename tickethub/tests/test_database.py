"""The database has what the models say of it: Django drops some conditional constraints with an index beside them."""

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.db import connection
from django.db.backends.postgresql import psycopg_any
from psycopg_pool import ConnectionPool

from tickethub.pool import check

OURS = {"accounts", "projects", "tasks", "comments", "realtime"}
MODELS = [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.django_db
def test_it_has_all_constraints_and_indexes(model):
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)
    assert {each.name for each in [*model._meta.constraints, *model._meta.indexes]} <= there.keys()


@pytest.fixture
def pool(db):
    """A pool of one connection, which has been used and given back."""
    kwargs = connection.get_connection_params() | {"autocommit": True}
    with ConnectionPool(kwargs=kwargs, min_size=1, max_size=1, check=check, timeout=10) as pool:
        with pool.connection() as lent:
            lent.execute("SELECT 1")
        yield pool


on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool")


@on_postgresql
def test_who_is_given_a_connection_that_lives_causes_no_round_trip(pool, monkeypatch):
    monkeypatch.setattr(ConnectionPool, "check_connection", lambda connection: pytest.fail("The server was asked"))
    with pool.connection() as lent:
        assert lent.execute("SELECT 1").fetchone() == (1,)


@on_postgresql
def test_nobody_is_given_a_connection_that_the_server_has_ended(pool):
    with pool.connection() as lent:
        ended = lent.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    with pool.connection() as lent:
        assert lent.info.backend_pid != ended
        assert lent.execute("SELECT 1").fetchone() == (1,)


@on_postgresql
@pytest.mark.django_db
def test_times_come_in_utc_by_the_compiled_loader(monkeypatch):
    monkeypatch.setattr(psycopg_any.BaseTzLoader, "load", lambda *_: pytest.fail("This was Django's"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT '2026-06-01 03:04:05.6+02'::timestamptz, '2026-01-01 00:00-11'::timestamptz")
        found = cursor.fetchone()
    assert found == (datetime(2026, 6, 1, 1, 4, 5, 600_000, UTC), datetime(2026, 1, 1, 11, 0, tzinfo=UTC))
    assert {each.tzinfo for each in found} == {UTC}
