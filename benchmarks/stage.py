"""What speed.py drives: servers that start when first asked for, and rounds in which those compared take turns."""

import atexit
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cache

import wrk
from asked import World
from django.db import connection
from processes import Server, servers, times_of

LONGEST = 60  # seconds for what a server is still at
# What writers.py leaves out of it, a line for every request; and what the units in deploy/ set.
PRODUCTION = {"LOG_LEVEL": "INFO", "MALLOC_ARENA_MAX": "2"}
_stack = ExitStack()
atexit.register(_stack.close)


@cache
def world():
    return World()


@cache
def ours():
    """One process of TicketHub, which stays up to the end of the program."""
    return _stack.enter_context(servers(1, **PRODUCTION))[0]


@cache
def floor():
    return _stack.enter_context(servers(1, application="floor:application"))[0]


def start():
    """Have both up: they start at the same time."""
    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in (pool.submit(ours), pool.submit(floor))]


@dataclass(frozen=True)
class Side:
    """One of those compared: who is asked, for what, and with which headers."""

    server: Server
    requests: list
    headers: dict

    def begin(self, connections, seconds):
        return wrk.Run(self.server.url, self.requests, connections, seconds, self.headers)

    def drive(self, connections, seconds):
        before, _ = times_of(self.server.pid)
        found = self.begin(connections, seconds).result()
        settle(self.server)
        after, _ = times_of(self.server.pid)
        done = found.requests + connections  # with those that wrk did not wait for
        return replace(found, cpu=1000 * (after - before) / done)


def our(asked):
    return Side(ours(), asked.ours, world().headers)


def least(asked):
    return Side(floor(), asked.floor, {})


def settle(server):
    """Wait until a server is done: wrk goes without the last answers, on which it and the database still work."""
    before, now, end = None, times_of(server.pid), time.monotonic() + LONGEST
    while (now != before or is_database_busy()) and time.monotonic() < end:
        time.sleep(0.25)
        before, now = now, times_of(server.pid)


def is_database_busy():
    if connection.vendor == "sqlite":  # which works within the server
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() LIMIT 1")
        return bool(cursor.fetchone())


@dataclass(frozen=True)
class Middle:
    """Of some rounds the median of each figure: requests a second, latencies and the server's CPU in milliseconds."""

    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Rounds:
    """How long those compared are driven. In turns, that a machine with other things to do is as busy for each;
    `at_once` where the figures do not count.
    """

    count: int = 3
    seconds: int = 3
    at_once: bool = False

    def compare(self, connections, *sides):
        """Give the Middle of each side."""
        found = [self.all_at_once(connections, sides)] if self.at_once else self.in_turns(connections, sides)
        return [middle(rounds) for rounds in zip(*found, strict=True)]

    def in_turns(self, connections, sides):
        return [[side.drive(connections, self.seconds) for side in sides] for _ in range(self.count)]

    def all_at_once(self, connections, sides):
        return [run.result() for run in [side.begin(connections, self.seconds) for side in sides]]


def middle(rounds):
    return Middle(*(statistics.median(getattr(found, field.name) for found in rounds) for field in fields(Middle)))
