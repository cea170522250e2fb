"""A TicketHub of a few lines: enough of the protocol to be a client's other side, and as unkind as a test wants."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import httpx
import websockets
from tickethub_client import LISTS, TicketHub
from websockets.asyncio.server import serve

USER = "u1"
TASKS = {"t1": {"id": "t1", "title": "One"}, "t2": {"id": "t2", "title": "Two"}}


class Project:
    """What it holds, its log, and who follows it."""

    def __init__(self, key):
        self.id, self.key = f"id-of-{key}", key
        self.rows = {thing: {} for thing in LISTS} | {"task": dict(TASKS)}
        self.rows["project"] = {self.id: {"id": self.id, "key": key, "role": "owner"}}
        self.log, self.lines = [], set()

    @property
    def cursor(self):
        return f"{len(self.log)}.x"


class FakeServer:
    """`valid` are the access tokens that are let in. `heard` are the frames that came, each with its line's number."""

    def __init__(self):
        self.projects = {key: Project(key) for key in ("DEMO", "OTHER")}
        self.project = self.projects["DEMO"]
        self.valid, self.refreshes, self.credentials = {"a0"}, {"r0"}, ("ada@example.org", "secret")
        self.lifetime = timedelta(minutes=10)
        self.lines, self.heard, self.requests = [], [], []
        self.answers = []  # responses or exceptions that the next requests get, in place of the usual ones
        self.handshakes = []  # (status, headers) that the next connections get, in place of a line
        self.refusals = []  # frames that the next subscriptions get, in place of `subscribed`
        self.loading = asyncio.Event()  # lists are answered while it is set
        self.loading.set()
        self.issued = Counter()

    # --- REST ---

    def http(self):
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    async def answer(self, request):
        self.requests.append(request)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, type):
                raise answer("as the test wants")
            return answer
        path = request.url.path.removeprefix("/api/v1/")
        if path.startswith("auth/token/"):
            return self.issue(path, json.loads(request.content))
        await self.loading.wait()
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.valid:
            return httpx.Response(401, json={"detail": "No.", "code": "token_not_valid"})
        return self.rest(path, request.url.params)

    def issue(self, path, body):
        self.issued[path] += 1
        if body.get("refresh") not in self.refreshes and (body.get("email"), body.get("password")) != self.credentials:
            return httpx.Response(401, json={"detail": "No.", "code": "no_active_account"})
        number = self.issued.total()
        self.refreshes = {f"r{number}"}
        self.valid.add(f"a{number}")
        return httpx.Response(200, json={"access": f"a{number}", "refresh": f"r{number}"})

    def rest(self, path, params):
        if path.startswith("projects/"):
            found = self.find(path.split("/")[1])
            return httpx.Response(200, json=found.rows["project"][found.id])
        thing = next(thing for thing, address in LISTS.items() if address == path)
        rows = list(self.find(params["project"]).rows[thing].values())
        offset, limit = int(params["offset"]), int(params["limit"])
        more = offset + limit < len(rows)
        page = {"count": len(rows), "next": "more" if more else None, "results": rows[offset : offset + limit]}
        return httpx.Response(200, json=page)

    def find(self, name):
        return next((project for project in self.projects.values() if name in (project.id, project.key)), None)

    # --- The WebSocket ---

    def shake_hands(self, line, request):
        """Let a connection in, or answer it as a server that has no room."""
        if not self.handshakes:
            return None
        status, headers = self.handshakes.pop(0)
        answer = line.respond(status, "")
        answer.headers.update(headers)
        return answer

    async def hold(self, line):
        self.lines.append(line)
        number = len(self.lines)
        try:
            async for text in line:
                frame = json.loads(text)
                self.heard.append((number, frame))
                if act := getattr(self, f"on_{frame['type']}", None):
                    await act(line, frame)
        except websockets.ConnectionClosed:
            pass
        finally:
            for project in self.projects.values():
                project.lines.discard(line)

    async def say(self, line, **frame):
        with suppress(websockets.ConnectionClosed):  # the client cut it
            await line.send(json.dumps(frame))

    async def on_authenticate(self, line, frame):
        if frame["token"] not in self.valid:
            await self.say(line, type="error", code="token_not_valid", detail="No.")
            await line.close(4401)
            return
        expiry = datetime.now(UTC) + self.lifetime
        await self.say(line, type="authenticated", user=USER, expires_at=expiry.isoformat().replace("+00:00", "Z"))

    async def on_subscribe(self, line, frame):
        project = self.find(frame["project"])
        if self.refusals:
            await self.say(line, ref=frame["ref"], **self.refusals.pop(0))
            return
        after = frame.get("after", project.cursor)
        await self.say(line, type="subscribed", project=project.id, cursor=after, ref=frame["ref"], news="unknown")
        project.lines.add(line)
        for event in project.log[int(after.split(".")[0]) :]:
            await self.tell(line, event)

    async def on_unsubscribe(self, line, frame):
        project = self.find(frame["project"])
        project.lines.discard(line)
        await self.say(line, type="unsubscribed", project=project.id, reason="requested")

    async def tell(self, line, event):
        await self.say(line, **{**event, "type": "event", "event": event["type"]})

    def write(self, kind, key, row=None, project=None, **fields):
        """Change the rows and the log, without a word on the lines."""
        project = project or self.project
        thing, verb = kind.split(".")
        row = None if verb == "deleted" else row or {"id": key, **fields}
        if row:
            project.rows[thing][key] = row
        else:
            project.rows[thing].pop(key, None)
        seq = len(project.log) + 1
        event = {"project": project.id, "seq": seq, "cursor": f"{seq}.x", "type": kind, "id": key, "object": row}
        project.log.append(event)
        return event

    async def emit(self, *arguments, **options):
        event = self.write(*arguments, **options)
        for project in self.projects.values():
            if project.id == event["project"]:
                for line in tuple(project.lines):
                    await self.tell(line, event)
        return event

    def frames(self, kind):
        """What clients said of this type: (number of the line, frame)."""
        return [(number, frame) for number, frame in self.heard if frame["type"] == kind]


@asynccontextmanager
async def fake_server():
    server = FakeServer()
    async with serve(server.hold, "127.0.0.1", 0, compression=None, process_request=server.shake_hands) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with server.http() as http:
            server.client = http
            yield server


def hub_of(server, **options):
    return TicketHub(server.url, http=server.client, **({"access": "a0", "refresh": "r0"} | options))


async def until(condition, seconds=5):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
