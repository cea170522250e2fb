"""Writes of the API: one transaction each, done again when two of them waited for each other."""

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from random import uniform
from threading import RLock
from time import sleep

from django.core.exceptions import ObjectNotUpdated
from django.db import IntegrityError, NotSupportedError, OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, FeatureNotSupported, ForeignKeyViolation, SerializationFailure

from tickethub.errors import Overtaken
from tickethub.threads import aside, without_turn

ATTEMPTS = 6
PAUSE = 0.1  # seconds at most before an attempt after a deadlock, times the number of those that failed
# What PostgreSQL ends a transaction with when another one came between: the two waited for each other, or one removed
# what the other refers to, which is noticed at the commit alone; or a migration gave a column another type, which a
# plan of before does not fit. Seen anew, the answer is a definite one.
CROSSED = (DeadlockDetected, SerializationFailure)
CAME_BETWEEN = (*CROSSED, ForeignKeyViolation, FeatureNotSupported)
# SQLite has one writer at a time and no queue: who waits tries again, ever more seldom, and of sixteen some try in vain
# for longer than its timeout. So the writers of a process queue here, where they are in the way of nobody who reads.
TURN = RLock()
CHECKS = ContextVar("checks", default=None)


def check_again(check, *args):
    """Have `check` called as well when the write under way is done, before its commit: once.

    It raises Overtaken, to have the write done again, or what is to be answered.
    """
    checks = CHECKS.get()
    if checks is not None:
        checks.add((check, *args))


def hold(pk):
    """Have other transactions that hold this UUID wait until this one ends. Those of SQLite do so for any."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [pk.int % 2**63])


def in_transaction(handler):
    """Make a view's handler one transaction, done again when another one came between: nothing of it stands then.

    Raises OperationalError, IntegrityError, ObjectNotUpdated or Overtaken when that happened ATTEMPTS times in a row.
    """

    @wraps(handler)
    def run(*args, **kwargs):
        first = bool  # which does nothing
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with one_by_one() if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
                    first()
                    return checked_again(handler, *args, **kwargs)
            except (ObjectNotUpdated, Overtaken) as error:  # the former for a row that was removed after it was read
                if attempt == ATTEMPTS:
                    raise
                first = getattr(error, "first", first)
            except (OperationalError, IntegrityError, NotSupportedError) as error:
                if attempt == ATTEMPTS or not isinstance(error.__cause__, CAME_BETWEEN):
                    raise
                if isinstance(error.__cause__, CROSSED):  # by chance, or the same would meet again
                    with aside():
                        sleep(uniform(0, PAUSE * attempt))  # noqa: S311 no secret
        return None

    return run


@contextmanager
def one_by_one():
    """Be the one writer of this process, and wait for that without a turn."""
    with without_turn(), TURN:
        yield


def checked_again(handler, *args, **kwargs):
    token = CHECKS.set(set())
    try:
        answer = handler(*args, **kwargs)
        for check, *given in CHECKS.get():
            check(*given)
    finally:
        CHECKS.reset(token)
    return answer
