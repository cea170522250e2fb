"""Follow a project of TicketHub live and keep a replica of its tasks.

    python follow.py http://localhost:8000 EMAIL PASSWORD PROJECT-KEY

Python 3.11 or newer; `pip install httpx websockets` first.
"""

import asyncio
import json
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

SILENCE = 60  # seconds; the server pings at least every 30, so a line that is silent for longer is dead
LONGEST_WAIT = 30  # seconds between two attempts to connect
BROKEN = (OSError, TimeoutError, WebSocketException, httpx.HTTPError)


class Api:
    """REST, with tokens that are renewed by refreshing, and by logging in where that fails."""

    def __init__(self, base, email, password):
        self.credentials = {"email": email, "password": password}
        self.client = httpx.AsyncClient(base_url=f"{base}/api/v1/", timeout=30)
        self.access = self.refresh = None

    async def send(self, method, path, **options):
        """Give the answer, after waiting where the server asks for that."""
        while True:
            headers = {"Authorization": f"Bearer {self.access}"} if method == "GET" else {}
            answer = await self.client.request(method, path, headers=headers, **options)
            if answer.status_code not in {429, 503}:
                return answer
            await asyncio.sleep(float(answer.headers.get("Retry-After", 5)))

    async def renew(self):
        """Give a new access token."""
        answer = None
        if self.refresh:
            answer = await self.send("POST", "auth/token/refresh/", json={"refresh": self.refresh})
        if answer is None or answer.status_code == 401:
            answer = await self.send("POST", "auth/token/", json=self.credentials)
            if answer.status_code == 401:
                sys.exit("Wrong email or password.")
        tokens = answer.raise_for_status().json()
        self.access, self.refresh = tokens["access"], tokens["refresh"]
        return self.access

    async def load(self, path, **filters):
        """Give a whole list by id, missing none that is there all the while.

        Rows that are deleted meanwhile make later ones slip forward, over the edge of a page. So each page has to begin
        with a row that is known from the one before; where it does not, go back a little.
        """
        rows, offset = {}, 0
        while True:
            answer = await self.send("GET", path, params={**filters, "limit": 100, "offset": offset})
            page = answer.raise_for_status().json()
            results = page["results"]
            if offset and not (results and results[0]["id"] in rows):
                offset = max(0, offset - 50)
                continue
            rows |= {row["id"]: row for row in results}
            if page["next"] is None:
                return rows
            offset += len(results) - 1


class Follower:
    """A replica of a project's tasks, and the line that keeps it so."""

    def __init__(self, base, api, project):
        self.address = base.replace("http", "ws", 1) + "/ws/v1/"
        self.api, self.project = api, project
        self.tasks = {}
        self.cursor = None  # where the replica stands; None: it has to be loaded
        self.held = None  # events that came while loading; None: not loading
        self.attempt = 0

    async def run(self):
        while True:
            try:
                async with asyncio.TaskGroup() as self.group:
                    await self.hold_line()
            except* BROKEN as broken:
                print("The line is broken:", *map(repr, broken.exceptions))
            wait = secrets.SystemRandom().uniform(0, min(LONGEST_WAIT, 2**self.attempt))
            self.attempt = min(self.attempt + 1, 10)
            await asyncio.sleep(wait)

    async def hold_line(self):
        """Read one connection until it breaks, which is an exception. What it started in the group ends with it."""
        self.held = None
        async with connect(self.address) as self.socket:
            await self.send(type="authenticate", token=self.api.access or await self.api.renew(), ref="first")
            try:
                while True:
                    async with asyncio.timeout(SILENCE):
                        text = await self.socket.recv()
                    await self.receive(json.loads(text))
            except ConnectionClosed as closed:
                if closed.rcvd and closed.rcvd.code == 4401:
                    self.api.access = None  # the next attempt gets a new one
                raise

    async def send(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def receive(self, frame):
        answer = getattr(self, f"on_{frame['type']}", None)
        if answer:  # types that are added to the protocol later are none of ours
            await answer(frame)

    async def on_ping(self, frame):
        await self.send(type="pong")

    async def on_authenticated(self, frame):
        self.group.create_task(self.renew_before(datetime.fromisoformat(frame["expires_at"])))
        if frame.get("ref") == "first":
            await self.subscribe()

    async def renew_before(self, expiry):
        """Extend the line in time; the answer is another `authenticated`."""
        left = (expiry - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(left * 0.8 if left > 0 else 10)
        await self.send(type="authenticate", token=await self.api.renew())

    async def subscribe(self):
        after = {"after": self.cursor} if self.cursor else {}
        await self.send(type="subscribe", project=self.project, ref="subscribe", **after)

    async def on_subscribed(self, frame):
        self.attempt = 0
        if self.cursor is None:
            self.held = []
            self.group.create_task(self.load(frame["cursor"]))
        else:
            print("Resumed at", self.cursor)

    async def load(self, cursor):
        """Load the replica, then apply what happened meanwhile. Pings are answered all the while."""
        self.tasks = await self.api.load("tasks/", project=self.project)
        self.cursor = cursor
        print(f"Loaded {len(self.tasks)} tasks at {cursor}")
        held, self.held = self.held, None
        for event in held:
            self.apply(event)

    async def on_event(self, frame):
        if self.held is None:
            self.apply(frame)
        else:
            self.held.append(frame)

    def apply(self, event):
        """Put the object in place of the one before, or take it away. The cursor moves with the replica."""
        thing, verb = event["event"].split(".")
        if thing == "task":
            task = self.tasks.pop(event["id"], None) or event["object"]
            if verb != "deleted":
                task = self.tasks[event["id"]] = event["object"]
            print(event["at"], verb, task and task["key"], json.dumps(event["changes"], ensure_ascii=False))
        self.cursor = event["cursor"]

    async def on_resync(self, frame):
        print("The log no longer reaches back to the cursor: loading anew")
        self.cursor = None
        await self.subscribe()

    async def on_unsubscribed(self, frame):
        sys.exit(f"Nothing more will come: {frame['reason']}")

    async def on_error(self, frame):
        if frame["code"] == "not_found":
            sys.exit(frame["detail"])
        if "ref" in frame:  # an answer to what was sent above: begin again
            raise ConnectionError(frame["detail"])
        print("The server says:", frame["detail"])  # and then closes the line


async def main(base, email, password, project):
    base = base.rstrip("/")
    api = Api(base, email, password)
    async with api.client:
        await Follower(base, api, project).run()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
