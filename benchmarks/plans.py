"""See that no usual call has PostgreSQL read a whole table of tasks, comments or events.

    DATABASE_URL=postgres://… uv run python benchmarks/plans.py [--analyze]

Asks the million tasks that fill.py made what people ask most, in this process, and has each statement explained that
reads a row. Exit code 1 where one of TABLES is read from its beginning to its end. With `--analyze` it has each run,
too, and prints how long PostgreSQL alone works for a call: to plan its statements, and to execute them, the third time.
"""

import argparse
import json
import sys

import writers  # noqa: F401 which sets up Django
from asked import API, World, get
from client import Failure, check, tell
from django.db import connection
from django.test import Client

TABLES = {"tasks_task", "comments_comment", "realtime_event"}


def calls(world):
    """What is asked of the largest project and of all of them, by name."""
    project, task = str(world.largest.pk), world.sample(world.largest, 1)[0]
    ours = [*world.everything(), world.page(world.largest), world.far_in(world.largest), world.board(world.largest)]
    ours += [world.filtered(world.largest), world.search(world.largest), world.events(world.largest)]
    yield from ((f"{place}: {asked.name}", asked.ours[0]) for place, asked in enumerate(ours) if not asked.writes)
    filters = {
        "of a status": {"status": "done"},
        "column of the board": {"status": "todo", "ordering": "position"},
        "of nobody": {"assignee": "none"},
        "made by one": {"created_by": world.person},
        "children": {"parent": task},
        "of a key": {"search": f"{world.largest.key}-77"},
        "changed since": {"updated_after": "2100-01-01T00:00:00Z"},
        "by priority": {"ordering": "-priority"},
    }
    for name, asked in filters.items():
        yield name, get(f"{API}tasks/", project=project, **asked)
    yield "all tasks", get(f"{API}tasks/")
    yield "my tasks here", get(f"{API}tasks/", project=project, assignee="me")
    yield "by key", get(f"{API}tasks/{world.largest.key}-77/")
    yield "relations of a task", get(f"{API}relations/", task=task)
    yield "events of a task", get(f"{API}events/", project=project, task=task)
    for name in ("projects", "memberships", "invitations", "statuses", "labels", "users"):
        yield name, get(f"{API}{name}/")


def statements(client, method, path):
    """The statements that a call sends, with their parameters."""
    sent = []

    def keep(execute, sql, params, many, context):
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        answer = client.generic(method, path)
    check(answer.status_code == 200, f"{path} gave {answer.status_code}: {answer.content[:300]}")
    return [each for each in sent if each[0].startswith("SELECT")]


def scanned(plan):
    """The tables that a plan reads whole."""
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*map(scanned, plan.get("Plans", [])))


def explained(sql, params, options=()):
    """What PostgreSQL tells of a statement; with ANALYZE among the options it runs it, and tells how long that took."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({', '.join(['FORMAT JSON', *options])}) {sql}", params)
        [plan] = cursor.fetchone()[0]
    return plan


def work(sent):
    """How many milliseconds PostgreSQL plans and executes these statements, what it needs in memory by then."""
    for _ in range(3):
        plans = [explained(*each, ["ANALYZE", "TIMING OFF"]) for each in sent]
    return [sum(plan[f"{what} Time"] for plan in plans) for what in ("Planning", "Execution")]


def main(analyzes):
    world, failures = World(), 0
    client = Client(SERVER_NAME="127.0.0.1", headers=world.headers | {"X-Forwarded-Proto": "https"})
    for name, (method, path, _) in calls(world):
        sent = statements(client, method, path) if method == "GET" else []
        for sql, params in sent:
            plan = explained(sql, params)
            if found := TABLES & scanned(plan["Plan"]):
                failures += 1
                tell(f"{name} reads all of {', '.join(found)}: {json.dumps(plan)[:200]} of {sql[:300]}")
        times = "to plan {:.1f} ms, to execute {:.1f} ms".format(*work(sent)) if analyzes else ""
        tell(f"looked at: {name:40} {times}".rstrip())
    check(not failures, f"{failures} statements read a whole table")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--analyze", action="store_true", help="print how long PostgreSQL works for each call")
    try:
        main(parser.parse_args().analyze)
    except Failure as failure:
        sys.exit(str(failure))
