"""People of TicketHub for benchmarks: clients/python, and a witness of all that their sockets are told."""

import asyncio
import json
import re
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients/python"))
from tickethub_client import PAGE, ApiError, TicketHub, load_project, tls

PATIENCE = 20  # seconds that an event may take before it counts as lost
EXPECTED = {"ping", "authenticated", "subscribed", "event", "unsubscribed"}  # frames


def tell(words):
    print(words, flush=True)


class Failure(Exception):
    """The server did what it promises not to do."""


def check(truth, words):
    if not truth:
        raise Failure(words)


async def refuse_excuses(response):
    """Fail where the client would try again and succeed: nothing here expires or is away."""
    check(response.status_code not in {401, 503}, f"{response.request.url} gave {response.status_code}")


class Api:
    """REST as one person."""

    def __init__(self, url):
        self.url = url
        self.http = httpx.AsyncClient(
            timeout=60, trust_env=False, verify=tls(), event_hooks={"response": [refuse_excuses]}
        )
        self.hub = TicketHub(url, http=self.http)
        self.done = Counter()  # kinds of change that went through, and that did not

    async def call(self, method, path, body=None, *, expect=(200, 201, 204), headers=None, **params):
        """Give the answer; raises Failure for a status that is not in `expect`."""
        try:
            answer = await self.hub.request(method, path, json=body, params=params, headers=headers)
        except ApiError as refusal:
            answer = refusal.response
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
        self.credentials = {"email": self.email, "password": password}
        self.hub = TicketHub(self.url, http=self.http, **self.credentials)
        await self.hub.login()

    async def log(self, project, after):
        """Give the project's events after a cursor, as REST tells them."""
        events, more = [], True
        while more:
            page = (await self.call("GET", "events/", project=project, after=after, limit=PAGE)).json()
            events += page["results"]
            after, more = page["cursor"], page["has_more"]
        return events


class WatchedHub(TicketHub):
    """A client that shows each frame to a witness before it takes it."""

    witness = None

    async def receive(self, text):
        self.witness(json.loads(text))
        await super().receive(text)


class Follower:
    """One person's WebSocket on one project: the replica that the client keeps, and all that the server said."""

    def __init__(self, api, project):
        self.api, self.project = api, project
        self.hub = self.replica = self.cursor = self.first_cursor = self.unsubscribed = None
        self.events, self.afterwards, self.failures = [], [], []
        self.cuts = 0

    async def open(self):
        """Follow; where there is a replica from before, go on from it."""
        access, old = self.api.hub.access, self.replica
        self.hub = WatchedHub(self.api.url, http=self.api.http, access=access, **self.api.credentials)
        self.hub.witness, self.cuts = self.see, 0
        saved = {"cursor": old.cursor, "objects": old.objects} if old else {}
        self.replica = self.hub.follow(self.project, on_event=self.take, **saved)
        await self.until(lambda: self.replica.reason or self.hub.is_connected, "the line")
        await asyncio.wait_for(self.replica.ready(), PATIENCE)
        check(self.hub.user_id == self.api.me["id"], f"{self.api.email} was let in as {self.hub.user_id}")

    async def leave(self):
        """End the line; the replica stays behind."""
        if self.hub:
            await self.hub.__aexit__()
            self.hub = None

    async def cut(self):
        """Lose the line without a goodbye. It comes back by itself."""
        self.cuts += 1
        self.hub.cut()
        await self.until(lambda: self.hub.closes.total() == self.cuts, "the line to break")

    def see(self, frame):
        """Note what is not to be, for `until` to raise: the client would come back from it."""
        kind = frame["type"]
        if self.unsubscribed:
            self.afterwards += [frame] if kind != "ping" else []
        elif kind not in EXPECTED:
            self.failures.append(f"Nobody asked for {frame}")
        elif kind == "subscribed":
            self.first_cursor = self.first_cursor or frame["cursor"]
            if (frame["project"], frame["cursor"]) != (self.project, self.cursor or frame["cursor"]):
                self.failures.append(f"Subscribing after {self.cursor} gave {frame}")
            self.cursor = frame["cursor"]
        elif kind == "event":
            self.cursor = frame["cursor"]
        elif kind == "unsubscribed":
            self.unsubscribed = frame

    def take(self, event):
        last = self.events[-1]["seq"] if self.events else None
        if last and event["seq"] != last + 1:
            self.failures.append(f"To {self.api.email} came seq {event['seq']} after {last}: {event}")
        self.events.append(event)

    def check_line(self):
        check(not self.failures, "\n".join(self.failures[:5]))
        line, replica = self.hub, self.replica
        broke = line.closes.total() - self.cuts
        check(broke <= 0, f"The line of {self.api.email} broke {broke} times by itself: {dict(line.closes)}")
        wrong = {name: times for name in ("gaps", "duplicates", "resyncs") if (times := getattr(replica, name))}
        check(not wrong, f"The line of {self.api.email} had {wrong}")

    async def until(self, condition, words):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.check_line()
            check(time.monotonic() < deadline, f"{self.api.email} waited {PATIENCE} s in vain for {words}")
            await asyncio.sleep(0.01)

    async def compare(self):
        """Wait for what the log holds by now; check the events against the log and the replica against REST."""
        log = await self.api.log(self.project, self.first_cursor)
        await self.until(lambda: len(self.events) >= len(log), f"the last of {log[-1:]}")
        self.check_line()
        check(self.events == log, f"events/ tells other events to {self.api.email}")
        times = Counter((event["request_id"], event["type"], event["id"]) for event in log)
        twice = [words for words in times if times[words] > 1]
        check(not twice, f"One request told twice of one object: {twice}")
        found = list(differences(self.replica.objects, await load_project(self.api.hub, self.project)))
        check(not found, "\n".join([f"{self.api.email}'s replica differs from REST:", *found[:20]]))


def differences(mine, others):
    """Yield a line for each object that is not the same on the socket and in REST."""
    for thing in mine.keys() | others.keys():
        for key in sorted(mine[thing].keys() | others[thing].keys()):
            ours, theirs = mine[thing].get(key), others[thing].get(key)
            if not (ours and theirs):
                yield f"{thing} {key} is known {'to the socket' if ours else 'to REST'} alone: {ours or theirs}"
                continue
            for name in sorted(ours.keys() | theirs.keys()):
                if ours.get(name, KeyError) != theirs.get(name, KeyError):
                    yield f"{thing} {key} {name}: socket {ours.get(name)!r}, REST {theirs.get(name)!r}"
