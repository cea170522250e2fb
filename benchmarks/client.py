"""A client of TicketHub for benchmarks: REST, the socket, and a replica kept by both."""

import asyncio
import json
import re
import secrets
import time
from collections import Counter

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

LISTS = {
    "membership": "memberships/",
    "status": "statuses/",
    "label": "labels/",
    "task": "tasks/",
    "relation": "relations/",
    "comment": "comments/",
}
PAGE = 100
PATIENCE = 20  # seconds that an event may take before it counts as lost


def tell(words):
    print(words, flush=True)


class Failure(Exception):
    """The server did what it promises not to do."""


def check(truth, words):
    if not truth:
        raise Failure(words)


class Api:
    """REST as one person."""

    def __init__(self, url):
        self.url = url
        self.client = httpx.AsyncClient(base_url=f"{url}/api/v1/", timeout=60, trust_env=False)
        self.done = Counter()  # kinds of change that went through, and that did not

    async def call(self, method, path, body=None, *, expect=(200, 201, 204), headers=None, **params):
        """Give the answer; raises Failure for a status that is not in `expect`. Waits where the server says so."""
        answer = await self.client.request(method, path, json=body, params=params, headers=headers)
        while answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["Retry-After"]))
            answer = await self.client.request(method, path, json=body, params=params, headers=headers)
        asked = f"{method} {path} {params or ''} {body or ''}"
        check(answer.status_code in expect, f"{asked} gave {answer.status_code}, not {expect}: {answer.text[:1000]}")
        if method != "GET":
            self.done[f"{method} {re.sub('[0-9a-f-]{36}', '{id}', path)}"] += answer.is_success
        return answer

    async def make(self, path, **body):
        return (await self.call("POST", path, body, expect=[201])).json()

    async def register(self):
        """Make an account nobody had before, and log in."""
        name, password = f"smoke-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
        self.email = f"{name}@example.com"
        self.me = await self.make("auth/register/", email=self.email, username=name, password=password)
        answer = await self.call("POST", "auth/token/", {"email": self.email, "password": password}, expect=[200])
        self.access = answer.json()["access"]
        self.client.headers["Authorization"] = f"Bearer {self.access}"

    async def load(self, path, **params):
        """Give a whole list by id. Rows come and go meanwhile: each page has to begin with a row of the one before."""
        rows, offset = {}, 0
        while True:
            page = (await self.call("GET", path, limit=PAGE, offset=offset, **params)).json()
            results = page["results"]
            if offset and not (results and results[0]["id"] in rows):
                offset = max(0, offset - PAGE // 2)  # rows were deleted, and others slipped forward past us
                continue
            rows |= {row["id"]: row for row in results}
            if page["next"] is None:
                return rows
            offset += len(results) - 1

    async def load_project(self, project):
        """Give all that a project holds, as `{thing: {id: object}}`."""
        objects = {"project": {project: (await self.call("GET", f"projects/{project}/")).json()}}
        for thing, path in LISTS.items():
            objects[thing] = await self.load(path, project=project)
        return objects

    async def log(self, project, after):
        """Give the project's events after a cursor, as REST tells them."""
        events, more = [], True
        while more:
            page = (await self.call("GET", "events/", project=project, after=after, limit=PAGE)).json()
            events += page["results"]
            after, more = page["cursor"], page["has_more"]
        return events


class Replica:
    """What a client holds of one project: loaded once, kept by events alone."""

    def __init__(self, objects):
        self.objects = objects

    def apply(self, event):
        thing, verb = event["type"].split(".")
        if verb != "deleted":
            self.objects[thing][event["id"]] = event["object"]
        elif thing == "project":
            self.objects = {thing: {} for thing in self.objects}
        else:
            self.objects[thing].pop(event["id"], None)
            if thing == "task":
                self.drop("comment", lambda comment: comment["task"] == event["id"])
                self.drop("relation", lambda relation: event["id"] in (relation["source"], relation["target"]))

    def drop(self, thing, goes):
        self.objects[thing] = {key: row for key, row in self.objects[thing].items() if not goes(row)}

    def differences(self, objects):
        """Yield a line for each object that is not the same here and in `objects`."""
        for thing, mine in self.objects.items():
            for key in sorted(mine.keys() | objects[thing].keys()):
                ours, theirs = mine.get(key), objects[thing].get(key)
                if not (ours and theirs):
                    yield f"{thing} {key} is known {'to the socket' if ours else 'to REST'} alone: {ours or theirs}"
                    continue
                for name in sorted(ours.keys() | theirs.keys()):
                    own = thing == "project" and name == "role"  # the reader's own, and so in no event
                    if not own and ours.get(name, KeyError) != theirs.get(name, KeyError):
                        yield f"{thing} {key} {name}: socket {ours.get(name)!r}, REST {theirs.get(name)!r}"


class Follower:
    """One person's WebSocket on one project, and the replica that it keeps."""

    def __init__(self, api, project):
        self.api, self.project = api, project
        self.replica = self.reader = self.cursor = self.first_cursor = self.unsubscribed = None
        self.events, self.afterwards = [], []
        self.cutting = False

    async def start(self):
        """Subscribe from now on, load while events are held back, apply those, and go on."""
        await self.open()
        replica = Replica(await self.api.load_project(self.project))
        for event in self.events:
            replica.apply(event)
        self.replica = replica

    async def open(self, **after):
        self.socket = await connect(f"{self.api.url.replace('http', 'ws', 1)}/ws/v1/", proxy=None, max_size=None)
        await self.send(type="authenticate", token=self.api.access)
        frame = json.loads(await self.socket.recv())
        check((frame["type"], frame.get("user")) == ("authenticated", self.api.me["id"]), f"authenticate gave {frame}")
        await self.send(type="subscribe", project=self.project, ref="smoke", **after)
        frame = json.loads(await self.socket.recv())
        answer = frame["type"], frame.get("ref"), frame.get("project")
        check(answer == ("subscribed", "smoke", self.project), f"subscribe {after} gave {frame}")
        check(frame["cursor"] == after.get("after", frame["cursor"]), f"subscribe {after} gave {frame}")
        self.cursor = frame["cursor"]
        self.first_cursor = self.first_cursor or self.cursor
        self.cutting = False
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        try:
            while True:
                await self.receive(json.loads(await self.socket.recv()))
        except ConnectionClosed as closed:
            check(self.cutting, f"The line of {self.api.email} broke: {closed}")

    async def receive(self, frame):
        if frame["type"] == "ping":
            await self.send(type="pong")
        elif self.unsubscribed:
            self.afterwards.append(frame)
        elif frame["type"] == "event":
            self.take(event_of(frame))
        else:
            check(frame["type"] == "unsubscribed", f"Nobody asked for {frame}")
            self.unsubscribed = frame

    def take(self, event):
        if self.events:
            last = self.events[-1]["seq"]
            check(event["seq"] == last + 1, f"To {self.api.email} came seq {event['seq']} after {last}: {event}")
        self.events.append(event)
        self.cursor = event["cursor"]
        if self.replica:
            self.replica.apply(event)

    async def send(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def cut(self):
        """Lose the line without a goodbye."""
        self.cutting = True
        self.socket.transport.abort()
        await self.reader

    async def until(self, condition, words):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.reader.done():
                self.reader.result()
            check(time.monotonic() < deadline, f"{self.api.email} waited {PATIENCE} s in vain for {words}")
            await asyncio.sleep(0.01)

    async def compare(self):
        """Wait for what the log holds by now; check the events against the log and the replica against REST."""
        log = await self.api.log(self.project, self.first_cursor)
        await self.until(lambda: len(self.events) >= len(log), f"the last of {log[-1:]}")
        check(self.events == log, f"events/ tells other events to {self.api.email}")
        times = Counter((event["request_id"], event["type"], event["id"]) for event in log)
        twice = [words for words in times if times[words] > 1]
        check(not twice, f"One request told twice of one object: {twice}")
        differences = list(self.replica.differences(await self.api.load_project(self.project)))
        check(not differences, "\n".join([f"{self.api.email}'s replica differs from REST:", *differences[:20]]))

    async def close(self):
        self.cutting = True
        if self.reader:
            await self.socket.close()
            await asyncio.gather(self.reader, return_exceptions=True)


def event_of(frame):
    """The event that a frame brings, as `events/` gives it: the frame has a `type` of its own."""
    return {**{name: value for name, value in frame.items() if name != "event"}, "type": frame["event"]}
