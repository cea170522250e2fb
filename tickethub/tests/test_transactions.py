"""Writes of the API are one transaction each, and queue where the database has no queue."""

from contextlib import contextmanager
from threading import Lock
from time import sleep
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection, connections
from psycopg.errors import LockNotAvailable

from accounts.tests.checks import all_at_once
from tickethub import pool, threads, transactions


@pytest.mark.parametrize(("vendor", "queues"), [("sqlite", True), ("postgresql", False)])
def test_writers_queue_on_sqlite_alone(vendor, queues):
    """SQLite lets those who wait try in vain; PostgreSQL has a queue of its own."""
    inside, most, counting = 0, 0, Lock()

    @contextmanager
    def atomic():
        nonlocal inside, most
        with counting:
            inside, most = inside + 1, max(most, inside + 1)
        sleep(0.05)
        yield
        with counting:
            inside -= 1

    handler = transactions.in_transaction(lambda: SimpleNamespace(status_code=200))
    with (
        patch.object(transactions.transaction, "atomic", atomic),
        patch.object(transactions, "connection", SimpleNamespace(vendor=vendor)),
    ):
        assert all_at_once([handler] * 4) == [200] * 4
    assert (most == 1) == queues


# --- What others hold, on any database ---


@pytest.fixture
def write():
    """A write that finds locked what it needs so many times, `missing`, and tells how often it was tried."""

    @transactions.in_transaction
    def write():
        write.tried += 1
        if write.tried <= write.missing:
            raise OperationalError from LockNotAvailable()
        return "done"

    write.tried, write.missing = 0, 3
    yield write
    assert not transactions.waiting
    assert threads.turns_to_try_again._value == threads.turns_to_try_again._initial_value  # all are given back


@pytest.mark.django_db(transaction=True)
def test_what_is_locked_is_tried_again(write):
    assert write() == "done"
    assert write.tried == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("bound", "value"), [("LOCKED_WITHIN", 0), ("MOST", 1)])
def test_it_is_tried_for_a_while_and_by_so_many_alone(write, monkeypatch, bound, value):
    monkeypatch.setattr(transactions, bound, value)
    with pytest.raises(OperationalError):
        write()
    assert write.tried == 1


@pytest.mark.django_db(transaction=True)
def test_it_is_not_tried_again_by_a_process_that_ends(write):
    threads.ending.set()
    try:
        with pytest.raises(OperationalError):
            write()
    finally:
        threads.ending.clear()
    assert write.tried == 1


@pytest.mark.django_db
def test_it_is_not_tried_again_within_a_transaction_that_stands(write):
    with pytest.raises(OperationalError):
        write()
    assert write.tried == 1


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_a_turn_to_try_again(write, monkeypatch):
    asked = iter([False, False, True])
    turns = SimpleNamespace(acquire=lambda blocking: next(asked), release=lambda: None)
    monkeypatch.setattr(transactions, "turns_to_try_again", turns)
    write.missing = 1
    assert write() == "done"
    assert list(asked) == []


@pytest.mark.django_db(transaction=True)
def test_while_somebody_waits_nobody_else_does_so_for_long(write, monkeypatch):
    given = []
    monkeypatch.setattr(transactions, "set_bounds", given.append)
    write.missing = 0
    write()
    assert given == []
    transactions.waiting.add("somebody")
    write()
    transactions.waiting.clear()
    assert given == [pool.HURRIED]


class Cursor:
    """Of a connection that notes what it is asked."""

    def __init__(self):
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def execute(self, *statement):
        self.asked.append(statement)


@pytest.mark.parametrize(("options", "asks"), [({}, False), ({"options": f"{pool.BOUNDS} -c a=b"}, True)])
def test_bounds_are_set_where_a_connection_has_some(monkeypatch, options, asks):
    cursor = Cursor()
    there = SimpleNamespace(settings_dict={"OPTIONS": options}, cursor=lambda: cursor)
    monkeypatch.setattr(pool, "connection", there)
    pool.set_bounds(pool.PATIENT)
    statement = "SELECT set_config(%s, %s, true), set_config(%s, %s, true)"
    assert cursor.asked == [(statement, ["statement_timeout", "0", "lock_timeout", "10s"])] * asks


@pytest.mark.parametrize(
    ("options", "bounded"),
    [
        ({}, None),
        ({"pool": {}}, pool.BOUNDS),
        ({"pool": {}, "options": "-c lock_timeout=2s"}, f"{pool.BOUNDS} -c lock_timeout=2s"),
    ],
)
def test_the_connections_of_a_pool_begin_with_bounds(monkeypatch, options, bounded):
    monkeypatch.setitem(connections.settings[connection.alias], "OPTIONS", options)
    pool.bound()
    assert options.get("options") == bounded
