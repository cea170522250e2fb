"""Break everything that live updates rest on, and look whether anybody missed one. Exit code 1 where somebody did.

    eval "$(.ci/services start)"
    uv run python benchmarks/chaos.py [--small] [storm deaf …]

It wants PostgreSQL and Redis by .ci/services, since it stops both. Without a name all are run, on an otherwise idle
machine about fifteen minutes. `--small` is for CI. Rows are left behind.
"""

import asyncio
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import authors
import writers
from chaotic import spoil
from client import check
from crowd import Crowd
from django.core.management import call_command
from django.db import connections
from processes import FORKSERVER, pool, servers
from removal import EndedLogins, Removal
from report import delays_of, main, note, percentile, spread
from serving import ROOT
from tickethub_client import TicketHub, load_project
from writers import PASSWORD, Scene

from accounts.serializers import LoginSerializer
from realtime.models import Event

NEVER = 1e9  # seconds
ONE_IN_FIVE = 0.2


# --- What breaks ---


def service(verb, name):
    subprocess.run([ROOT / ".ci/services", verb, name], check=True)


@contextmanager
def away(name):
    """Without PostgreSQL, or without Redis."""
    service("down", name)
    try:
        yield
    finally:
        service("up", name)


def chaotic_servers(count=2, bells_lost=0, heal_every=1, **environment):
    return servers(count, "chaotic:application", BELLS_LOST=str(bells_lost), HEAL_EVERY=str(heal_every), **environment)


# --- Who watches ---


class Audience:
    """Clients of both kinds, spread over the people of some projects."""

    def __init__(self, stack, started, scenes, count):
        self.scenes, self.urls, self.count = scenes, [server.url for server in started], count
        self.crowds = {kind: stack.enter_context(Crowd(kind)) for kind in ("Python", "JavaScript")}
        self.users = {user.email: user for scene in scenes for user in scene.people()}
        people = [self.person(scenes[number % len(scenes)], number) for number in range(count)]
        random.shuffle(people)
        self.crowds["JavaScript"].open(urls=self.urls, people=people[::5])
        self.crowds["Python"].open(urls=self.urls, people=[one for n, one in enumerate(people) if n % 5])
        self.wait(lambda: self.total("ready") == count, "not everybody has a replica", 120)

    def person(self, scene, number):
        """One in five lives by refreshing tokens that last a minute, the others have one that lasts."""
        place = number % len(scene.emails)
        if random.random() > ONE_IN_FIVE:
            return {"project": scene.project, "access": scene.tokens[place]}
        email = scene.emails[place]
        refresh = str(LoginSerializer.get_token(self.users[email]))
        return {"project": scene.project, "refresh": refresh, "email": email, "password": PASSWORD}

    def total(self, name):
        return sum(crowd.count()[name] for crowd in self.crowds.values())

    def cut(self, share):
        return sum(crowd.cut(share=share) for crowd in self.crowds.values())

    def wait(self, condition, words, seconds=60):
        """Wait for it; give how many seconds that took."""
        began = time.monotonic()
        while not condition():
            check(time.monotonic() < began + seconds, f"After {seconds} s {words}: {self.state()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def state(self):
        return {kind: crowd.count() for kind, crowd in self.crowds.items()}

    def settle(self, seconds=60):
        """Wait until everybody has come as far as the log is now; give how many seconds that took."""
        heads = {scene.project: scene.cursor() for scene in self.scenes}

        def are_all_there():
            return not any(crowd.behind(heads=heads) for crowd in self.crowds.values())

        return self.wait(are_all_there, "somebody is behind", seconds)

    def arrivals(self):
        """The numbers of the events that came since the last call, and when."""
        pairs = list(chain(*(crowd.arrivals() for crowd in self.crowds.values())))
        return [seq for seq, _ in pairs], [at for _, at in pairs]

    def check(self, report, name):
        """Compare what everybody was told and holds with the log and with REST; give what they counted."""
        logs = {scene.project: cursors_of(scene.project) for scene in self.scenes}
        objects = asyncio.run(read_all(self.urls, self.scenes))
        seen = {kind: crowd.check(logs=logs, objects=objects) for kind, crowd in self.crowds.items()}
        faults, codes = Counter(), Counter()
        for kind, one in seen.items():
            faults.update(one["faults"])
            codes.update(one["closes"])
            told = f"{one['events']:,} events, {one['resumes']:,} resumptions"
            note(f"{name}, {one['clients']} clients in {kind}: {told}")
        note(f"{name}, lines that ended, by code: {dict(sorted(codes.items()))}")
        words = ", ".join(f"{times} {fault}" for fault, times in faults.items())
        report.true(f"{name}, {self.count} clients", not faults.total(), f"{words}; required: 0 of each")
        return codes


def cursors_of(project):
    return [f"{seq}.{nonce}" for seq, nonce in Event.objects.of(project).values_list("seq", "nonce")]


async def read_all(urls, scenes):
    objects = {}
    for scene in scenes:
        async with TicketHub(urls, access=scene.tokens[0]) as hub:
            objects[scene.project] = await load_project(hub, scene.project)
    return objects


# --- Everything at once ---


@dataclass(frozen=True)
class Storm:
    clients: int = 300
    seconds: float = 60
    projects: int = 6
    pace: float = 0.1  # seconds between two acts of a writer
    kill_every: float = 6
    redis_every: float = 15
    cut_share: float = 0.01  # of the lines, twice a second

    def run(self, report):
        name = f"storm of {self.clients}"
        call_command("collectstatic", interactive=False, verbosity=0)  # without which the admin has no pages
        scenes = [Scene.make(people=10) for _ in range(self.projects)]
        with ExitStack() as stack:
            log = stack.enter_context(tempfile.NamedTemporaryFile("w+"))
            started = stack.enter_context(chaotic_servers(bells_lost=ONE_IN_FIVE, ACCESS_TOKEN_MINUTES="1", log=log))
            audience = Audience(stack, started, scenes, self.clients)
            crowd = stack.enter_context(pool(3, initializer=spoil, initargs=(ONE_IN_FIVE,)))
            work = [
                crowd.submit(authors.write_by_rest, scenes, audience.urls, self.seconds, self.pace),
                crowd.submit(authors.write_in_admin, scenes, audience.urls, self.seconds, self.pace),
                crowd.submit(authors.write_by_code, scenes, self.seconds, self.pace),
            ]
            done = self.break_things(started, audience)
            for author in work:
                done.update(author.result())
            for server in started:
                server.wait()
            note(f"{name}: all were where the log is {audience.settle(90):.1f} s after the last write")
            audience.check(report, name)
            if done["failure"]:
                lines = Path(log.name).read_text().splitlines()
                note("\n".join(line for line in lines if '"level": "ERROR"' in line))
        note(f"{name}: {', '.join(f'{times} {what}' for what, times in sorted(done.items()))}")
        report.at_most(f"{name}, answers of 500 and more", done["failure"], 0, "answers")
        expected = {"servers killed", "Redis stopped", "lines cut", "rolled back", "by REST", "by REST, in bulk"}
        missing = {what for what in expected | {"by code, in bulk", "by the admin"} if not done[what]}
        report.true(f"{name}, all that was to happen did", not missing, f"missing: {missing or 'nothing'}")

    def break_things(self, started, audience):
        """Kill, stop and cut for so many seconds; give how often. One time in four all servers are killed at once."""
        done, began = Counter(), time.monotonic()
        next_kill, next_stop = self.kill_every, self.redis_every
        while (now := time.monotonic() - began) < self.seconds:
            if now >= next_kill:
                next_kill = now + self.kill_every
                victims = started if random.random() < 0.25 else [random.choice(started)]
                for victim in victims:
                    victim.kill()
                    done["servers killed"] += 1
                time.sleep(random.random())
                for victim in victims:
                    victim.start()
            if now >= next_stop:
                next_stop = now + self.redis_every
                with away("redis"):
                    time.sleep(1 + random.random())
                done["Redis stopped"] += 1
            done["lines cut"] += audience.cut(self.cut_share)
            time.sleep(0.5)
        return done


# --- Bells ---


@dataclass(frozen=True)
class Bells:
    """The delays from commit to client where bells are lost, or nothing else tells of news."""

    name: str
    percent: int
    required: float  # milliseconds, for so many percent
    bells_lost: float = 0
    heal_every: float = 1
    clients: int = 60
    rate: float = 10
    seconds: float = 20

    def run(self, report):
        scene = Scene.make(people=10)
        with ExitStack() as stack:
            started = stack.enter_context(chaotic_servers(bells_lost=self.bells_lost, heal_every=self.heal_every))
            audience = Audience(stack, started, [scene], self.clients)
            writer = stack.enter_context(pool(1, initializer=spoil, initargs=(self.bells_lost,)))
            audience.arrivals()
            committed = writer.submit(writers.write_paced, scene, self.rate, self.seconds).result()
            audience.settle()
            delays = delays_of(committed, *audience.arrivals())
            audience.check(report, self.name)
        check(len(delays) == len(committed) * self.clients, "Not every event came to every client once")
        note(f"{self.name}: {len(committed)} commits to {self.clients} clients: {spread(delays)}")
        what = "most" if self.percent == 100 else f"p{self.percent}"
        report.at_most(f"{self.name}, commit to client, {what}", percentile(delays, self.percent), self.required, "ms")


@dataclass(frozen=True)
class KilledWriter:
    """Writers that are killed between the commit and the bell."""

    times: int = 100
    clients: int = 20

    def run(self, report):
        scene = Scene.make(people=10)
        with ExitStack() as stack:
            started = stack.enter_context(chaotic_servers())
            audience = Audience(stack, started, [scene], self.clients)
            audience.arrivals()
            committed = {}
            for number in range(self.times):
                time.sleep(random.random())  # so that the look at the heads is not always as far away
                at = FORKSERVER.Value("d", 0)
                writer = FORKSERVER.Process(target=authors.die_before_the_bell, args=(scene, number, at))
                writer.start()
                writer.join()
                check(writer.exitcode == -signal.SIGKILL, f"The writer ended with {writer.exitcode}")
                committed[scene.head()] = at.value
                audience.settle(5)
            delays = delays_of(committed, *audience.arrivals())
            audience.check(report, "killed writer")
        check(len(delays) == self.times * self.clients, "Not every event came to every client once")
        note(f"killed writer: {self.times} times: {spread(delays)}")
        report.at_most("killed writer, commit to client, most", delays[-1], 1500, "ms")


# --- Restarts ---


@dataclass(frozen=True)
class Restart:
    """All servers end at once, in order, and start anew, while somebody writes."""

    clients: int = 1000
    projects: int = 10
    required: float = 30

    def run(self, report):
        scenes = [Scene.make(people=20) for _ in range(self.projects)]
        with ExitStack() as stack:
            started = stack.enter_context(chaotic_servers())
            audience = Audience(stack, started, scenes, self.clients)
            writer = stack.enter_context(pool(1))
            writing = writer.submit(authors.write_by_code, scenes, 5, 0.1)
            time.sleep(1)
            began = time.monotonic()
            ended = self.restart(started)
            writing.result()
            audience.settle(120)
            took = time.monotonic() - began
            codes = audience.check(report, "restart")
        note(f"restart: the servers ended within {ended:.1f} s")
        report.at_most("restart, until all were back and equal", took, self.required, "s")
        others = codes.total() - codes["1012"]
        report.at_most("restart, lines that were not closed with 1012", others, 0, f"of {codes.total()} lines")

    @staticmethod
    def restart(started):
        began = time.monotonic()
        for server in started:
            server.process.terminate()
        for server in started:
            server.process.wait(30)
        ended = time.monotonic() - began
        for server in started:
            server.start()
        return ended


@dataclass(frozen=True)
class PostgresRestart:
    """PostgreSQL stops and comes back. The sockets do not notice."""

    clients: int = 100
    seconds: float = 4  # that it is away

    def run(self, report):
        scene = Scene.make(people=10)
        with ExitStack() as stack:
            started = stack.enter_context(chaotic_servers())
            audience = Audience(stack, started, [scene], self.clients)
            writer = stack.enter_context(pool(1))
            writing = writer.submit(authors.write_by_rest, [scene], audience.urls, self.seconds + 8, 0.05)
            time.sleep(1)
            connections.close_all()
            with away("postgres"):
                time.sleep(self.seconds)
            began = time.monotonic()
            asyncio.run(self.write(scene, audience.urls))
            audience.settle(30)
            took = time.monotonic() - began
            done = writing.result()
            audience.settle()
            codes = audience.check(report, "PostgreSQL restarted")
        note(f"PostgreSQL restarted: {', '.join(f'{times} {what}' for what, times in sorted(done.items()))}")
        report.at_most("PostgreSQL restarted, until an event came to everybody", took, 5, "s")
        report.at_most("PostgreSQL restarted, lines that ended", codes.total(), 0, "lines")
        report.at_most("PostgreSQL restarted, answers of 500 and more but for 503", done["failure"], 0, "answers")

    @staticmethod
    async def write(scene, urls):
        """A task of its own: the writer may have deleted any that was there."""
        async with TicketHub(urls, access=scene.tokens[0]) as hub:
            await hub.request("POST", "tasks/", json={"project": scene.project, "title": "After the restart"})


LARGE = {
    "storm": Storm(),
    "storm-1000": Storm(clients=1000, projects=20, pace=0.3, kill_every=15, redis_every=20),
    "killed-writer": KilledWriter(),
    "deaf": Bells("all bells lost", percent=100, required=1500, bells_lost=1),
    "bell": Bells("the bell alone", percent=50, required=50, heal_every=NEVER),
    "removal": Removal(),
    "logins": EndedLogins(),
    "postgres": PostgresRestart(),
    "restart": Restart(),
}
SMALL = {
    "storm": Storm(clients=40, seconds=12, projects=2, kill_every=4, redis_every=6, cut_share=0.05),
    "killed-writer": KilledWriter(times=4, clients=10),
    "deaf": Bells("all bells lost", percent=100, required=1500, bells_lost=1, clients=10, seconds=3),
    "bell": Bells("the bell alone", percent=50, required=50, heal_every=NEVER, clients=10, seconds=3),
    "removal": Removal(rounds=1, people=10, seconds=3),
    "logins": EndedLogins(times=2),
    "postgres": PostgresRestart(clients=10, seconds=1),
    "restart": Restart(clients=40, projects=2),
}
if __name__ == "__main__":
    main(__doc__, LARGE, SMALL)
