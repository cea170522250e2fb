"""Fill a database with what two years of use would have left in it, past the application but as it would have been.

    DATABASE_URL=postgres://… uv run python benchmarks/fill.py --size large
    DATABASE_URL=sqlite:///… uv run python benchmarks/fill.py --size small
    … benchmarks/fill.py --tasks 20000 --projects 3 --largest 10000 --events 100000 --people 50

`small` is 5,000 tasks in one project; `large` is a million in 200, one of which has 200,000 and one 5,000, with ten
million events and 500 people. The same seed gives the same rows. Everybody is person-N@example.com with PASSWORD;
person-0 is in every project. The tables have to be empty; they are made where there are none. All comes in one
transaction.
"""

import argparse
import heapq
import os
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import islice

import psycopg
import writers  # noqa: F401 which sets up Django
from client import tell
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connections
from history import Chance, History, people
from report import migrate

SEED = 1
PASSWORD = "a-password-for-benchmarks"
BATCH = 20_000  # rows that are made, and then written while the next are made
USER = "id username email first_name last_name date_joined password is_superuser is_staff is_active"
TASK = "id created_at number title description priority due_date position version updated_at completed_at"
EVENT = "id project_id seq nonce type object_id at actor_id request_id changes object task_id other_task_id user_id"
TABLES = {
    "accounts_user": USER,
    "projects_project": "id key name description archived_at created_at updated_at import_key",
    "projects_status": "id project_id slug name category position is_default created_at",
    "projects_membership": "id project_id user_id role created_at",
    "projects_label": "id project_id name color created_at",
    "tasks_board": "project_id last_number",
    "tasks_task": f"{TASK} created_by_id parent_id project_id status_id",
    "tasks_task_assignees": "task_id user_id",
    "tasks_task_labels": "task_id label_id",
    "tasks_taskrelation": "id source_id target_id type created_at",
    "comments_comment": "id task_id author_id body edited_at created_at updated_at",
    "realtime_stream": "project_id head",
    "realtime_event": EVENT,
}
COLUMNS = {table: names.split() for table, names in TABLES.items()}


@dataclass(frozen=True)
class Size:
    tasks: int
    projects: int
    largest: int
    events: int
    people: int

    def projects_of(self):
        """`{key: how many tasks}`: the largest, one of 5,000 where there is room for it, and a long tail."""
        if self.projects == 1:
            return {"BIG": self.tasks}
        ordinary = min(5_000, (self.tasks - self.largest) // (self.projects - 1))
        sizes, left = {"BIG": self.largest, "ORD": ordinary}, self.tasks - self.largest - ordinary
        weights = [(place + 5) ** -0.6 for place in range(self.projects - 2)]
        others = {f"P{place:03}": int(left * weight / sum(weights)) for place, weight in enumerate(weights)}
        if others:
            others["P000"] += left - sum(others.values())
        return sizes | others


SIZES = {
    "small": Size(tasks=5_000, projects=1, largest=5_000, events=50_000, people=50),
    "large": Size(tasks=1_000_000, projects=200, largest=200_000, events=10_000_000, people=500),
}


def everything(size, seed):
    """Give `(table, row)` of all there is, in the order of time."""
    password, everybody = make_password(PASSWORD), list(people(seed, size.people))
    for person in everybody:
        yield "accounts_user", (*person.values(), password, False, False, True)
    chance, histories = Chance(seed), []
    for key, tasks in size.projects_of().items():
        share = 0.5 if key == "BIG" else 0.02 + 0.18 * chance.random() ** 2
        others = chance.sample(everybody[1:], max(2, int(share * (size.people - 1))))
        members = [*others[:2], everybody[0], *others[2:]]
        chance.shuffle(members)
        histories.append(History(seed, key, tasks, size.events * tasks // size.tasks, members))
    for _, table, row in heapq.merge(*histories, key=lambda change: change[0]):
        yield table, row


# --- Databases ---


class Postgres:
    def __init__(self, url):
        self.connection = psycopg.connect(url)

    def write(self, table, rows):
        with self.connection.cursor().copy(f"COPY {table} ({', '.join(COLUMNS[table])}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def finish(self):
        self.connection.commit()
        self.connection.autocommit = True
        self.connection.execute("VACUUM (ANALYZE)")

    def close(self):
        self.connection.close()


class SQLite:
    def __init__(self, path):
        self.connection = sqlite3.connect(path, check_same_thread=False)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.kept = {table: [how_kept(name) for name in names] for table, names in COLUMNS.items()}

    def write(self, table, rows):
        """Write rows, as Django keeps their ids and times in SQLite."""
        marks = ", ".join("?" * len(COLUMNS[table]))
        kept = [(place, change) for place, change in enumerate(self.kept[table]) if change]
        self.connection.executemany(
            f"INSERT INTO {table} ({', '.join(COLUMNS[table])}) VALUES ({marks})", (keep(row, kept) for row in rows)
        )

    def finish(self):
        self.connection.commit()
        self.connection.execute("ANALYZE")
        self.connection.execute("PRAGMA journal_mode = WAL")

    def close(self):
        self.connection.close()


def how_kept(column):
    if column == "request_id":
        return None
    if column == "id" or column.endswith("_id") or column == "created_by_id":
        return lambda value: value.replace("-", "")
    if column == "at" or column.endswith("_at") or column == "date_joined":
        return lambda value: value.replace("T", " ")[:-1]
    return None


def keep(row, kept):
    row = list(row)
    for place, change in kept:
        if row[place] is not None:
            row[place] = change(row[place])
    return row


def database():
    here = settings.DATABASES["default"]
    if here["ENGINE"].endswith("sqlite3"):
        return SQLite(here["NAME"])
    return Postgres(os.environ["DATABASE_URL"])


def fill(size, seed=SEED):
    """Fill the database that DATABASE_URL names. Gives how many rows each table got."""
    migrate()
    connections.close_all()  # or SQLite would not let go of its journal
    counts = Counter()
    with closing(database()) as target, ThreadPoolExecutor(1) as writer:
        if target.connection.execute("SELECT 1 FROM accounts_user LIMIT 1").fetchone():
            sys.exit("This database is in use already")

        def write(rows_of):
            for table in TABLES:
                if rows := rows_of.get(table):
                    target.write(table, rows)
                    counts[table] += len(rows)

        rows, written = everything(size, seed), writer.submit(write, {})
        while batch := list(islice(rows, BATCH)):
            held = defaultdict(list)
            for table, row in batch:
                held[table].append(row)
            written.result()  # at most one batch is being written while the next one is made
            written = writer.submit(write, held)
        written.result()
        target.finish()
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=SEED)
    for field in fields(Size):
        parser.add_argument(f"--{field.name}", type=int, metavar="N")
    options = parser.parse_args()
    given = {field.name: value for field in fields(Size) if (value := getattr(options, field.name))}
    size = Size(**{**vars(SIZES[options.size]), **given})
    began = time.monotonic()
    for table, count in fill(size, options.seed).items():
        tell(f"{count:>12,}  {table}")
    tell(f"{time.monotonic() - began:>12,.0f}  seconds")


if __name__ == "__main__":
    main()
