"""Ask whether a database that fill.py filled is one that the application could have left, and goes on working on it.

    DATABASE_URL=… uv run python benchmarks/filled.py

The newest event of an object has to show it as GET does, no project's numbers may have a gap, and a task is made,
changed, moved and commented on, each of which the log has to tell. Exit code 1 where something is wrong.
"""

import json
import sys

import writers  # noqa: F401 which sets up Django
from client import Failure, check, tell
from django.db.models import Count, Max, Q
from django.test import Client

from accounts.models import User
from realtime.models import Event, Stream
from realtime.things import THINGS
from tasks.board import Board
from tasks.models import Task

SAMPLE = 300  # objects of each kind
SET_UP = 1_000  # events of a project, after which none tells of how it was made
API = "/api/v1/"


def check_numbers():
    """The log, the tasks and their places are numbered as the application numbers them."""
    heads = dict(Stream.objects.values_list("project_id", "head"))
    told = Event.objects.values_list("project_id").annotate(Max("seq"), Count("seq"))
    check(sorted(told) == sorted((pk, head, head) for pk, head in heads.items()), "A log has gaps")
    boards = dict(Board.objects.values_list("project_id", "last_number"))
    made = Task.objects.values_list("project_id").annotate(Max("number"), Count("number"))
    check(sorted(made) == sorted((pk, last, last) for pk, last in boards.items()), "Numbers of tasks have gaps")
    check(heads.keys() == boards.keys(), "A project has no log or no board")
    is_done, has_end = Q(status__category="done"), ~Q(completed_at=None)
    check(not Task.objects.filter(is_done & ~has_end | ~is_done & has_end).exists(), "A task's end is not its status's")
    tell(f"{sum(heads.values()):,} events and {sum(boards.values()):,} tasks in {len(heads)} projects have no gap")


def check_objects():
    """What the log says last of an object is what GET gives for it."""
    for model, thing in THINGS.items():
        keys = list(model.objects.order_by("pk").values_list("pk", flat=True))
        sample = keys[:: max(1, len(keys) // SAMPLE)]
        for row in model.objects.filter(pk__in=sample):
            events = Event.objects.filter(**thing.about(row), object_id=row.pk)
            if "task_id" not in thing.paths:
                events = events.filter(seq__lt=SET_UP)
            newest, shown = events.order_by("seq").last(), thing.show(row.pk)
            check(newest and newest.object == shown, f"{thing.name} is {shown}; the log: {newest and newest.object}")
        tell(f"{thing.name}: {len(sample)} of {len(keys):,} are as the log says")


class Person:
    """Somebody who asks the API, within this process."""

    def __init__(self, username="person-0"):
        user = User.objects.get(username=username)
        token = user.sessions.create().refresh_token().access_token
        self.client = Client(
            SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {token}", "X-Forwarded-Proto": "https"}
        )

    def call(self, method, path, body=None, *, expect=(200, 201, 204), **params):
        sent = "" if body is None else json.dumps(body)
        answer = self.client.generic(method, API + path, sent, "application/json", query_params=params)
        check(
            answer.status_code in expect, f"{method} {path} {params} gave {answer.status_code}: {answer.content[:500]}"
        )
        return answer.json() if answer.content else None


def check_writes():
    """People go on in each project as if they had always been there."""
    me = Person()
    projects = list(Board.objects.order_by("-last_number").values_list("project_id", "last_number"))[:3]
    for project, last in projects:
        cursor = me.call("GET", "events/", project=project)["cursor"]
        task = me.call("POST", "tasks/", {"project": str(project), "title": "One more"})
        check(task["number"] == last + 1, f"After {last} came {task['number']}")
        older = me.call("GET", "tasks/", project=project, offset=10, limit=1)["results"][0]
        me.call("PATCH", f"tasks/{older['id']}/", {"title": "Renamed"})
        me.call("POST", f"tasks/{older['id']}/move/", {"before": task["id"]})
        me.call("POST", "comments/", {"task": older["id"], "body": "Done."})
        told = [event["type"] for event in me.call("GET", "events/", project=project, after=cursor)["results"]]
        check(told == ["task.created", "task.updated", "task.updated", "comment.created"], f"The log tells {told}")
        found = me.call("GET", "tasks/", project=project, ordering="-position", limit=2)["results"]
        check([row["id"] for row in found] == [task["id"], older["id"]], "The board is out of order")
    tell(f"A task was made, changed, moved and commented on in {len(projects)} projects")


if __name__ == "__main__":
    try:
        check_numbers()
        check_objects()
        check_writes()
    except Failure as failure:
        sys.exit(str(failure))
