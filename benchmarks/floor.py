"""The least that an answer of TicketHub can cost: a hand-written statement, dumped to JSON by a bare ASGI application.

`python -m tickethub.server floor:application` serves it as TicketHub is served, on the same DATABASE_URL. The path
names what is wanted: `GET /list?project=…`, or `POST /create`, a transaction that writes the rows that TicketHub
writes. Nobody is asked who they are, nothing is checked, and lists are not counted.
"""

import asyncio
import os
import secrets
import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import django
import jwt
import orjson
import statements
from argon2 import PasswordHasher
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from uuid_utils.compat import uuid7

django.setup()  # since the server looks for TicketHub's hub as it ends; nothing else here needs it

from tasks import positions  # noqa: E402

URL = os.environ["DATABASE_URL"]
NUMBERS = {"limit", "offset", "seq"}
IDS = {"id", "project", "parent", "created_by", "task", "author", "actor", "person", "before", "status_id", "event_id"}
TIMES = {"at", "created_at", "updated_at", "completed_at", "edited_at", "expires_at"}
WEIGHTS = {"none": 0, "low": 1, "medium": 2, "high": 3, "urgent": 4}
PLANNED_ANEW = {"filtered", "mine", "search"}  # what a plan made for any values answers far more slowly
HASHER = PasswordHasher()
JSON_TYPE = [(b"content-type", b"application/json")]


# --- Databases ---


class Postgres:
    """Statements on the connections of a pool, as TicketHub has one."""

    def __init__(self):
        self.texts, self.pool = statements.of_postgres(), None
        set_json_loads(lambda text: orjson.Fragment(bytes(text)))

    async def open(self):
        if self.pool is None:
            options = {"row_factory": dict_row, "autocommit": True}
            self.pool = AsyncConnectionPool(URL, min_size=1, max_size=10, open=False, kwargs=options)
            await self.pool.open()

    async def read(self, name, given):
        await self.open()
        async with self.pool.connection() as connection:
            plan = False if name in PLANNED_ANEW else None  # None is psycopg's own choice: kept from the sixth time on
            return await (await connection.execute(self.texts[name], given, prepare=plan)).fetchall()

    @asynccontextmanager
    async def transaction(self):
        await self.open()
        async with self.pool.connection() as connection, connection.transaction():

            async def run(name, given, many=False):
                cursor = connection.cursor()
                await (cursor.executemany if many else cursor.execute)(self.texts[f"write {name}"], given)
                return await cursor.fetchall() if cursor.description else []

            yield run


class SQLite:
    """Statements on one connection, in the event loop: SQLite has one writer, and waits for nobody."""

    def __init__(self, path):
        self.texts = statements.of_sqlite()
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        self.connection.row_factory = lambda cursor, row: dict(
            zip((column[0] for column in cursor.description), row, strict=True)
        )
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")

    async def read(self, name, given):
        return self.run(name, given)

    def run(self, name, given, many=False):
        if many:
            self.connection.executemany(self.texts[name], [kept(row) for row in given])
            return []
        return [shown(row) for row in self.connection.execute(self.texts[name], kept(given)).fetchall()]

    @asynccontextmanager
    async def transaction(self):
        async def run(name, given, many=False):
            return self.run(f"write {name}", given, many)

        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield run
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")


def kept(given):
    """Parameters as Django keeps them in SQLite."""
    values = {}
    for name, value in given.items():
        if name in IDS and value:
            value = value.replace("-", "")
        elif name in TIMES and value:
            value = value.replace("T", " ").removesuffix("Z")
        elif name == "ids":
            value = orjson.dumps([pk.replace("-", "") for pk in value]).decode()
        values[name] = value
    return values


def shown(row):
    """A row of SQLite as the API shows it."""
    for name, value in row.items():
        if value is None:
            continue
        if name in IDS:
            row[name] = dashed(value)
        elif name in TIMES:
            row[name] = f"{value.replace(' ', 'T')}Z"
        elif name in {"assignees", "labels"}:
            row[name] = [dashed(pk) for pk in orjson.loads(value)]
        elif name in {"changes", "object"}:
            row[name] = orjson.Fragment(value)
    return row


def dashed(pk):
    return f"{pk[:8]}-{pk[8:12]}-{pk[12:16]}-{pk[16:20]}-{pk[20:]}"


# --- Changes: each is one transaction, with the events that TicketHub writes ---


def as_json(value):
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def now(**later):
    return f"{(datetime.now(UTC) + timedelta(**later)).isoformat()[:-6]}Z"


def event(kind, task, seq, at, changes):
    """The parameters of an event about a task."""
    return {
        "event_id": str(uuid7()),
        "project": str(task["project"]),
        "seq": seq,
        "nonce": secrets.token_hex(4),
        "type": f"task.{kind}",
        "id": str(task["id"]),
        "at": at,
        "person": task["created_by"] and str(task["created_by"]),
        "request_id": str(uuid7()),
        "changes": as_json(changes).decode(),
        "object": as_json(task).decode(),
    }


async def tell(run, kind, task, at, changes):
    seq = await take(run, task, 1)
    await run("event", event(kind, task, seq, at, changes))


async def take(run, task, count):
    """So many numbers of the log; gives the last one."""
    [stream] = await run("take", {"project": str(task["project"]), "count": count})
    return stream["head"]


async def create(run, given):
    project, at = given["project"], now()
    [begin] = await run("begin", {"project": project})
    [board] = await run("number", {"project": project})
    number = board["last_number"]
    last = await run("last", {"project": project})
    task = {
        "id": str(uuid7()),
        "key": f"{begin['key']}-{number}",
        "number": number,
        "project": project,
        "title": given["title"],
        "description": given["description"],
        "status": begin["status"],
        "priority": "none",
        "assignees": [],
        "labels": [],
        "parent": None,
        "due_date": None,
        "position": positions.after(last[0]["position"] if last else None),
        "version": 1,
        "created_by": given["person"],
        "created_at": at,
        "updated_at": at,
        "completed_at": None,
    }
    await run("insert", task | {"at": at, "person": given["person"], "status_id": str(begin["status_id"])})
    await tell(run, "created", task, at, {})
    return task


async def changed(run, statement, task, values, **parameters):
    at = now()
    changes = {name: [task[name], value] for name, value in values.items()}
    task |= values | {"version": task["version"] + 1, "updated_at": at}
    await run(statement, {"id": str(task["id"]), "at": at, **values, **parameters})
    await tell(run, "updated", task, at, changes)
    return task


async def patch(run, given):
    [task] = await run("locked", {"id": given["id"]})
    return await changed(run, "retitle", task, {"title": given["title"]})


async def move(run, given):
    [task] = await run("locked", {"id": given["id"]})
    await run("board", {"project": str(task["project"])})
    [beside] = await run("beside", {"id": given["id"], "before": given["before"]})
    low, high = beside["lower"], beside["position"]
    place = positions.between(low, high) if low else positions.before(high)
    return await changed(run, "place", task, {"position": place})


async def bulk(run, given):
    tasks, at = await run("all_locked", {"ids": given["ids"]}), now()
    await run("weigh", {"ids": given["ids"], "weight": WEIGHTS[given["priority"]], "at": at})
    first = await take(run, tasks[0], len(tasks)) - len(tasks) + 1
    events = []
    for seq, task in enumerate(tasks, first):
        changes = {"priority": [task["priority"], given["priority"]]}
        task |= {"priority": given["priority"], "version": task["version"] + 1, "updated_at": at}
        events.append(event("updated", task, seq, at, changes))
    await run("event", events, many=True)
    return tasks


async def login(run, given):
    [person] = await run("person", {"email": given["email"]})
    await asyncio.to_thread(HASHER.verify, person["password"].removeprefix("argon2"), given["password"])
    at, pk = now(), str(person["id"])
    session = {"id": str(uuid7()), "at": at, "person": pk, "expires_at": now(days=30), "jti": secrets.token_hex(16)}
    await run("session", session)
    await run("seen", {"at": at, "person": pk})
    claims = {"user_id": pk, "session": session["id"], "jti": session["jti"]}
    return {kind: jwt.encode(claims | {"token_type": kind}, "k" * 64) for kind in ("access", "refresh")}


CHANGES = {function.__name__: function for function in (create, patch, move, bulk, login)}


# --- The application ---


async def body_of(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return orjson.loads(body)


async def answer(scope, receive):
    name = scope["path"].strip("/")
    if name in CHANGES:
        given = await body_of(receive)
        async with database.transaction() as run:
            return await CHANGES[name](run, given)
    if name in statements.READS:
        asked = parse_qsl(scope["query_string"].decode())
        return await database.read(name, {key: int(value) if key in NUMBERS else value for key, value in asked})
    return None  # whoever asks whether this is up


async def application(scope, receive, send):
    body = as_json(await answer(scope, receive))
    await send({"type": "http.response.start", "status": 200, "headers": JSON_TYPE})
    await send({"type": "http.response.body", "body": body})


database = SQLite(URL.removeprefix("sqlite:///")) if URL.startswith("sqlite") else Postgres()
