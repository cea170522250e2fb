"""Break what TicketHub stands on as an installation has it, under load, and look what people were answered.

    THROTTLING=off uv run python benchmarks/topology.py start --servers 3
    uv run python benchmarks/faults.py [--small] [postgres redis killed-server rolling disk-full migrations]
    uv run python benchmarks/topology.py stop

Exit code 1 where a promise does not hold. Without a name all are run. `disk-full` serves an SQLite of its own,
`migrations` makes a database of its own beside the topology's. `--small` is for CI, without the rolling restarts, which
rolling.py does there.
"""

import asyncio
import os
import random
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass

import rolling
from answers import LOST, PAUSE, Caller, Load, Project, counted, milliseconds
from client import Follower, check
from disk import DiskFull
from migrations import Migrations
from report import main, note, spread
from topology import Topology


@asynccontextmanager
async def project_of(topology):
    project = await Project.make(topology.url)
    try:
        yield project
    finally:
        await project.api.http.aclose()


@asynccontextmanager
async def away(topology, name):
    """Without PostgreSQL, or without Redis."""
    await asyncio.to_thread(topology.services, "down", name)
    try:
        yield
    finally:
        await asyncio.to_thread(topology.services, "up", name)


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL stops under load and comes back."""

    people: int = 8
    seconds: float = 5  # before, and that it is away, and half of what is looked at afterwards

    def run(self, report):
        asyncio.run(self.restart(report, Topology.started()))

    async def restart(self, report, topology):
        async with project_of(topology) as project:
            async with Load(project, self.people) as load:
                await asyncio.sleep(self.seconds)
                async with away(topology, "postgres"):
                    await asyncio.sleep(self.seconds)
                back = time.monotonic()
                first = [asyncio.create_task(self.first(topology, number, project)) for number in topology.numbers]
                await asyncio.sleep(2 * self.seconds)
                firsts = [await task - back for task in first]
            count = await project.check()
        answers = load.answers
        wrong = [answer for answer in answers if not answer.is_clear]
        refused = [answer for answer in answers if not answer.is_success]
        note(f"postgres: {counted(answers)}; {len(project.acknowledged):,} tasks made, {count:,} there")
        words = f"{len(wrong)} answers {'; '.join(map(str, wrong[:3]))}"
        report.true("postgres, neither success nor a clear 503", not wrong, words)
        check(refused, "Nobody noticed that PostgreSQL was away")
        report.at_most("postgres, until each server made a task again", max(firsts), 5, "s")
        last = max(answer.ended for answer in refused) - back
        report.at_most("postgres, until the last 503 through nginx", max(0, last), 5, "s")
        report.true("postgres, acknowledged writes and the log", True, "none lost, no gap")

    async def first(self, topology, number, project):
        """When a server made a task again."""
        caller = Caller(project.api, socket=topology.socket(number))
        while not (answer := await project.write(caller)).is_success:
            check(answer.is_clear, f"Server {number}: {answer}")
            await asyncio.sleep(PAUSE)
        await caller.http.aclose()
        return answer.ended


@dataclass(frozen=True)
class Redis:
    """Redis stops under load and comes back; REST does not notice, and live events come all the same."""

    people: int = 8
    seconds: float = 10  # before, and that it is away, and afterwards

    def run(self, report):
        asyncio.run(self.restart(report, Topology.started()))

    async def restart(self, report, topology):
        async with project_of(topology) as project:
            follower, delays, times = Follower(project.api, project.pk), {}, []
            await follower.open()
            async with Load(project, self.people) as load:
                await asyncio.sleep(self.seconds)
                times.append(time.monotonic())
                async with away(topology, "redis"):
                    await asyncio.sleep(self.seconds)
                    delays["away"] = await self.delay(project, follower)
                    times.append(time.monotonic())
                await asyncio.sleep(self.seconds)
                delays["back"] = await self.delay(project, follower)
            await project.check()
            await follower.compare()
            await follower.leave()
        wrong = [answer for answer in load.answers if not answer.is_success]
        self.compare(load.answers, times)
        report.true("redis, all but success", not wrong, f"{len(wrong)} answers {'; '.join(map(str, wrong[:3]))}")
        for when, delay in delays.items():
            report.at_most(f"redis {when}, from the answer to the event", 1000 * delay, 2000, "ms")
        report.true("redis, a follower", True, "its line held, no event is missing, its replica is what REST gives")

    async def delay(self, project, follower):
        """Seconds from the answer to a write until the follower has it."""
        caller, pk = Caller(project.api), str(uuid.uuid4())
        answer = await project.write(caller, pk=pk)
        await caller.http.aclose()
        await follower.until(lambda: pk in follower.replica.objects["task"], "a task")
        return time.monotonic() - answer.ended

    @staticmethod
    def compare(answers, times):
        went, came = times
        phases = {
            "before": [answer for answer in answers if answer.ended < went],
            "away": [answer for answer in answers if went < answer.ended < came],
            "back": [answer for answer in answers if answer.began > came],
        }
        for name, some in phases.items():
            note(f"redis, {name}: {counted(some)}; {spread(milliseconds(some))}")


@dataclass(frozen=True)
class KilledServer:
    """Servers are killed while many write. Who gets no answer sends the same again; one in ten does not."""

    writes: int = 10_000
    kills: int = 20
    people: int = 16
    forgetful: float = 0.1

    def run(self, report):
        asyncio.run(self.kill(report, Topology.started()))

    async def kill(self, report, topology):
        async with project_of(topology) as project:
            left = iter(range(self.writes))
            writing = [asyncio.create_task(self.write(project, left)) for _ in range(self.people)]
            killing = asyncio.create_task(self.break_things(project, topology))
            callers = await asyncio.gather(*writing)
            await killing
            count = await project.check()
        answers = [answer for caller in callers for answer in caller.answers]
        unknown = project.tried.keys() - project.acknowledged
        note(f"killed-server: {counted(answers)}; {self.kills} kills, {len(unknown)} writes given up")
        seldom = sum(answer.status == 200 for answer in answers)
        note(f"killed-server: {seldom} had been written before their answer was lost, and were told so")
        words = (
            f"{len(project.acknowledged):,} acknowledged of {len(project.tried):,}, {count:,} rows, each once, no gap"
        )
        report.true("killed-server", True, words)

    async def write(self, project, left):
        caller = Caller(project.api)
        for _ in left:
            pk, is_forgotten = str(uuid.uuid4()), random.random() < self.forgetful
            while not (answer := await project.write(caller, pk=pk)).is_success:
                check(answer.status in {LOST, 502, 503}, str(answer))
                if is_forgotten:
                    break
                await asyncio.sleep(PAUSE)
        await caller.http.aclose()
        return caller

    async def break_things(self, project, topology):
        """Kill one server after another, each when a share of the writes is done, and start it again."""
        for number in range(1, self.kills + 1):
            while len(project.tried) < number * self.writes / (self.kills + 1):
                await asyncio.sleep(0.01)
            victim = random.choice(topology.numbers)
            topology.kill(victim)
            await asyncio.sleep(random.random())
            await asyncio.to_thread(topology.up, victim)


@dataclass(frozen=True)
class Rolling:
    times: int = 50
    people: int = 8

    def run(self, report):
        asyncio.run(rolling.run(Topology.started(), self.times, self.people))
        report.true("rolling", True, f"{self.times} times all servers anew: nothing was cut off, lost or done twice")


def trust():
    os.environ["SSL_CERT_FILE"] = str(Topology.started().folder / "fullchain.pem")


LARGE = {
    "postgres": Postgres(),
    "redis": Redis(),
    "killed-server": KilledServer(),
    "rolling": Rolling(),
    "disk-full": DiskFull(),
    "migrations": Migrations(),
}
SMALL = {
    "postgres": Postgres(people=4, seconds=4),  # longer than a request waits for a connection: else all may succeed
    "redis": Redis(people=4, seconds=2),
    "killed-server": KilledServer(writes=300, kills=2, people=8),
    "disk-full": DiskFull(rounds=1),
    "migrations": Migrations(tasks=20_000, on_sqlite=2_000),
}


if __name__ == "__main__":
    main(__doc__, LARGE, SMALL, prepare=trust)
