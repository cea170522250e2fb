"""The threads that answer requests: each request from its beginning to its end in one, and no more of them at work at
once than there are connections to the database.

Django would take a new thread for each request, and change to it and back for each middleware: that costs more than
most answers, and a hundred requests at once would wait for ten connections until they took the database for dead.
"""

import asyncio
import threading
from collections import deque
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from queue import SimpleQueue

from django.conf import settings
from django.db import connection

from tickethub.errors import Busy

MOST = 64  # that work, wait for a turn to, or wait for something else


class Threads(Executor):
    """So many threads, of which whichever did something last takes what comes next: what it needs is still in the
    processor's caches. A ThreadPoolExecutor goes round all of them.

    They are daemons, and end with the process: it waits for them as long as it likes.
    """

    def __init__(self, most):
        self.most, self.begun = most, 0
        self.lock = threading.Condition()  # told of each that comes to rest
        self.idle, self.waiting = [], deque()  # the inboxes of threads, the last one to rest at the end; calls

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        with self.lock:
            if not self.idle and self.begun < self.most:
                self.begin()
            if self.idle:
                self.idle.pop().put((future, function, args, kwargs))
            else:
                self.waiting.append((future, function, args, kwargs))
        return future

    def begin(self):
        inbox = SimpleQueue()
        threading.Thread(target=self.work, args=(inbox,), name=f"request-{self.begun + 1}", daemon=True).start()
        self.idle.append(inbox)
        self.begun += 1

    def work(self, inbox):
        while True:
            run(*inbox.get())
            with self.lock:
                if self.waiting:
                    inbox.put(self.waiting.popleft())
                else:
                    self.idle.append(inbox)
                    self.lock.notify_all()

    def wait(self):
        """Wait until all of them rest."""
        with self.lock:
            self.lock.wait_for(lambda: len(self.idle) == self.begun)


def run(future, function, args, kwargs):
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        future.set_exception(error)
        del future  # which has the error, which has this frame: they would be kept until the next look for garbage
    else:
        future.set_result(result)


threads = Threads(MOST)
writers = Threads(MOST)  # who waits for another one's lock keeps a thread, so those who read have others
probes = Threads(2)  # for whoever asks whether the process is up, however many requests wait
turns = threading.BoundedSemaphore(settings.REQUESTS_AT_ONCE)
# Of these. A write takes long, and may wait for another one: else those who read would wait for all of them.
turns_to_write = threading.BoundedSemaphore(max(settings.REQUESTS_AT_ONCE // 2, 1))
# Of those to write, for who has waited in vain for what another one holds, and tries again.
turns_to_try_again = threading.BoundedSemaphore(max(settings.REQUESTS_AT_ONCE // 4, 1))
# Of those who search: what has many long texts takes seconds to look through, and asked for by a few at once it would
# leave no turn to anybody else.
turns_to_search = threading.BoundedSemaphore(max(settings.REQUESTS_AT_ONCE // 4, 1))
waiting_to_search = threading.BoundedSemaphore(MOST // 2)  # or they would hold all threads
here = threading.local()
LEAVING = ContextVar("leaving", default=None)  # the future that is done once the client has left
ending = threading.Event()  # set when the process is to end


def in_thread(function, *args, pool=threads):
    """The future of what a function gives that runs in one of the threads, without a turn, in the caller's context."""
    loop = asyncio.get_running_loop()
    return loop.run_in_executor(pool, copy_context().run, attended, loop, function, *args)


def attended(loop, function, *args):
    here.loop = loop
    return function(*args)


def attending_loop():
    """The event loop that waits for what this thread is doing; None where none does, or it has ended by now."""
    loop = getattr(here, "loop", None)
    return loop if loop and loop.is_running() else None


def is_called_off():
    """Whether what this thread does is of no more use: its client has left, or the process is to end."""
    leaving = LEAVING.get()
    return ending.is_set() or (leaving is not None and leaving.done())


@contextmanager
def turn(*, writes=False):
    """Wait until one may be at work."""
    taken = (turns_to_write, turns) if writes else (turns,)
    take(taken)
    here.turns = taken
    try:
        yield
    finally:
        here.turns = ()
        give_back(taken)


@contextmanager
def without_turn():
    """Within this another is at work in the place of this request."""
    taken, here.turns = getattr(here, "turns", ()), ()
    give_back(taken)
    try:
        yield
    finally:
        take(taken)
        here.turns = taken


def take(taken):
    for each in taken:
        each.acquire()


def give_back(taken):
    for each in taken:
        each.release()


@contextmanager
def aside():
    """Within this a request waits for something else than the database: another has its turn and connection meanwhile.

    Within a transaction it keeps both.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.close()
    with without_turn():
        yield


@contextmanager
def turn_to_search():
    """Be one of the few who search, and wait for that without a turn. Raises Busy where too many wait."""
    if not turns_to_search.acquire(blocking=False):
        if not waiting_to_search.acquire(blocking=False):
            raise Busy
        try:
            with aside():
                turns_to_search.acquire()
        finally:
            waiting_to_search.release()
    try:
        yield
    finally:
        turns_to_search.release()
