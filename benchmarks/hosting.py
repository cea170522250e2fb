"""What a server process asks of the machine it runs on: to start, to go on and on, and beside another one."""

import os
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import httpx
import stage
from client import check
from django.db import connection
from processes import begin, postgres_seconds, servers, times_of
from report import note
from serving import free_ports
from stage import PRODUCTION, Side, world

MB = 1_000_000


@dataclass(frozen=True)
class Processes:
    """Two processes against one."""

    rounds: int = 5
    seconds: int = 4
    connections: int = 16

    def run(self, report):
        asked = world().page(world().ordinary)
        with servers(2, **PRODUCTION) as started:
            found = {1: [], 2: []}
            for _ in range(self.rounds):
                for count, rounds in found.items():
                    rounds.append(self.drive(started[:count], asked))
        (one, busy), (two, busier) = (map(statistics.median, zip(*rounds, strict=True)) for rounds in found.values())
        words = f"{one:,.0f} lists a second of one, {two:,.0f} of two"
        note(f"processes: {words}; {busy:.2f} and {busier:.2f} of {os.cpu_count()} cores were at work on them")
        report.at_least("two processes against one", two / one, 1.6, "times the lists a second")

    def drive(self, started, asked):
        """The lists a second, and how many cores servers, wrk and a PostgreSQL that runs here have kept at work."""
        share, before = self.connections // len(started), seconds_of(started)
        runs = [Side(server, asked.ours, world().headers).begin(share, self.seconds) for server in started]
        rate = sum(run.result().rate for run in runs)
        for server in started:
            stage.settle(server)
        return rate, (seconds_of(started) - before) / self.seconds


def seconds_of(started):
    """The CPU seconds so far of some servers, of PostgreSQL, and of what this process ran and has ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    postgres = postgres_seconds() if connection.vendor == "postgresql" else None
    return sum(times_of(server.pid)[0] for server in started) + ended.ru_utime + ended.ru_stime + (postgres or 0)


@dataclass(frozen=True)
class Start:
    times: int = 5

    def run(self, report):
        _, path, _ = world().page(world().ordinary).ours[0]
        seconds = [self.measure(path) for _ in range(self.times)]
        note(f"start: {', '.join(f'{each:.2f}' for each in seconds)} s to the first list")
        report.at_most("start to the first answer", statistics.median(seconds), 2, "s")

    @staticmethod
    def measure(path):
        [port] = free_ports(1)
        with tempfile.TemporaryFile("w+") as log, ExitStack() as stack:
            client = stack.enter_context(httpx.Client(headers=world().headers, trust_env=False, timeout=10))
            began, status = time.monotonic(), None
            server = begin(port, log, **PRODUCTION)
            stack.callback(server.end)
            while status != 200:
                check(server.returncode is None and time.monotonic() < began + 60, "The server did not start")
                with suppress(httpx.TransportError):
                    status = client.get(server.url + path).status_code
                time.sleep(0.01)
            return time.monotonic() - began


@dataclass(frozen=True)
class Memory:
    """What a process grows by, between two moments at which it does nothing."""

    requests: int = 100_000
    seconds: int = 20

    def run(self, report):
        some = [world().one(world().ordinary)] * 5 + [world().comments(world().ordinary)] * 3 + [world().patch()] * 2
        mix = [request for asked in some for request in asked.ours[:50]]
        for asked in world().everything():
            mix += asked.ours[:1] if asked.name != "login" else []
        with servers(1, **PRODUCTION) as [server]:
            self.drive(server, mix, self.requests // 20)
            before = server.memory()
            done = self.drive(server, mix, self.requests)
            after = server.memory()
        note(f"memory: {before / MB:.1f} MB, {after / MB:.1f} MB after {done:,} more requests")
        report.at_most("memory, grown", 100 * (after / before - 1), 10, "%")

    def drive(self, server, mix, requests):
        done = 0
        while done < requests:
            done += Side(server, mix, world().headers).drive(8, self.seconds).requests
        return done
