"""Writes of the API: one transaction each, done again when two of them waited for each other."""

from functools import wraps

from django.db import OperationalError, transaction
from psycopg.errors import DeadlockDetected, SerializationFailure

ATTEMPTS = 4


def in_transaction(handler):
    """Make a view's handler one transaction.

    PostgreSQL ends one of several transactions that wait for each other. Nothing of it stands then: it is done again.
    Raises OperationalError when that happened ATTEMPTS times in a row.
    """

    @wraps(handler)
    def run(*args, **kwargs):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with transaction.atomic():
                    return handler(*args, **kwargs)
            except OperationalError as error:
                if attempt == ATTEMPTS or not isinstance(error.__cause__, DeadlockDetected | SerializationFailure):
                    raise
        return None

    return run
