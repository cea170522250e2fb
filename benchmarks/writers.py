"""What the load benchmarks do to the database, all of it through the models: importing this sets up Django."""

import base64
import os
import random
import secrets
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import django
from serving import ROOT

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
warnings.filterwarnings("ignore", "No directory at", UserWarning)  # static files are not collected, nor asked for
# As an installation has it, not as development does: with DEBUG, Django keeps every query in memory.
os.environ |= {
    "ACCESS_TOKEN_MINUTES": "120",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DEBUG": "false",
    "DJANGO_SETTINGS_MODULE": "tickethub.settings",
    "ENV_FILE": os.devnull,
    "LOG_LEVEL": "WARNING",
    "PUBLIC_URL": "http://127.0.0.1",
    "PYTHONPATH": f"{ROOT}:{HERE}",
    "THROTTLING": "off",
}
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))  # the servers and the other processes inherit it
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 needs what the line above sets up
from django.db import connection, transaction  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from accounts.models import User  # noqa: E402
from comments.models import Comment  # noqa: E402
from projects.models import Membership, Project, Role  # noqa: E402
from realtime.models import Event, Stream  # noqa: E402
from tasks.models import Task  # noqa: E402

BATCH = 20  # changes in one transaction, where it does not matter
PASSWORD = secrets.token_urlsafe(16)


@cache
def hashed_password():
    return make_password(PASSWORD)


@dataclass(frozen=True)
class Scene:
    """A project, the access tokens and emails of its people, all with the one PASSWORD, and its tasks."""

    project: str
    tokens: list[str]
    emails: list[str]
    tasks: list[str]

    @classmethod
    def make(cls, people=1, tasks=BATCH):
        name = secrets.token_hex(4)
        users = [User(username=f"{name}-{n}", email=f"{name}-{n}@example.com") for n in range(people)]
        for user in users:
            user.password = hashed_password()
        User.objects.bulk_create(users)
        with transaction.atomic():
            project = Project.objects.create(key=f"L{name.upper()}", name="Load")
            for user in users:
                Membership.objects.create(project=project, user=user, role=Role.OWNER)
            made = [Task.objects.create(project=project, title=f"Task {n}", created_by=users[0]) for n in range(tasks)]
        tokens = [str(user.sessions.create().refresh_token().access_token) for user in users]
        return cls(str(project.pk), tokens, [user.email for user in users], [str(task.pk) for task in made])

    def head(self):
        return Stream.objects.get(pk=self.project).head

    def cursor(self):
        return Event.objects.of(self.project).last().cursor

    def rows(self):
        return list(Task.objects.filter(pk__in=self.tasks))

    def people(self):
        return list(User.objects.filter(email__in=self.emails))

    def author(self):
        return User.objects.get(email=self.emails[0])


def write_paced(scene, rate, seconds, length=0):
    """Change a task `rate` times a second, its description too where a `length` is given.

    Give `{seq: time.monotonic() right after the commit, before the bell}`. Nobody else may write to the project.
    """
    tasks, seq, committed = scene.rows(), scene.head(), {}
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0, began + number / rate - time.monotonic()))
        seq += 1
        with transaction.atomic():
            transaction.on_commit(lambda seq=seq: committed.setdefault(seq, time.monotonic()))
            retitle(tasks[number % len(tasks)], number, length)
    return committed


def retitle(task, number, length=0):
    task.title = f"Title {number} of this task"
    if length:
        task.description = base64.b64encode(random.randbytes(length * 3 // 4)).decode()
    task.save(update_fields=["title", "description"] if length else ["title"])


def write_ahead(scene, delivered, sockets, ahead, is_over):
    """Keep the log `ahead` events before what every socket got, until told that it is over."""
    tasks, written, before = scene.rows(), 0, delivered.value
    while not is_over.is_set():
        if written - (delivered.value - before) / sockets > ahead:
            time.sleep(0.002)
            continue
        with transaction.atomic():
            for task in tasks:
                written += 1
                retitle(task, written)


def write_bulk(scene, count, length):
    """Write so many changes of descriptions of `length` characters, each about three times as large as an event."""
    tasks = scene.rows()
    for first in range(0, count, len(tasks)):
        with transaction.atomic():
            for task in tasks[: count - first]:
                retitle(task, first, length)


# --- As many changes as can be, each in a transaction of its own ---


def change_title(scene, task, author, number):
    retitle(task, number)


def change_priority(scene, task, author, number):
    task.priority = Task.Priority.LOW if number % 2 else Task.Priority.HIGH
    task.save(update_fields=["priority"])


def save_whole(scene, task, author, number):
    task.title = f"Saved {number} times"
    task.save()


def create_task(scene, task, author, number):
    Task.objects.create(project=task.project, title=f"New {number}", created_by=author)


def create_comment(scene, task, author, number):
    Comment.objects.create(task=task, author=author, body=f"Comment {number}")


def mix(scene, task, author, number):
    kinds = [change_title, change_priority, save_whole, create_comment, create_task]
    kinds[number % len(kinds)](scene, task, author, number)


KINDS = {
    "title": change_title,
    "priority": change_priority,
    "save()": save_whole,
    "new comment": create_comment,
    "new task": create_task,
    "mix": mix,
}
start_line = None


def wait_at(barrier):
    """Set up a process of writers: they begin together."""
    global start_line
    start_line = barrier


def write_fast(scene, kind, place, seconds):
    """Write one kind of change for so long, on a task of one's own; give when it began and ended, and how many."""
    task, author = Task.objects.select_related("project").get(pk=scene.tasks[place]), scene.author()
    change, number = KINDS[kind], 0
    change(scene, task, author, number)  # opens what is opened once
    start_line.wait(60)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        number += 1
        change(scene, task, author, number)
    return began, time.monotonic(), number


def queries_of(scene, kind):
    """The statements that one change of this kind sends, without BEGIN and COMMIT."""
    task, author = Task.objects.select_related("project").get(pk=scene.tasks[0]), scene.author()
    with CaptureQueriesContext(connection) as captured:
        KINDS[kind](scene, task, author, 1)
    return [query["sql"] for query in captured.captured_queries if query["sql"] not in {"BEGIN", "COMMIT"}]
