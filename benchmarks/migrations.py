"""Migrations back to each app's first one and forward again, on many rows: nothing of them may change."""

import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from client import check
from report import note
from serving import ROOT
from topology import Topology

APPS = ("realtime", "comments", "tasks", "projects", "accounts")
FILL = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tickethub.management.demo import filling
filling.fill()
filling.logins()[0].sessions.create()
"""
# When each was applied, and what is counted anew, with other ids: what stood in several rows stands in one.
OTHER = {"django_migrations", "tasks_day", "tasks_share"}
OF_CHANCE = {"import_key"}  # a column that gets other values when it is made anew


class Postgres:
    """A database of our own on the server of the topology."""

    name, uuid, row = "PostgreSQL", "gen_random_uuid()", "ROW({})::text"
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

    def __init__(self, url):
        self.maintenance, database = url, f"tickethub_migrated_{secrets.token_hex(4)}"
        self.url, self.database = f"{url.rpartition('/')[0]}/{database}", database

    def manage(self, sql):
        with psycopg.connect(self.maintenance, autocommit=True) as connection:
            connection.execute(sql)

    @contextmanager
    def made(self):
        self.manage(f"CREATE DATABASE {self.database}")
        try:
            yield
        finally:
            self.manage(f"DROP DATABASE {self.database} WITH (FORCE)")

    @contextmanager
    def open(self):
        with psycopg.connect(self.url) as connection:
            yield connection

    @staticmethod
    def stream(connection, sql):
        """The rows of a query, without holding all of them."""
        with connection.cursor("stream") as cursor:
            cursor.itersize = 20_000
            yield from cursor.execute(sql)


class SQLite:
    name, uuid, row = "SQLite", "lower(hex(randomblob(16)))", "{}"
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"

    @contextmanager
    def made(self):
        with tempfile.TemporaryDirectory(prefix="tickethub-migrated-") as folder:
            self.path = Path(folder) / "db.sqlite3"
            self.url = f"sqlite:///{self.path}"
            yield

    @contextmanager
    def open(self):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection

    @staticmethod
    def stream(connection, sql):
        return connection.execute(sql)


# --- Many rows ---


def one(connection, sql):
    return connection.execute(sql).fetchone()


def names_of(connection, table):
    return [column[0] for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description]


def copy(connection, table, template, source, **other):
    """Insert a copy of a row for each row s of a source, all in SQL, each but for what `other` says."""
    names = names_of(connection, table)
    values = ", ".join(other.get(name, f"t.{name}") for name in names)
    rows = f"SELECT {values} FROM {table} t, ({source}) s WHERE t.id = '{template}'"
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) {rows}")


def numbers(count):
    return f"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT n FROM r"


def fill(kind, count):
    """Beside the demo's rows make so many tasks and events of them, past the recorder, and a tenth as many sessions."""
    with kind.open() as connection:
        task, project = one(connection, "SELECT id, project_id FROM tasks_task ORDER BY number DESC LIMIT 1")
        (last,) = one(connection, f"SELECT last_number FROM tasks_board WHERE project_id = '{project}'")
        (head,) = one(connection, f"SELECT head FROM realtime_stream WHERE project_id = '{project}'")
        (event,) = one(
            connection, f"SELECT id FROM realtime_event WHERE object_id = '{task}' AND type = 'task.created'"
        )
        (session,) = one(connection, "SELECT id FROM accounts_session")
        copy(connection, "accounts_session", session, numbers(count // 10), id=kind.uuid)
        place = {"number": f"{last} + s.n", "position": "CAST(6000000000 + s.n AS text)"}
        copy(connection, "tasks_task", task, numbers(count), id=kind.uuid, title="'Task ' || s.n", **place)
        made = f"SELECT id, number - {last} AS n FROM tasks_task WHERE project_id = '{project}' AND number > {last}"
        told = {"seq": f"{head} + s.n", "object_id": "s.id", "task_id": "s.id"}
        copy(connection, "realtime_event", event, made, id=kind.uuid, **told)
        connection.execute(f"UPDATE realtime_stream SET head = head + {count} WHERE project_id = '{project}'")
        connection.execute(f"UPDATE tasks_board SET last_number = last_number + {count} WHERE project_id = '{project}'")


def contents(kind):
    """`{table: (how many rows, what they hold)}`."""
    found = {}
    with kind.open() as connection:
        for (table,) in connection.execute(kind.tables).fetchall():
            if table not in OTHER:
                count, total = 0, 0
                columns = ", ".join(name for name in names_of(connection, table) if name not in OF_CHANCE)
                for row in kind.stream(connection, f"SELECT {kind.row.format(columns)} FROM {table}"):
                    count, total = count + 1, total + hash(row)
                found[table] = count, total
    return found


# --- There and back ---


def targets(place):
    """`{app: a migration}` of each app that has several: 0 is its first, -1 its newest."""
    names = {app: sorted(path.stem for path in (ROOT / app / "migrations").glob("[0-9]*.py")) for app in APPS}
    return {app: some[place] for app, some in names.items() if len(some) > 1}


@dataclass(frozen=True)
class Migrations:
    tasks: int = 1_000_000
    on_sqlite: int = 20_000

    def run(self, report):
        settings = Topology.started().settings
        for kind, count in ((Postgres(settings["DATABASE_URL"]), self.tasks), (SQLite(), self.on_sqlite)):
            with kind.made():
                self.go_back_and_forth(report, kind, count, settings | {"DATABASE_URL": kind.url})

    def go_back_and_forth(self, report, kind, count, settings):
        def manage(*arguments):
            began = time.monotonic()
            command = [sys.executable, "manage.py", *arguments]
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True)
            check(done.returncode == 0, f"{' '.join(arguments)} failed: {done.stderr[-1000:]}")
            return time.monotonic() - began

        def there_and_back(targets):
            """Give the seconds of each way, and what was in the database at the far end."""
            back = sum(manage("migrate", "-v0", app, name) for app, name in targets.items())
            there = contents(kind)
            return back, manage("migrate", "-v0"), there

        manage("shell", "-v0", "-c", FILL)
        began = time.monotonic()
        fill(kind, count)
        name = f"migrations on {kind.name}"
        note(f"{name}: filled with {count:,} tasks and as many events in {time.monotonic() - began:.0f} s")
        before = contents(kind)
        check(before["tasks_task"][0] > count < before["realtime_event"][0], "The rows are missing")

        back, forward, there = there_and_back(one_back := targets(-2))
        after = contents(kind)
        kept = all(after[table][0] == before[table][0] for table in there)
        words = (
            f"{' '.join(f'{app} {to}' for app, to in one_back.items())} in {back:.1f} s, and forward in {forward:.1f} s"
        )
        report.true(f"{name}, before each app's newest", kept and after.keys() == before.keys(), words)

        back, forward, there = there_and_back(targets(0))
        again = contents(kind)
        lost = after.keys() - there.keys()
        harmed = [table for table in there if again.get(table) != after.get(table)]
        note(f"{name}: away with the migration that made them, and empty again: {', '.join(sorted(lost))}")
        words = f"back in {back:.1f} s, forward in {forward:.1f} s; changed: {', '.join(harmed) or 'nothing'}"
        report.true(f"{name}, to each app's first", not harmed and again.keys() == after.keys(), words)
