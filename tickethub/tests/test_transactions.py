"""Writes of the API are one transaction each, and queue where the database has no queue."""

from contextlib import contextmanager
from threading import Lock
from time import sleep
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from accounts.tests.checks import all_at_once
from tickethub import transactions


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
