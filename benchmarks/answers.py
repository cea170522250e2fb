"""Requests whose every answer is noted as it comes, failures too, and what has to be true of what they wrote."""

import asyncio
import secrets
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass

import httpx
from client import Api, check, differences
from tickethub_client import tls

LOST = 0  # the status of an answer that did not come
PAUSE = 0.05  # seconds that each person takes between two requests


@dataclass(frozen=True)
class Answer:
    method: str
    path: str
    status: int
    began: float  # time.monotonic()
    ended: float
    is_clear: bool = True  # a success, or a 503 as the contract has it
    words: str = ""

    @classmethod
    def of(cls, response, began):
        request = response.request
        return cls(
            request.method,
            request.url.path,
            response.status_code,
            began,
            time.monotonic(),
            response.is_success or is_clear_503(response),
            response.text,
        )

    @property
    def is_success(self):
        return 200 <= self.status < 300

    def __str__(self):
        return f"{self.method} {self.path} gave {self.status or 'nothing'}: {self.words[:300]}"


def is_clear_503(response):
    if response.status_code != 503 or not response.headers.get("Retry-After", "").isdigit():
        return False
    return response.headers["Content-Type"] == "application/json" and response.json().keys() == {"detail", "code"}


class Caller:
    """One who asks at an address, or at the Unix socket of one server, as the person of an Api."""

    def __init__(self, api, socket=None):
        self.api = api
        self.answers = []
        transport = httpx.AsyncHTTPTransport(uds=str(socket)) if socket else None
        headers = {"X-Forwarded-Proto": "https"} if socket else {}
        options = {"timeout": 60, "trust_env": False, "verify": tls(), "headers": headers, "transport": transport}
        self.http = httpx.AsyncClient(base_url="http://localhost" if socket else api.url, **options)

    async def ask(self, method, path, **body):
        """Give the Answer, whatever it is. Logs in anew where the token has ended."""
        answer = await self.send(method, path, **body)
        if answer.status == 401:
            while not (login := await self.send("POST", "auth/token/", **self.api.credentials)).is_success:
                check(login.status in {LOST, 502, 503}, f"Nobody can log in: {login}")
                await asyncio.sleep(PAUSE)
            self.api.hub.access = httpx.Response(200, text=login.words).json()["access"]
            answer = await self.send(method, path, **body)
        self.answers.append(answer)
        return answer

    async def send(self, method, path, **body):
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {self.api.hub.access}"}
        try:
            response = await self.http.request(method, f"/api/v1/{path}", json=body or None, headers=headers)
        except httpx.TransportError as error:
            return Answer(method, path, LOST, began, time.monotonic(), is_clear=False, words=repr(error))
        return Answer.of(response, began)


class Project:
    """A project of its own, and what was written to it: `tried` by its id, and of these what was `acknowledged`."""

    def __init__(self, api, pk, cursor):
        self.api, self.pk, self.cursor = api, pk, cursor
        self.tried, self.acknowledged = {}, set()

    @classmethod
    async def make(cls, url):
        api = Api(url)
        await api.register()
        pk = (await api.make("projects/", key=f"F{secrets.token_hex(4).upper()}", name="Faults"))["id"]
        return cls(api, pk, (await api.call("GET", "events/", project=pk)).json()["cursor"])

    async def write(self, caller, *, pk=None, **fields):
        """Make a task, again where its id is given; give the Answer."""
        pk = pk or str(uuid.uuid4())
        title = self.tried.setdefault(pk, f"Task {secrets.token_hex(8)}")
        answer = await caller.ask("POST", "tasks/", id=pk, project=self.pk, title=title, **fields)
        if answer.is_success:
            self.acknowledged.add(pk)
        return answer

    async def check(self):
        """What was acknowledged is there, each once, and the log tells the rows without a gap; give how many rows."""
        log, rows = await self.api.log(self.pk, self.cursor), await self.api.hub.load("tasks/", project=self.pk)
        lost = self.acknowledged - rows.keys()
        check(not lost, f"{len(lost)} acknowledged tasks are lost: {sorted(lost)[:3]}")
        check(rows.keys() <= self.tried.keys(), "There are tasks that nobody made")
        wrong = [row["id"] for row in rows.values() if not row["title"].startswith(self.tried[row["id"]])]
        check(not wrong, f"Tasks are not as they were made: {wrong[:3]}")
        numbers = sorted(row["number"] for row in rows.values())
        check(numbers == list(range(1, len(rows) + 1)), f"The numbers of {len(rows)} tasks have gaps or repeats")
        first = int(self.cursor.partition(".")[0]) + 1
        gaps = [
            event["seq"] for event, seq in zip(log, range(first, first + len(log)), strict=True) if event["seq"] != seq
        ]
        check(not gaps, f"The log has a gap or a repeat at {gaps[:1]}")
        told, created = defaultdict(dict), Counter()
        for event in log:
            thing = event["type"].partition(".")[0]
            told[thing][event["id"]] = event["object"]
            created[event["id"]] += event["type"] == "task.created"
        twice = [pk for pk, times in created.items() if times > 1]
        check(not twice, f"Tasks were made twice: {twice[:3]}")
        found = list(differences(defaultdict(dict, task=told["task"]), {"task": rows}))
        check(not found, "\n".join(["The log and the rows differ:", *found[:5]]))
        return len(rows)


class Load:
    """People who make tasks, change and read them, for as long as this is entered."""

    def __init__(self, project, people):
        self.project, self.stop = project, asyncio.Event()
        self.callers = [Caller(project.api) for _ in range(people)]

    async def __aenter__(self):
        self.running = [asyncio.create_task(self.run(caller)) for caller in self.callers]
        return self

    async def __aexit__(self, *error):
        self.stop.set()
        await asyncio.gather(*self.running)
        for caller in self.callers:
            await caller.http.aclose()

    async def run(self, caller):
        while not self.stop.is_set():
            pk = str(uuid.uuid4())
            if (await self.project.write(caller, pk=pk)).is_success:
                await asyncio.sleep(PAUSE)
                await caller.ask("PATCH", f"tasks/{pk}/", title=f"{self.project.tried[pk]}, changed")
                await caller.ask("GET", f"tasks/{pk}/")
            await asyncio.sleep(PAUSE)
            await caller.ask("GET", f"tasks/?project={self.project.pk}&limit=5")

    @property
    def answers(self):
        return [answer for caller in self.callers for answer in caller.answers]


def counted(answers):
    statuses = Counter(answer.status for answer in answers)
    return ", ".join(f"{times:,} of {status or 'no answer'}" for status, times in sorted(statuses.items()))


def milliseconds(answers):
    """How long they took, in ascending order."""
    return sorted(1000 * (answer.ended - answer.began) for answer in answers)
