"""Measure how fast TicketHub answers, and how far that is from the least that such an answer can cost.

    DATABASE_URL=postgres://… uv run python benchmarks/fill.py --size large
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/speed.py [--small] [table pages …]

One server process with production settings, and one of benchmarks/floor.py, which fetches the same rows by one
statement written by hand, are driven by wrk in turns. Each figure that is required is a ratio of two of the same run.
Without a name all is measured, in about half an hour; the curves of `table` and `sizes` are drawn into docs/images.
An empty database is filled: `large`, or with little for `--small`, which only sees that everything runs. Rows are left.
"""

import json
import math
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import fill
import httpx
import stage
import wrk
from asked import API, get
from client import Failure, check, tell
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from figures import draw
from hosting import MB, Memory, Processes, Start
from migrations import Postgres
from processes import servers
from report import main, note
from serving import ROOT
from stage import PRODUCTION, Rounds, Side, least, our, world

from accounts.models import User

LISTS = ["tasks", "relations", "comments", "projects", "memberships", "invitations", "statuses", "labels", "users"]
TINY = fill.Size(tasks=600, projects=3, largest=300, events=6_000, people=20)


def prepare(size):
    fill.migrate()
    if not User.objects.exists():
        began = time.monotonic()
        counts = fill.fill(size)
        note(f"filled with {counts['tasks_task']:,} tasks in {time.monotonic() - began:.0f} s")
    wrk.install()


# --- table ---


@dataclass(frozen=True)
class Table:
    """Everything that is asked most, beside its floor."""

    rounds: Rounds
    connections: tuple = (1, 8, 32)
    near: tuple = ("list of 50", "status and assignee", "one task")  # what has to be near the floor
    changes: tuple = ("create", "patch")

    def run(self, report):
        server, _ = stage.start()
        note(f"{world().tasks:,} tasks in {world().projects} projects; the table's has {world().ordinary.size:,}")
        sides = "".join(f"  {f'{side}: rate, p50, p99, CPU':>41}" for side in ("TicketHub", "its floor"))
        tell(f"{'':20} at once{sides}   p50   rate queries   bytes  memory")
        curves = {}
        for asked in world().everything():
            compare_rows(asked)
            queries, size = cost(asked)
            for connections in self.connections:
                try:
                    ours, floor = self.rounds.compare(connections, our(asked), least(asked))
                except Failure as failure:  # the rest is worth knowing all the same
                    report.true(f"{asked.name} at {connections}", False, str(failure))
                    continue
                tell(
                    f"{asked.name:22} {connections:5}  {figures(ours)}  {figures(floor)}"
                    f" {ours.p50 / floor.p50:5.1f}  {ours.rate / floor.rate:5.2f}"
                    f" {queries:7} {size:7,}  {server.memory() / MB:4.0f} MB"
                )
                curves.setdefault(asked.name, []).append((connections, ours.rate))
                self.judge(report, asked.name, connections, ours, floor)
        if not self.rounds.at_once:
            note(f"drawn: {draw('throughput', 'One process', 'requests at once', 'requests a second', curves)}")

    def judge(self, report, name, connections, ours, floor):
        if connections == 1 and name in self.near + self.changes:
            report.at_most(f"{name}, p50", ours.p50 / floor.p50, 3, "times its floor")
        if connections == 8 and name in self.near:
            report.at_least(f"{name}, throughput at 8", ours.rate / floor.rate, 1 / 3, "of its floor")


def figures(found):
    return f"{found.rate:7,.1f}/s {found.p50:7.1f} {found.p99:7.1f} {found.cpu:6.1f} ms"


def compare_rows(asked):
    """See that what is read of both is the same."""
    if asked.writes or asked.name == "login":
        return
    for (_, path, _), (_, floor_path, _) in list(zip(asked.ours, asked.floor, strict=True))[:5]:
        ours = httpx.get(stage.ours().url + path, headers=world().headers, timeout=60, trust_env=False).json()
        floor = httpx.get(stage.floor().url + floor_path, timeout=60, trust_env=False).json()
        check(floor == (ours["results"] if asked.is_list else [ours]), f"{path} is not what the floor gives")


def cost(asked):
    """How many queries the first of these takes, as a median, and the bytes of its body."""
    client, counts = Client(SERVER_NAME="127.0.0.1", headers=world().headers), []
    for method, path, body in asked.ours[:3]:
        with CaptureQueriesContext(connection) as queries:
            answer = client.generic(method, path, (body or "").replace("@n@", secrets.token_hex(4)), "application/json")
        check(answer.status_code < 300, f"{method} {path} gave {answer.status_code}: {answer.content[:300]}")
        counts.append(len(queries))
    return int(statistics.median(counts)), len(answer.content)


@dataclass(frozen=True)
class Queries:
    """No list takes more queries for more rows."""

    most: int = 5

    def run(self, report):
        client, project = Client(SERVER_NAME="127.0.0.1", headers=world().headers), str(world().ordinary.pk)
        start = world().events(world().ordinary, 1).ours[0][1].partition("after=")[2]
        lists = {name: {} for name in LISTS} | {"events": {"project": project, "after": start}}
        lists |= {f"tasks {name}": asked for name, asked in self.filters(project).items()}
        for name, asked in lists.items():
            counts = [self.count(client, name.partition(" ")[0], limit, asked) for limit in (1, 100)]
            report.at_most(f"queries of {name}", max(counts), self.most, "for 100 rows or one")
            report.true(
                f"queries of {name}, for one row and 100", len(set(counts)) == 1, f"{counts[0]} and {counts[1]}"
            )

    @staticmethod
    def filters(project):
        return {
            "of a project": {"project": project},
            "filtered": {"project": project, "status": "done", "assignee": world().person},
            "of mine": {"assignee": "me"},
            "searched": {"project": project, "search": "lantern"},
        }

    @staticmethod
    def count(client, name, limit, asked):
        _, path, _ = get(f"{API}{name}/", limit=limit, **asked)
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path)
        check(answer.status_code == 200, f"{path} gave {answer.status_code}: {answer.content[:300]}")
        return len(queries)


# --- One thing against another ---


@dataclass(frozen=True)
class Pair:
    """Something may take so many times what something else takes, one after another."""

    name: str
    more: callable  # each gives what is Asked of a World
    less: callable
    most: float
    rounds: Rounds
    percentile: str = "p50"

    def run(self, report):
        more, less = self.more(world()), self.less(world())
        slow, fast = self.rounds.compare(1, our(more), our(less))
        figure = getattr(slow, self.percentile)
        note(f"{self.name}: {self.percentile} {figure:.1f} ms against p50 {fast.p50:.1f} ms")
        report.at_most(f"{self.name}, {self.percentile}", figure / fast.p50, self.most, "times")


def pairs(rounds):
    return {
        "pages": Pair(
            "first page of the largest project, against an ordinary one",
            lambda world: world.page(world.largest),
            lambda world: world.page(world.ordinary),
            1.5,
            rounds,
        ),
        "offset": Pair(
            "half a project in (100,000), against the first page",
            lambda world: world.far_in(world.largest, min(100_000, world.largest.size // 2)),
            lambda world: world.page(world.largest),
            3,
            rounds,
        ),
        "mine": Pair(
            "my tasks of all projects, against the first page of one",
            lambda world: world.mine(),
            lambda world: world.page(world.ordinary),
            2,
            rounds,
        ),
        "search": Pair(
            "search in the largest project, against its first page",
            lambda world: world.search(world.largest),
            lambda world: world.page(world.largest),
            5,
            rounds,
            "p95",
        ),
        "events": Pair(
            "events at the end of the longest log, against its 1,000th",
            lambda world: world.events(world.largest),
            lambda world: world.events(world.largest, 1_000),
            1.2,
            rounds,
        ),
    }


@dataclass(frozen=True)
class Sizes:
    """How the time of an answer depends on how many tasks its project has: a curve, of which nothing is required."""

    rounds: Rounds
    projects: int = 6

    def run(self, report):
        curves = {}
        for project in world().of_many_sizes(self.projects):
            sides = [world().page(project), world().one(project), world().filtered(project), world().board(project)]
            sides += [world().search(project), world().events(project)]
            for asked, found in zip(sides, self.rounds.compare(1, *map(our, sides)), strict=True):
                curves.setdefault(asked.name, []).append((project.size, found.p50))
                note(f"{asked.name} of {project.size:,} tasks: p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms")
        if not self.rounds.at_once:
            note(f"drawn: {draw('latency', 'One after another', 'tasks of the project', 'p50, ms', curves)}")


# --- SQLite, and the least there is ---


@dataclass(frozen=True)
class OnSQLite:
    """The same lists of the same rows, on SQLite and on PostgreSQL."""

    rounds: Rounds
    size: fill.Size = field(default_factory=lambda: fill.SIZES["small"])

    def run(self, report):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tickethub-speed-"))
            postgres = Postgres(os.environ["DATABASE_URL"])
            stack.enter_context(postgres.made())
            urls = [f"sqlite:///{folder}/db.sqlite3", postgres.url]
            running = [self.begin("fill.py", url, *self.counts()) for url in urls]
            check(not any(process.wait() for process in running), "They cannot be filled")
            places = []
            for url in urls:
                told = json.loads(self.begin("asked.py", url, stdout=subprocess.PIPE).communicate()[0])
                [server] = stack.enter_context(servers(1, **PRODUCTION, DATABASE_URL=url))
                places.append((server, told))
            (_, first), _ = places
            sides = [
                Side(server, told["lists"][name], told["headers"]) for name in first["lists"] for server, told in places
            ]
            found = self.rounds.compare(1, *sides)
            for name, sqlite, postgres in zip(first["lists"], found[::2], found[1::2], strict=True):
                note(f"{name}: SQLite p50 {sqlite.p50:.1f} ms, PostgreSQL {postgres.p50:.1f} ms")
                report.at_most(f"{name} on SQLite", sqlite.p50 / postgres.p50, 1.5, "times PostgreSQL's time")

    def counts(self):
        return [word for name, value in vars(self.size).items() for word in (f"--{name}", str(value))]

    @staticmethod
    def begin(program, url, *arguments, stdout=subprocess.DEVNULL):
        environment = os.environ | {"DATABASE_URL": url}
        command = [sys.executable, ROOT / "benchmarks" / program, *arguments]
        return subprocess.Popen(command, env=environment, stdout=stdout, text=True)


@dataclass(frozen=True)
class Nothing:
    """What bounds the figures of `table`: a request that the same server, middleware and check of the token let
    through to a view that does nothing, beside the floor of one task.
    """

    rounds: Rounds

    def run(self, report):
        with servers(1, application="bare:application", **PRODUCTION) as [server]:
            nothing = Side(server, [get(f"{API}nothing/")], world().headers)
            for connections in (1, 8):
                bare, floor = self.rounds.compare(connections, nothing, least(world().one(world().ordinary)))
                note(f"nothing, {connections} at once: {figures(bare)}; the floor of one task: {figures(floor)}")
                note(f"that is {bare.p50 / floor.p50:.1f} times its p50, {bare.rate / floor.rate:.2f} of its rate")


# --- The program ---

LARGE = {
    "table": Table(Rounds()),
    "nothing": Nothing(Rounds()),
    "queries": Queries(),
    **pairs(Rounds(seconds=4)),
    "sizes": Sizes(Rounds(count=1)),
    "processes": Processes(),
    "start": Start(),
    "memory": Memory(),
    "sqlite": OnSQLite(Rounds()),
}
SHORT = Rounds(count=1, seconds=1, at_once=True)
SMALL = {
    "table": Table(SHORT, connections=(4,)),
    "nothing": Nothing(SHORT),
    "queries": Queries(),
    **pairs(SHORT),
    "sizes": Sizes(SHORT, projects=1),
    "processes": Processes(rounds=1, seconds=1),
    "start": Start(times=1),
    "memory": Memory(requests=20, seconds=1),
    "sqlite": OnSQLite(SHORT, TINY),
}


if __name__ == "__main__":
    size = TINY if "--small" in sys.argv else fill.SIZES["large"]
    main(__doc__, LARGE, SMALL, prepare=lambda: prepare(size), slack=math.inf)
