"""What happened in a TicketHub that was used for two years, made up: each change of each project, in order.

The history of a project gives the rows that the application would have left, with an event for each change: numbers
without a gap, places on the board that count up with each new task and most moves, versions, and every object as it was
at each moment. It is the same for the same seed. Ids are UUIDs of version 7 of their moments.
"""

import random
from datetime import UTC, datetime, timedelta

import orjson
from wording import Wording

from tasks import positions

START = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
MICROSECOND = timedelta(microseconds=1)
EPOCH = int(START.timestamp() * 1000)
OPEN = 0.12  # of a project's tasks are under way at once
FLOW = ["backlog", "todo", "in-progress", "in-review", "done"]
STATUSES = ["Backlog", "Todo", "In progress", "In review", "Done", "Cancelled"]
CATEGORIES = ["backlog", "todo", "in_progress", "in_progress", "done", "cancelled"]
PRIORITIES = ["none"] * 40 + ["low"] * 20 + ["medium"] * 26 + ["high"] * 11 + ["urgent"] * 3
WEIGHTS = {name: weight for weight, name in enumerate(dict.fromkeys(PRIORITIES))}
LABELS = {"bug": "#d73a4a", "feature": "#1f6feb", "docs": "#0e8a16", "chore": "#6b7280", "security": "#b60205"}
FIRST_NAMES = ["Ada", "Bo", "Cem", "Dora", "Eve", "Finn", "Grete", "Hugo"]


class Chance(random.Random):
    """A source of chance that gives what rows need."""

    def uuid(self, microseconds):
        time, rest = f"{EPOCH + microseconds // 1000:012x}", f"{self.getrandbits(72):018x}"
        return f"{time[:8]}-{time[8:]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:]}"

    def one_of(self, rows, tail=1):
        """One of some rows; with a `tail` above 1 the first come often and the last seldom."""
        return rows[int(len(rows) * self.random() ** tail)]


def moment(microseconds):
    """A time as the API writes it."""
    return f"{(START + microseconds * MICROSECOND).isoformat()[:-6]}Z"


def as_json(value):
    return orjson.dumps(value).decode()


def people(seed, count):
    """So many people, as the API shows them."""
    chance = Chance(f"{seed} people")
    for number in range(count):
        at = 10**6 * number + 1
        yield {
            "id": chance.uuid(at),
            "username": f"person-{number}",
            "email": f"person-{number}@example.com",
            "first_name": chance.one_of(FIRST_NAMES),
            "last_name": f"Number {number}",
            "date_joined": moment(at),
        }


class History:
    """What happened in one project: `(microseconds since START, table, row)`, in order of time."""

    def __init__(self, seed, key, tasks, events, members):
        self.chance, self.key, self.tasks, self.members = Chance(f"{seed} {key}"), key, tasks, members
        self.text = Wording(self.chance)
        self.events = max(events, tasks + 50)
        self.step = SPAN // MICROSECOND // (self.events + 1)
        self.seq = self.places = self.now = 0
        self.under_way, self.where = [], {}  # tasks, and where in the list each id stands
        self.related, self.squeezed = set(), set()

    def __iter__(self):
        yield from self.begin()
        began, most = self.seq, max(20, int(OPEN * self.tasks))
        acts = [self.comment] * 27 + [self.advance] * 25 + [self.assign] * 15 + [self.label] * 10
        acts += [self.rename] * 9 + [self.describe] * 5 + [self.plan] * 7 + [self.relate] * 2
        for number in range(1, self.tasks + 1):
            yield from self.create(number)
            if len(self.under_way) > most:
                yield from self.finish(self.chance.one_of(self.under_way, 2), "done")
            target = began + (self.events - began) * number // self.tasks
            while self.seq < target and self.under_way:
                yield from self.chance.one_of(acts)(self.chance.one_of(self.under_way))
        for task in self.under_way:
            yield from self.rows_of(task)
        yield self.now, "tasks_board", (self.id, self.tasks)
        yield self.now, "realtime_stream", (self.id, self.seq)

    # --- Time, the log, and a task's rows ---

    def tick(self):
        """Let the moment of the next change come; give who makes it."""
        self.now = (self.seq + 1) * self.step - int(self.chance.random() * self.step * 0.9)
        self.now += self.now % 10**6 == 0  # a whole second would be written without its fraction
        self.at = moment(self.now)
        return self.chance.one_of(self.members, 2)["id"]

    def new_id(self):
        return self.chance.uuid(self.now)

    def event(self, actor, kind, shown, changes=None, task=None, other=None, user=None):
        self.seq += 1
        nonce = f"{self.chance.getrandbits(32):08x}"
        row = (self.new_id(), self.id, self.seq, nonce, kind, shown["id"], self.at, actor, f"{self.key}-{self.seq}")
        return self.now, "realtime_event", (*row, as_json(changes or {}), as_json(shown), task, other, user)

    def rows_of(self, task):
        row = (task["id"], task["created_at"], task["number"], task["title"], task["description"])
        row += (WEIGHTS[task["priority"]], task["due_date"], task["position"], task["version"], task["updated_at"])
        row += (task["completed_at"], task["created_by"], task["parent"], self.id, self.statuses[task["status"]])
        yield self.now, "tasks_task", row
        for person in task["assignees"]:
            yield self.now, "tasks_task_assignees", (task["id"], person)
        for label in task["labels"]:
            yield self.now, "tasks_task_labels", (task["id"], label)

    # --- The project ---

    def begin(self):
        self.tick()
        owner, self.id = self.members[0]["id"], self.new_id()
        shown = {"id": self.id, "key": self.key, "name": f"Project {self.key}", "description": self.text.description(1)}
        shown |= {"archived_at": None, "created_at": self.at, "updated_at": self.at}
        yield self.now, "projects_project", (*shown.values(), self.new_id())
        yield self.event(owner, "project.created", shown)
        self.statuses = {}
        for place, (name, category) in enumerate(zip(STATUSES, CATEGORIES, strict=True)):
            slug = name.lower().replace(" ", "-")
            self.statuses[slug] = self.new_id()
            shown = {"id": self.statuses[slug], "project": self.id, "slug": slug, "name": name, "category": category}
            shown |= {"position": place, "is_default": slug == "todo"}
            yield self.now, "projects_status", (*shown.values(), self.at)
            yield self.event(owner, "status.created", shown)
        for place, person in enumerate(self.members):
            self.tick()
            role = {0: "owner", 1: "admin"}.get(place, "member")
            shown = {"id": self.new_id(), "project": self.id, "user": person, "role": role, "created_at": self.at}
            yield self.now, "projects_membership", (shown["id"], self.id, person["id"], role, self.at)
            yield self.event(owner, "membership.created", shown, user=person["id"])
        self.labels = []
        for name, color in LABELS.items():
            self.tick()
            self.labels.append(self.new_id())
            shown = {"id": self.labels[-1], "project": self.id, "name": name, "color": color}
            yield self.now, "projects_label", (*shown.values(), self.at)
            yield self.event(owner, "label.created", shown)

    # --- What people do to tasks: each is one event, or none where nothing would change ---

    def create(self, number):
        actor, chance = self.tick(), self.chance
        task = {
            "id": self.new_id(),
            "key": f"{self.key}-{number}",
            "number": number,
            "project": self.id,
            "title": self.text.title(),
            "description": self.text.description(number),
            "status": "backlog" if chance.random() < 0.1 else "todo",
            "priority": chance.one_of(PRIORITIES),
            "assignees": [chance.one_of(self.members, 2)["id"]] if chance.random() < 0.6 else [],
            "labels": [chance.one_of(self.labels, 2)] if chance.random() < 0.5 else [],
            "parent": chance.one_of(self.under_way)["id"] if self.under_way and chance.random() < 0.05 else None,
            "due_date": self.day() if chance.random() < 0.2 else None,
            "position": self.last_place(),
            "version": 1,
            "created_by": actor,
            "created_at": self.at,
            "updated_at": self.at,
            "completed_at": None,
        }
        self.where[task["id"]] = len(self.under_way)
        self.under_way.append(task)
        yield self.event(actor, "task.created", task, task=task["id"])

    def change(self, task, **values):
        changes = {name: [task[name], value] for name, value in values.items() if task[name] != value}
        if not changes:
            return
        actor = self.tick()
        task.update(values, version=task["version"] + 1, updated_at=self.at)
        if task["status"] == "done":
            task["completed_at"] = self.at
        yield self.event(actor, "task.updated", task, changes, task=task["id"])

    def comment(self, task):
        actor = self.tick()
        shown = {"id": self.new_id(), "task": task["id"], "author": actor, "body": self.text.remark()}
        shown |= {"edited_at": None, "created_at": self.at, "updated_at": self.at}
        yield self.now, "comments_comment", tuple(shown.values())
        yield self.event(actor, "comment.created", shown, task=task["id"])

    def advance(self, task):
        """Bring a task nearer to its end, by an edit or on the board: as the last one, or before the last one."""
        status, draw = FLOW[FLOW.index(task["status"]) + 1], self.chance.random()
        if status == "done":
            return self.finish(task, "cancelled" if draw < 0.08 else status)
        if draw < 0.5:
            return self.change(task, status=status, position=self.last_place())
        last = positions.FIRST + self.places - 1
        if draw < 0.6 and last not in self.squeezed and task["position"] != positions.whole(last):
            self.squeezed.add(last)
            place = positions.between(positions.whole(last - 1), positions.whole(last))
            return self.change(task, status=status, position=place)
        return self.change(task, status=status)

    def finish(self, task, status):
        """End a task: nothing happens to it any more."""
        yield from self.change(task, status=status, position=self.last_place())
        place, last = self.where.pop(task["id"]), self.under_way.pop()
        if last is not task:
            self.under_way[place], self.where[last["id"]] = last, place
        yield from self.rows_of(task)

    def assign(self, task):
        count = 1 + int(2.2 * self.chance.random())
        return self.change(task, assignees=sorted({self.chance.one_of(self.members, 2)["id"] for _ in range(count)}))

    def label(self, task):
        count = 1 + int(2.5 * self.chance.random())
        return self.change(task, labels=sorted({self.chance.one_of(self.labels, 2) for _ in range(count)}))

    def rename(self, task):
        return self.change(task, title=self.text.title())

    def describe(self, task):
        return self.change(task, description=f"{task['description']}\n\n{self.text.remark()}".strip())

    def plan(self, task):
        return self.change(task, priority=self.chance.one_of(PRIORITIES), due_date=self.day())

    def relate(self, task):
        other = self.chance.one_of(self.under_way)
        pair = frozenset([task["id"], other["id"]])
        if len(pair) == 1 or pair in self.related:
            return
        self.related.add(pair)
        actor, kind = self.tick(), self.chance.one_of(["blocks", "relates_to", "duplicates"])
        shown = {"id": self.new_id(), "source": task["id"], "target": other["id"], "type": kind}
        yield self.now, "tasks_taskrelation", (*shown.values(), self.at)
        yield self.event(actor, "relation.created", shown, task=task["id"], other=other["id"])

    def day(self):
        return (START + self.now * MICROSECOND + timedelta(days=int(60 * self.chance.random()))).date().isoformat()

    def last_place(self):
        self.places += 1
        return positions.whole(positions.FIRST + self.places - 1)
