"""Writes of the API: one transaction each, done again when another one stood in its way."""

from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
from itertools import count
from random import uniform
from threading import RLock, get_ident
from time import monotonic, sleep

from django.core.exceptions import ObjectNotUpdated
from django.db import IntegrityError, NotSupportedError, OperationalError, connection, transaction
from psycopg.errors import (
    DeadlockDetected,
    FeatureNotSupported,
    ForeignKeyViolation,
    LockNotAvailable,
    SerializationFailure,
)

from tickethub.errors import Overtaken
from tickethub.pool import HURRIED, set_bounds
from tickethub.threads import MOST, aside, ending, is_called_off, turns_to_try_again, without_turn

ATTEMPTS = 6
PAUSE = 0.1  # seconds at most before an attempt after a deadlock, times the number of those that failed
# What PostgreSQL ends a transaction with when another one came between: the two waited for each other, or one removed
# what the other refers to, which is noticed at the commit alone; or a migration gave a column another type, which a
# plan of before does not fit. Seen anew, the answer is a definite one.
CROSSED = (DeadlockDetected, SerializationFailure)
CAME_BETWEEN = (*CROSSED, ForeignKeyViolation, FeatureNotSupported)
# Who does not get a lock within `pool.BOUNDS` is in the way of others as long as it waits: it gives up its turn, and
# tries again for so many seconds, with pauses of these at most.
LOCKED_WITHIN = 30
LONGEST_PAUSE = 1
waiting = set()  # the threads that pause so: half of them at most, or others would find none
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
    """Make a view's handler one transaction, done again when another one came between: nothing of it stands then. So it
    reads by itself whatever it changes: an object from outside would be as the attempt before has left it.

    Raises OperationalError, IntegrityError, ObjectNotUpdated or Overtaken when that happened ATTEMPTS times in a row,
    or others have held for LOCKED_WITHIN seconds what it needs.
    """
    attempt = done_again(handler)

    @wraps(handler)
    def run(*args, **kwargs):
        until, turn = monotonic() + LOCKED_WITHIN, nullcontext()
        while True:
            try:
                with turn:
                    return attempt(*args, **kwargs)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable) or not wait_to_try_again(until):
                    raise
                turn = ExitStack()
                turn.callback(turns_to_try_again.release)

    return run


def done_again(handler):
    """The same, but for locks that are held for long."""

    @wraps(handler)
    def run(*args, **kwargs):
        first = bool  # which does nothing
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with one_transaction():
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


def wait_to_try_again(until):
    """Wait for one of the turns to, and give whether there was one: before that moment, and as long as it is wanted.

    Within a transaction there is none: to try again is for who began it, without its locks.
    """
    if connection.in_atomic_block or len(waiting) >= MOST // 2:
        return False
    waiting.add(get_ident())
    try:
        with aside():
            for times in count(1):
                ending.wait(uniform(0, min(PAUSE * times, LONGEST_PAUSE)))  # noqa: S311 by chance, as above
                if is_called_off() or monotonic() > until:
                    return False
                if turns_to_try_again.acquire(blocking=False):
                    return True
    finally:
        waiting.discard(get_ident())


@contextmanager
def one_transaction():
    with one_by_one() if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
        if waiting:  # more may come for what they wait for, and would hold all turns to write
            set_bounds(HURRIED)
        yield


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
