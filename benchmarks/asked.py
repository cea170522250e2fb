"""What people ask of TicketHub most, and the same of the floor, of rows that fill.py made."""

import json
import random
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlencode

import fill
import writers  # noqa: F401 which sets up Django
from wording import NOWHERE, RARE

from accounts.models import User
from projects.models import Project
from realtime.models import Event
from tasks.board import Board
from tasks.models import Task

API = "/api/v1/"
PAGE = 50
SAMPLE = 200  # tasks that are asked for, or changed, one after another
ORDINARY = 5_000  # tasks of a project as most are
UNDER_WAY = ["todo", "in_progress"]


@dataclass(frozen=True)
class Asked:
    """One kind of request. `ours` and `floor` are lists of `(method, path, body)` that are sent round and round."""

    name: str
    ours: list = field(repr=False)
    floor: list = field(repr=False)
    is_list: bool = False

    @property
    def writes(self):
        return self.ours[0][0] != "GET" and self.name != "login"


def get(path, **params):
    pairs = [(name, item) for name, value in params.items() for item in (value if isinstance(value, list) else [value])]
    return "GET", f"{path}?{urlencode(pairs)}" if pairs else path, None


def post(path, body, method="POST"):
    return method, path, json.dumps(body)


class World:
    """What there is to ask for, and by whom."""

    def __init__(self):
        self.user = User.objects.get(username="person-0")
        self.person = str(self.user.pk)
        boards = Board.objects.filter(project__memberships__user=self.user).order_by("-last_number")
        sizes = dict(boards.values_list("project_id", "last_number"))
        self.tasks, self.projects = sum(sizes.values()), len(sizes)
        self.largest = self.place(max(sizes, key=sizes.get))
        self.ordinary = self.place(min(sizes, key=lambda pk: abs(sizes[pk] - ORDINARY)))
        rest = sizes.keys() - {self.largest.pk, self.ordinary.pk} or {self.ordinary.pk}
        self.written = self.place(max(rest, key=sizes.get))  # that the projects which are read stay as they are

    @staticmethod
    def place(pk):
        project = Project.objects.get(pk=pk)
        project.size = Board.objects.get(pk=pk).last_number
        return project

    @cached_property
    def headers(self):
        token = self.user.sessions.create().refresh_token().access_token
        return {"Authorization": f"Bearer {token}"}

    def sample(self, project, count=SAMPLE):
        """Ids of some tasks of a project, old and new."""
        numbers = random.Random(1).sample(range(1, project.size + 1), min(count, project.size))
        tasks = Task.objects.filter(project=project, number__in=numbers)
        return [str(pk) for pk in tasks.order_by("number").values_list("pk", flat=True)]

    def of_many_sizes(self, count):
        """So many projects, from the smallest to the largest, each some times as large as the one before it."""
        boards = Board.objects.filter(project__memberships__user=self.user).values_list("project_id", "last_number")
        sizes = sorted(((last, pk) for pk, last in boards))
        small, large = sizes[0][0], sizes[-1][0]
        wanted = [small * (large / small) ** (place / max(1, count - 1)) for place in range(count)]
        chosen = {min(sizes, key=lambda size: abs(size[0] - near)) for near in wanted}
        return [self.place(pk) for _, pk in sorted(chosen)]

    # --- Reads ---

    def page(self, project, offset=0, name="list of 50"):
        asked = {"limit": PAGE} | ({"offset": offset} if offset else {})
        ours = get(f"{API}tasks/", project=str(project.pk), **asked)
        return Asked(name, [ours], [get("/list", project=str(project.pk), limit=PAGE, offset=offset)], is_list=True)

    def far_in(self, project, offset=None):
        offset = offset or project.size // 2
        return self.page(project, offset, f"list of 50, from {offset:,}")

    def filtered(self, project):
        asked = {"project": str(project.pk), "status": "done", "assignee": self.person}
        floor = get("/filtered", project=asked["project"], status="done", person=self.person, limit=PAGE)
        return Asked("status and assignee", [get(f"{API}tasks/", **asked)], [floor], is_list=True)

    def mine(self):
        ours = get(f"{API}tasks/", assignee="me")
        return Asked("my tasks", [ours], [get("/mine", person=self.person, limit=PAGE)], is_list=True)

    def board(self, project):
        asked = {"project": str(project.pk), "status_category": UNDER_WAY, "ordering": "position", "limit": 100}
        floor = get("/board", project=str(project.pk), limit=100)
        return Asked("board", [get(f"{API}tasks/", **asked)], [floor], is_list=True)

    def one(self, project):
        ids = self.sample(project)
        return Asked("one task", [get(f"{API}tasks/{pk}/") for pk in ids], [get("/one", id=pk) for pk in ids])

    def comments(self, project):
        ids = self.sample(project)
        ours = [get(f"{API}comments/", task=pk) for pk in ids]
        return Asked("comments of a task", ours, [get("/comments", task=pk, limit=PAGE) for pk in ids], is_list=True)

    def search(self, project):
        words = [*RARE, NOWHERE]
        ours = [get(f"{API}tasks/", project=str(project.pk), search=word) for word in words]
        floor = [get("/search", project=str(project.pk), word=word, limit=PAGE) for word in words]
        return Asked("search", ours, floor, is_list=True)

    def events(self, project, seq=None):
        """The events after a place in the log: by default the last page but one."""
        seq = seq or Event.objects.of(project.pk).last().seq - 2 * PAGE
        cursor = Event.objects.of(project.pk).get(seq=seq).cursor
        ours = get(f"{API}events/", project=str(project.pk), after=cursor)
        floor = get("/events", project=str(project.pk), seq=seq, limit=PAGE)
        return Asked("events after a cursor", [ours], [floor], is_list=True)

    # --- Writes ---

    def create(self):
        project = str(self.written.pk)
        body = {"project": project, "title": "Made @n@", "description": "By a benchmark, as it was told to. " * 8}
        floor = post("/create", body | {"person": self.person})
        return Asked("create", [post(f"{API}tasks/", body)], [floor])

    def patch(self):
        body = {"title": "Renamed @n@"}
        ids = self.sample(self.written)
        ours = [post(f"{API}tasks/{pk}/", body, "PATCH") for pk in ids]
        return Asked("patch", ours, [post("/patch", body | {"id": pk}) for pk in ids])

    def move(self):
        """Each task to before another one, each time round before the next."""
        ids = self.sample(self.written)
        pairs = [(pk, ids[(place + step) % len(ids)]) for step in (1, 2, 3, 5) for place, pk in enumerate(ids)]
        ours = [post(f"{API}tasks/{pk}/move/", {"before": other}) for pk, other in pairs]
        return Asked("move", ours, [post("/move", {"id": pk, "before": other}) for pk, other in pairs])

    def bulk(self):
        """The same hundred tasks get one priority and then another."""
        ids, names = self.sample(self.written, 100), ["low", "high", "medium"]
        ours = [post(f"{API}tasks/bulk/", {"ids": ids, "set": {"priority": name}}) for name in names]
        return Asked("bulk of 100", ours, [post("/bulk", {"ids": ids, "priority": name}) for name in names])

    def login(self):
        body = {"email": self.user.email, "password": fill.PASSWORD}
        return Asked("login", [post(f"{API}auth/token/", body)], [post("/login", body)])

    def everything(self):
        """All of it, what writes last."""
        reads = [self.page(self.ordinary), self.far_in(self.ordinary), self.filtered(self.ordinary), self.mine()]
        reads += [self.board(self.ordinary), self.one(self.ordinary), self.comments(self.ordinary)]
        reads += [self.search(self.ordinary), self.events(self.ordinary)]
        return [*reads, self.login(), self.create(), self.patch(), self.move(), self.bulk()]


if __name__ == "__main__":  # for who compares two databases, and has only one at hand
    world = World()
    lists = {asked.name: asked.ours for asked in world.everything() if asked.is_list}
    print(json.dumps({"headers": world.headers, "lists": lists}))
