"""The threads that answer requests: each request from its beginning to its end in one, and no more of them at work at
once than there are connections to the database.

Django would take a new thread for each request, and change to it and back for each middleware: that costs more than
most answers, and a hundred requests at once would wait for ten connections until they took the database for dead.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection

MOST = 64  # that work, wait for a turn to, or wait for something else

threads = ThreadPoolExecutor(MOST, thread_name_prefix="request")
turns = threading.BoundedSemaphore(settings.REQUESTS_AT_ONCE)
here = threading.local()


def in_thread(function):
    """A function to await, which runs in one of the threads, without a turn."""
    return sync_to_async(function, thread_sensitive=False, executor=threads)


@contextmanager
def turn():
    """Wait until one may be at work."""
    with turns:
        here.is_at_work = True
        try:
            yield
        finally:
            here.is_at_work = False


@contextmanager
def aside():
    """Within this a request waits for something else than the database: another has its turn and connection meanwhile.

    Within a transaction it keeps both.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.close()
    is_at_work = getattr(here, "is_at_work", False)
    if is_at_work:
        turns.release()
    try:
        yield
    finally:
        if is_at_work:
            turns.acquire()
