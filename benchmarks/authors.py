"""Who changes projects while chaos.py breaks things: by REST, in the admin, and by code that often rolls back.

Each `write_…` is for a process of its own. It writes for so many seconds, about `pace` seconds apart, and gives what it
did as a Counter. Refusals and lost answers are to be expected; an answer of 500 or more is counted as a `failure`.
"""

import asyncio
import os
import random
import secrets
import signal
import time
from collections import Counter

import httpx
import writers
from client import Api, Failure
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, transaction
from smoke import Writer
from tickethub_client import ApiError, TicketHub

from comments.models import Comment
from projects.models import Label, Status
from tasks.models import Task


def named():
    return secrets.token_hex(4)


# --- REST ---


class Lost(Exception):
    """This change did not go through, or nobody knows."""


class RoughApi(Api):
    """REST as one person, by any of several servers of which some are dead."""

    def __init__(self, urls, access):
        super().__init__(urls)
        self.http = httpx.AsyncClient(timeout=20, trust_env=False)
        self.hub = TicketHub(urls, http=self.http, access=access)

    async def call(self, method, path, body=None, *, expect=None, headers=None, **params):
        try:
            answer = await self.hub.request(method, path, json=body, params=params, headers=headers)
        except ApiError as refusal:
            self.done["failure" if refusal.status >= 500 else "refused"] += 1
            if refusal.status >= 500:
                print(f"{method} {path}: {refusal.status} {refusal.code}, {refusal.detail[:300]}", flush=True)
            raise Lost from refusal
        except httpx.TransportError as error:
            self.done["answer lost"] += 1
            raise Lost from error
        if method != "GET":
            self.done["by REST, in bulk" if path == "tasks/bulk/" else "by REST"] += 1
        return answer


class RoughWriter(Writer):
    """One who is not alone: what there was a moment ago may be gone."""

    async def bulk(self, name):
        page = (await self.api.call("GET", "tasks/", project=self.project, limit=9)).json()
        ids = [row["id"] for row in page["results"]]
        await self.change("POST", "tasks/bulk/", {"ids": ids, "set": {"title": name, "priority": "low", "labels": []}})
        await self.change("POST", "tasks/bulk/", {"ids": ids[:1], "delete": True})


async def rest(scene, urls, seconds, pace):
    api = RoughApi(urls, scene.tokens[0])
    api.me = (await api.call("GET", "users/me/")).json()
    writer = RoughWriter(api, scene.project, {"labels/": [], "statuses/": [], "tasks/": list(scene.tasks)})
    end = time.monotonic() + seconds
    acts = [writer.labels, writer.tasks, writer.bulk, writer.comments, writer.statuses, writer.relations]
    while time.monotonic() < end:
        try:
            await random.choice(acts)(named())
        except (Lost, IndexError):  # the latter where nothing is left to choose from
            api.done["acts cut short"] += 1
        await asyncio.sleep(random.random() * 2 * pace)
    await api.http.aclose()
    return api.done


def write_by_rest(scenes, urls, seconds, pace):
    async def write_to_all():
        return await asyncio.gather(*(rest(scene, urls, seconds, pace * len(scenes)) for scene in scenes))

    return sum(asyncio.run(write_to_all()), Counter())


# --- The admin ---


class Clerk:
    """A member of the staff, in the admin of any of several servers."""

    def __init__(self, urls):
        self.scene, self.urls, self.done = None, urls, Counter()
        self.browser = httpx.Client(timeout=20, trust_env=False)
        name = f"clerk-{named()}"
        get_user_model().objects.create_superuser(username=name, email=f"{name}@example.com", password=name)
        self.log_in({"username": f"{name}@example.com", "password": name})

    def log_in(self, who):
        for _ in range(20):  # a server may be killed meanwhile
            self.post("login/", who)
            if "sessionid" in self.browser.cookies:
                return
            time.sleep(0.5)
        raise Failure("The admin lets nobody in")

    def post(self, path, form):
        url = f"{random.choice(self.urls)}/admin/{path}"
        try:
            if "csrftoken" not in self.browser.cookies:
                self.browser.get(f"{url.partition('/admin/')[0]}/admin/login/")
            answer = self.browser.post(url, data={**form, "csrfmiddlewaretoken": self.browser.cookies["csrftoken"]})
        except httpx.TransportError:
            self.done["answer lost"] += 1
            return
        if answer.status_code >= 500:
            self.done["failure"] += 1
            print(f"POST {url}: {answer.status_code}, {answer.text[:300]}", flush=True)
        else:  # a redirect means done, a page shows what was wrong
            self.done["by the admin" if answer.status_code == 302 else "refused"] += 1

    def act(self, path, action, rows):
        """Do something to rows that are ticked in a list."""
        self.post(path, {"action": action, "_selected_action": [str(row) for row in rows], "post": "yes"})

    def some(self, model):
        return list(model.objects.filter(project=self.scene.project).order_by("?").values_list("pk", flat=True)[:2])

    def labels(self):
        self.post("projects/label/add/", {"project": self.scene.project, "name": named(), "color": "#abcdef"})
        if some := self.some(Label):
            self.post(f"projects/label/{some[0]}/change/", {"name": named(), "color": "#123456"})
            self.act("projects/label/", "delete_selected", some)

    def statuses(self):
        self.act("projects/status/", "make_default", self.some(Status)[:1])

    def tasks(self):
        if some := self.some(Task):
            self.post("comments/comment/add/", {"task": some[0], "body": named()})
            self.act("tasks/task/", "delete_selected", some[:1])


def write_in_admin(scenes, urls, seconds, pace):
    clerk, end = Clerk(urls), time.monotonic() + seconds
    while time.monotonic() < end:
        clerk.scene = random.choice(scenes)
        random.choice([clerk.labels, clerk.statuses, clerk.tasks])()
        time.sleep(random.random() * 2 * pace)
    return clerk.done


# --- Code, as in a shell ---


class Undone(Exception):
    """What was written is not to be."""


def update_many(scene, tasks):
    Task.objects.filter(pk__in=tasks).update(priority=random.choice(Task.Priority.values))


def update_each(scene, tasks):
    for row in (rows := list(Task.objects.filter(pk__in=tasks))):
        row.title = f"By code {named()}"
    Task.objects.bulk_update(rows, ["title"])


def create_many(scene, tasks):
    author = scene.author()
    Comment.objects.bulk_create([Comment(task_id=pk, author=author, body=named()) for pk in tasks])


def assign(scene, tasks):
    for task in Task.objects.filter(pk__in=tasks[:2]):
        task.assignees.set(random.sample(scene.people(), 2))


def create_and_undo(scene, tasks):
    """A savepoint that is rolled back within a transaction that is not."""
    try:
        with transaction.atomic():
            update_each(scene, tasks)
            raise Undone
    except Undone:
        Task.objects.create(project_id=scene.project, title=named(), created_by=scene.author())


def delete_some(scene, tasks):
    Task.objects.filter(pk__in=tasks[:1]).delete()


def write_by_code(scenes, seconds, pace):
    done, end = Counter(), time.monotonic() + seconds
    while time.monotonic() < end:
        scene = random.choice(scenes)
        act = random.choice([update_many, update_each, create_many, assign, create_and_undo, delete_some])
        try:
            with transaction.atomic():
                tasks = list(Task.objects.filter(project=scene.project).order_by("?").values_list("pk", flat=True)[:5])
                act(scene, tasks)
                if random.random() < 0.4:
                    raise Undone
            done["by code, in bulk"] += 1
        except Undone:
            done["rolled back"] += 1
        except (DatabaseError, ObjectDoesNotExist):  # somebody deleted what this is about, or each waited for the other
            done["refused"] += 1
        time.sleep(random.random() * 2 * pace)
    return done


# --- A writer that dies ---


def die_before_the_bell(scene, number, committed):
    """Commit a change, note when, and be killed before anybody is told."""
    task = scene.rows()[0]

    def die():
        committed.value = time.monotonic()
        os.kill(os.getpid(), signal.SIGKILL)

    with transaction.atomic():
        transaction.on_commit(die)  # before the bell, which comes with the first change
        writers.retitle(task, number)
