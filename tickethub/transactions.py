"""Writes of the API: one transaction each, done again when two of them waited for each other."""

from contextlib import nullcontext
from functools import wraps
from threading import RLock

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, ForeignKeyViolation, SerializationFailure

ATTEMPTS = 4
# What PostgreSQL ends a transaction with when another one came between: the two waited for each other, or one removed
# what the other refers to, which is noticed at the commit alone. Seen anew, the answer is a definite one.
CAME_BETWEEN = (DeadlockDetected, SerializationFailure, ForeignKeyViolation)
# SQLite has one writer at a time and no queue: who waits tries again, ever more seldom, and of sixteen some try in vain
# for longer than its timeout. So the writers of a process queue here.
TURN = RLock()


def in_transaction(handler):
    """Make a view's handler one transaction, done again when another one came between: nothing of it stands then.

    Raises OperationalError or IntegrityError when that happened ATTEMPTS times in a row.
    """

    @wraps(handler)
    def run(*args, **kwargs):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with TURN if connection.vendor == "sqlite" else nullcontext(), transaction.atomic():
                    return handler(*args, **kwargs)
            except (OperationalError, IntegrityError) as error:
                if attempt == ATTEMPTS or not isinstance(error.__cause__, CAME_BETWEEN):
                    raise
        return None

    return run
