"""Many clients of clients/python in one process, and whoever commands it. crowd.mjs is the same with clients/js.

A command is a line of JSON, `{"do": "open", …}`; its answer is one too.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from client import check
from tickethub_client import TicketHub, load_project

HERE = Path(__file__).resolve().parent
KINDS = {"Python": [sys.executable, "crowd.py"], "JavaScript": ["node", "--experimental-websocket", "crowd.mjs"]}


class Crowd:
    """The process of a crowd, commanded: every command of Commands is a method here."""

    def __init__(self, kind):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(KINDS[kind], cwd=HERE, text=True, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()  # which ends it
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __getattr__(self, name):
        def command(**arguments):
            self.process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            check(answer, f"The clients ended at {name}")
            return json.loads(answer)

        return command


class Loads:
    """Projects read by REST, for many at once: who asks while it is read gets the next reading, so no older one."""

    def __init__(self):
        self.next, self.locks = {}, defaultdict(asyncio.Lock)

    async def load(self, hub, project):
        if project not in self.next:
            self.next[project] = asyncio.create_task(self.run(hub, project))
        return await asyncio.shield(self.next[project])

    async def run(self, hub, project):
        async with self.locks[project]:
            del self.next[project]
            return await load_project(hub, project)


class Member(TicketHub):
    """A client with one replica, that notes the cursor it began with, and when each event came."""

    def __init__(self, url, *, project, loads, **tokens):
        super().__init__(url, **tokens)
        self.first, self.cursors, self.times = None, [], []
        self.replica = self.follow(project, load=loads.load, on_event=self.note)
        self.is_ready = False
        self.readiness = asyncio.create_task(self.wait_until_ready())

    async def wait_until_ready(self):
        await self.replica.ready()
        self.is_ready = True

    async def receive(self, text):
        if self.first is None and '"subscribed"' in text[:30]:
            self.first = json.loads(text)["cursor"]
        await super().receive(text)

    def note(self, event):
        self.cursors.append(event["cursor"])
        self.times.append(time.monotonic())

    def has(self, cursor):
        """Whether the event of this cursor has come, and the line is up."""
        cursor_now = self.is_connected and self.replica.reason is None and self.replica.cursor
        return bool(cursor_now) and number_of(cursor_now) >= number_of(cursor)

    def faults(self, log, objects):
        """What is not as the log and the database have it, counted."""
        expected = log[log.index(self.first) + 1 :] if self.first in log else log
        replica, mine = self.replica, without_role(self.replica.objects)
        return {
            "gaps": replica.gaps + len(set(expected) - set(self.cursors)),
            "duplicates": replica.duplicates + len(self.cursors) - len(set(self.cursors)),
            "out of order": int(self.cursors != sorted(self.cursors, key=number_of)),
            "not in the log": len(set(self.cursors) - set(expected)),
            "loaded anew": replica.resyncs,
            "ended": int(replica.reason is not None),
            "differ from the database": int(mine != objects),
        }


def number_of(cursor):
    return int(cursor.partition(".")[0])


def without_role(objects):
    """The objects without what is each reader's own."""
    projects = {pk: {**row, "role": None} for pk, row in objects["project"].items()}
    return {**objects, "project": projects}


class Commands:
    """What the clients are told to do."""

    def __init__(self):
        self.members, self.loads = [], Loads()

    async def open(self, urls, people):
        """A client for each of `{project, access?, refresh?, email?, password?}`."""
        for person in people:
            self.members.append(Member(urls, loads=self.loads, **person))
            await asyncio.sleep(0.002)

    async def count(self):
        """How many are let in, and how many have a replica that is live."""
        ready = sum(member.is_ready for member in self.members)
        return {"connected": sum(member.is_connected for member in self.members), "ready": ready}

    async def behind(self, heads):
        """How many have not come as far as `{project: cursor}`."""
        return sum(not member.has(heads[member.replica.name]) for member in self.members)

    async def cut(self, share):
        """Lose the lines of some. Gives of how many."""
        some = [member for member in self.members if random.random() < share and member.is_connected]
        for member in some:
            member.cut()
        return len(some)

    async def check(self, logs, objects):
        """Compare all that was told and is held with `{project: its cursors}` and `{project: its objects}`."""
        faults, codes, resumes, events = Counter(), Counter(), 0, 0
        objects = {project: without_role(held) for project, held in objects.items()}
        for member in self.members:
            project = member.replica.name
            faults.update(member.faults(logs[project], objects[project]))
            codes.update(member.closes)
            resumes += member.replica.resumes
            events += len(member.cursors)
        return {"faults": faults, "closes": codes, "resumes": resumes, "events": events, "clients": len(self.members)}

    async def arrivals(self):
        """When each event came to whom, `[[seq, time.monotonic()], …]`. Begins anew."""
        times = [
            [number_of(cursor), at]
            for member in self.members
            for cursor, at in zip(member.cursors[-len(member.times) :], member.times, strict=False)
        ]
        for member in self.members:
            member.times.clear()
        return times

    async def close(self):
        for member in self.members:
            await member.__aexit__()


async def obey():
    commands, reader = Commands(), asyncio.StreamReader(limit=2**30)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        message = json.loads(line)
        answer = await getattr(commands, message.pop("do"))(**message)
        print(json.dumps(answer), flush=True)
    await commands.close()


if __name__ == "__main__":
    asyncio.run(obey())
