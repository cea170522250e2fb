"""How passwords are hashed: a few at a time, since each takes a core and 100 MiB for as long as it lasts."""

from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from django.conf import settings
from django.contrib.auth import hashers

from tickethub.cores import on_any
from tickethub.errors import Busy
from tickethub.threads import aside

TURN_WITHIN = 10  # seconds


@cache
def turns():
    return BoundedSemaphore(settings.PASSWORD_HASHES_AT_ONCE)


@contextmanager
def turn():
    """Wait for a turn to hash. Raises Busy where none comes."""
    with aside():
        if not turns().acquire(timeout=TURN_WITHIN):
            raise Busy
        try:
            with on_any():
                yield
        finally:
            turns().release()


class Argon2PasswordHasher(hashers.Argon2PasswordHasher):
    def encode(self, password, salt):
        with turn():
            return super().encode(password, salt)

    def verify(self, password, encoded):
        with turn():
            return super().verify(password, encoded)
