"""Back up and restore by the very commands of docs/operations.md, while people write. Exit code 1 where it is wrong.

    uv run python benchmarks/backup.py
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/backup.py

What a backup holds has to be one moment: rows and log agree, no event is missing, no reference leads nowhere; and one
made in silence has to hold all. Then clients come back with cursors of before the backup, and of after it. It makes
databases of its own, tickethub_backed_up and tickethub_restored on PostgreSQL, and drops them in the end.

On PostgreSQL an installation on SQLite moves there besides, and nobody who was logged in or connected notices.
"""

import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
from client import Failure, check, tell
from processes import servers
from serving import ROOT
from websockets.sync.client import connect

SOURCE, RESTORED = "tickethub_backed_up", "tickethub_restored"
FILL = """
from tickethub.management.demo import filling
filling.fill()
print(filling.PASSWORD, filling.logins()[0].email)
"""
PART = re.compile(r"<!-- (\w+ \w+) -->\n\n((?:    .*\n)+)")
COPIES = {"postgres": "tickethub.dump", "sqlite": "tickethub.sqlite3"}
THINGS = {"task": ("tasks_task", "title"), "comment": ("comments_comment", "body")}


# --- The two kinds of database ---


class Postgres:
    """Databases of our own on the server that DATABASE_URL names."""

    name = "postgres"

    def __init__(self, folder):
        self.maintenance = os.environ["DATABASE_URL"]
        self.url, self.restored_url = (self.maintenance.rpartition("/")[0] + f"/{name}" for name in (SOURCE, RESTORED))
        self.drop()
        self.run(f"CREATE DATABASE {SOURCE}")

    def run(self, sql):
        with psycopg.connect(self.maintenance, autocommit=True) as connection:
            connection.execute(sql)

    def drop(self, *names):
        for name in names or (SOURCE, RESTORED):
            self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def clear(self):
        """Make a new database, as whoever restores has to."""
        self.drop(RESTORED)
        self.run(f"CREATE DATABASE {RESTORED}")

    @contextmanager
    def open(self, url):
        with psycopg.connect(url) as connection:
            yield connection

    TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

    def check_references(self, connection):
        unchecked = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
        check(not rows(connection, unchecked), "a foreign key was not checked")
        check(rows(connection, "SELECT 1 FROM pg_constraint WHERE contype = 'f'"), "the foreign keys are gone")


class SQLite:
    name = "sqlite"

    def __init__(self, folder):
        self.folder = folder
        self.url = f"sqlite:///{folder}/db.sqlite3"
        self.restored_url = f"sqlite:///{folder}/restored/db.sqlite3"

    def drop(self):
        pass

    def clear(self):
        """Leave where the restore is to be what a crash leaves: a database, and beside it what was written last."""
        restored = self.folder / "restored"
        restored.mkdir(exist_ok=True)
        path, beside = restored / "db.sqlite3", restored / "db.sqlite3-wal"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE left_behind (it)")
            left = beside.read_bytes()
        beside.write_bytes(left)

    @contextmanager
    def open(self, url):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            yield connection

    TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"

    def check_references(self, connection):
        check(not rows(connection, "PRAGMA foreign_key_check"), "a reference leads nowhere")
        check(rows(connection, "PRAGMA integrity_check") == [("ok",)], "the file is broken")


def rows(connection, sql):
    return connection.execute(sql).fetchall()


# --- The commands of the documentation ---


def documented(part):
    """The commands of a part of docs/operations.md."""
    return re.sub("^    ", "", dict(PART.findall((ROOT / "docs/operations.md").read_text()))[part], flags=re.M)


def follow(part, folder, **environment):
    """Do what the documentation says, in a folder. uv finds the project, and leaves its environment as it is."""
    uv = {"UV_PROJECT": str(ROOT), "UV_NO_SYNC": "1"}
    password = {"PGPASSWORD": urlsplit(environment["DATABASE_URL"]).password or ""}
    without = {name: re.sub("://([^:/@]*):[^/]*@", r"://\1@", url) for name, url in environment.items()}
    began = time.monotonic()
    subprocess.run(
        ["bash", "-euc", documented(part)], cwd=folder, env={**os.environ, **uv, **password, **without}, check=True
    )
    tell(f"{part}: {time.monotonic() - began:.1f} s")


def back_up(kind, folder):
    """Give a backup, made in a folder."""
    copy = folder / COPIES[kind.name]
    copy.unlink(missing_ok=True)
    follow(f"backup {kind.name}", folder, DATABASE_URL=kind.url)
    check(copy.stat().st_mode & 0o077 == 0, "others may read the backup")
    return copy.read_bytes()


def restore(kind, folder, backup):
    kind.clear()
    target = folder / "restored" if kind.name == "sqlite" else folder
    (target / COPIES[kind.name]).write_bytes(backup)
    follow(f"restore {kind.name}", target, DATABASE_URL=kind.url, RESTORED_URL=kind.restored_url)


# --- What a database holds ---


def contents(kind, url):
    """`{table: rows}` and `{project: head}`, once it is sure that they are of one moment."""
    with kind.open(url) as connection:
        tables = [name for (name,) in rows(connection, kind.TABLES)]
        counts = {name: rows(connection, f"SELECT count(*) FROM {name}")[0][0] for name in tables}
        heads = dict(rows(connection, "SELECT project_id, head FROM realtime_stream"))
        spans = "SELECT project_id, min(seq), max(seq), count(*) FROM realtime_event GROUP BY project_id"
        for project, first, last, count in rows(connection, spans):
            check(last == heads[project], f"the log of {project} ends at {last}, its head is {heads[project]}")
            check(count == last - first + 1, f"of the log of {project} something is missing")
        for thing, (table, field) in THINGS.items():
            check_against_log(connection, thing, table, field)
        kind.check_references(connection)
    return counts, heads


def check_against_log(connection, thing, table, field):
    """The rows have to be what the newest event of each says."""
    told = {}
    newest = f"SELECT object_id, object FROM realtime_event WHERE type LIKE '{thing}.%' ORDER BY project_id, seq"
    for pk, shown in rows(connection, newest):
        told[uuid.UUID(str(pk))] = json.loads(shown) if isinstance(shown, str) else shown
    held = {uuid.UUID(str(pk)): text for pk, text in rows(connection, f"SELECT id, {field} FROM {table}")}
    for pk, text in held.items():
        check(told[pk][field] == text, f"the {thing} {pk} is not as the log has it")
    lost = [pk for pk, shown in told.items() if shown and pk not in held]
    check(len(lost) == 0 or thing == "comment", f"the log has tasks that are not there: {lost[:3]}")


# --- People who write, and come back ---


class Person:
    def __init__(self, url, email, password):
        self.http = httpx.Client(base_url=f"{url}/api/v1/", timeout=60, trust_env=False)
        self.access = self.ask("POST", "auth/token/", json={"email": email, "password": password}).json()["access"]
        self.go_to(url)

    def go_to(self, url):
        self.url = url
        self.http = httpx.Client(
            base_url=f"{url}/api/v1/", timeout=60, trust_env=False, headers={"Authorization": f"Bearer {self.access}"}
        )

    def ask(self, method, path, expect=(200, 201, 204), **options):
        answer = self.http.request(method, path, **options)
        check(answer.status_code in expect, f"{method} {path} gave {answer.status_code}: {answer.text[:500]}")
        return answer

    def start_project(self):
        key = "B" + secrets.token_hex(3).upper()
        self.project = self.ask("POST", "projects/", json={"key": key, "name": "Written to"}).json()["id"]

    def write(self):
        task = self.ask("POST", "tasks/", json={"project": self.project, "title": secrets.token_hex(8)}).json()["id"]
        self.ask("POST", "comments/", json={"task": task, "body": secrets.token_hex(8)})
        self.ask("PATCH", f"tasks/{task}/", json={"title": secrets.token_hex(8)})

    def events(self, after=None, **options):
        params = {"project": self.project, "limit": 100} | ({"after": after} if after else {})
        return self.ask("GET", "events/", params=params, **options).json()

    def cursor(self):
        return self.events()["cursor"]

    def subscribe(self, after):
        """What a WebSocket hears that comes back with a cursor: the answer, and the next frame of an event."""
        with connect(self.url.replace("http", "ws", 1) + "/ws/v1/", proxy=None) as line:
            line.send(json.dumps({"type": "authenticate", "token": self.access}))
            line.recv(20)
            line.send(json.dumps({"type": "subscribe", "project": self.project, "after": after}))
            answer = json.loads(line.recv(20))
            return answer, json.loads(line.recv(20)) if answer["type"] == "subscribed" else None


class Writing:
    """Somebody who writes for as long as this is entered."""

    def __init__(self, person):
        self.person, self.count, self.failure, self.is_over = person, 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.is_over.is_set():
                self.person.write()
                self.count += 1
        except Exception as error:
            self.failure = error

    def wait_for(self, more):
        goal, deadline = self.count + more, time.monotonic() + 60
        while self.count < goal:
            check(self.failure is None and time.monotonic() < deadline, f"nobody writes: {self.failure!r}")
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.thread.join()


def check_cursors(person, old, lost):
    """Come back with a cursor that the backup has, and with one of what was written after it."""
    number = int(lost.partition(".")[0])
    check(int(person.cursor().partition(".")[0]) < number, "the backup has what was written after it")
    for turn in ("behind it", "past it"):
        seqs = [event["seq"] for event in person.events(old)["results"]]
        first = int(old.partition(".")[0]) + 1
        check(seqs == list(range(first, first + len(seqs))), f"{old} did not go on without a gap: {seqs}")
        answer, event = person.subscribe(old)
        check(answer["type"] == "subscribed" and event["seq"] == first, f"{old} did not go on: {answer}, {event}")
        check(person.events(lost, expect=[410])["code"] == "resync", f"{lost} was not told to load anew")
        check(person.subscribe(lost)[0]["type"] == "resync", f"{lost} was not told to load anew by its socket")
        tell(f"With the log {turn}, {old} goes on, and {lost} is told to load anew")
        while int(person.cursor().partition(".")[0]) <= number:
            person.write()


# --- All of it ---


def manage(url, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def fill(kind, environment):
    """Make what the demo has; give the password and the address of somebody in it."""
    manage(kind.url, "migrate", "-v0", **environment)
    return manage(kind.url, "shell", "-v0", "-c", FILL, **environment).split()


def try_out(kind, folder, environment):
    password, email = fill(kind, environment)
    with servers(1, DATABASE_URL=kind.url, **environment) as [server], kind.open(kind.url) as reader:
        rows(reader, "SELECT * FROM realtime_stream")  # while somebody reads, SQLite leaves the news beside its file
        person = Person(server.url, email, password)
        person.start_project()
        with Writing(person) as writing:
            writing.wait_for(3)
            old = person.cursor()
            writing.wait_for(2)
            backup = back_up(kind, folder)
            writing.wait_for(5)
        tell(f"Meanwhile {writing.count} rounds were written")
        lost = person.cursor()
        in_silence, before = back_up(kind, folder), contents(kind, kind.url)
    restore(kind, folder, in_silence)
    check(contents(kind, kind.restored_url) == before, "a backup made in silence does not hold what was there")
    counts, heads = before
    tell(f"Restored {sum(counts.values())} rows of {len(counts)} tables, {len(heads)} logs: counts and heads are equal")
    restore(kind, folder, backup)
    counts, heads = contents(kind, kind.restored_url)
    tell(f"Of the one made meanwhile: {sum(counts.values())} rows, in agreement with {len(heads)} logs without a gap")
    with servers(1, DATABASE_URL=kind.restored_url, **environment) as [server]:
        person.go_to(server.url)
        check_cursors(person, old, lost)
        Person(server.url, email, password)  # a new login, whose rows take new numbers


def move(kind, folder, environment):
    """Get from SQLite to PostgreSQL."""
    small = SQLite(folder)
    password, email = fill(small, environment)
    with servers(1, DATABASE_URL=small.url, **environment) as [server]:
        person = Person(server.url, email, password)
        person.start_project()
        old = person.cursor()
        person.write()
        events, cursor = person.events(old)["results"], person.cursor()
    (folder / "manage.py").symlink_to(ROOT / "manage.py")
    kind.clear()
    for part, url in ("move out", small.url), ("move in", kind.restored_url):
        follow(part, folder, DATABASE_URL=url, **environment)
    (counts, heads), (before, heads_before) = contents(kind, kind.restored_url), contents(small, small.url)
    check({name: counts[name] for name in before} == before, f"{before} became {counts}")
    check(sorted(heads.values()) == sorted(heads_before.values()), "the heads of logs are others")
    with servers(1, DATABASE_URL=kind.restored_url, **environment) as [server]:
        person.go_to(server.url)
        check(person.events(old)["results"] == events, "the log is another")
        person.write()
        check(person.subscribe(cursor)[1]["seq"] == int(cursor.partition(".")[0]) + 1, f"{cursor} did not go on")
    tell(f"Moved {sum(before.values())} rows of {len(before)} tables from SQLite: the same tokens and cursors go on")


def main():
    environment = {"DEBUG": "true", "ENV_FILE": os.devnull, "THROTTLING": "off", "LOG_LEVEL": "ERROR"}
    environment["SECRET_KEY"] = secrets.token_urlsafe(48)
    with tempfile.TemporaryDirectory(prefix="tickethub-backup-") as name:
        kind = (Postgres if os.environ.get("DATABASE_URL", "").startswith("postgres") else SQLite)(Path(name))
        try:
            try_out(kind, Path(name), environment)
            if kind.name == "postgres":
                move(kind, Path(name), environment)
        except (Failure, subprocess.CalledProcessError, psycopg.Error, sqlite3.Error) as failure:
            sys.exit(f"FAILED on {kind.name}: {failure}")
        finally:
            with suppress(psycopg.Error):
                kind.drop()
    tell(f"Backup and restore on {kind.name}: all as promised")


if __name__ == "__main__":
    main()
