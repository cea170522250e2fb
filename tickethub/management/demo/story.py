"""The story of the demo: who does what and when, planned from the data beside this file, alike each time."""

import random
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path

DAYS = 44  # working days, the last of which is the last before today
END = DAYS - 0.01
MORNING = time(8, tzinfo=UTC)
HOURS = 9
WEEKEND = {5, 6}
PRIORITIES = ["none", "low", "medium", "high", "urgent"]
RELATIONS = ["blocks", "relates_to", "duplicates"]
# The statuses that a task goes through to where it is now.
PATHS = {
    "backlog": [],
    "todo": ["todo"],
    "in-progress": ["todo", "in-progress"],
    "in-review": ["todo", "in-progress", "in-review"],
    "done": ["todo", "in-progress", "in-review", "done"],
    "cancelled": ["todo", "cancelled"],
}


@cache
def read(name):
    """One of the data files: `company`, or the tasks of a project by its key in lower case."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(order=True)
class Step:
    """What one person does in one request. `when` counts working days from the beginning of the story."""

    when: float
    actor: str = field(compare=False)
    verb: str = field(compare=False)
    details: tuple = field(compare=False)


class Entry:
    """A task as the data have it. Its `is` lists its status, priority, labels and people in any order."""

    def __init__(self, key, data):
        self.name = (key, data["title"])
        self.text = data.get("text", "")
        self.parent = data.get("under") and (key, data["under"])
        self.first_title = data.get("was", data["title"])
        self.is_gone = data.get("gone", False)
        self.said = [words.split(": ", 1) for words in data.get("said", [])]
        self.relations = [((key, title), kind) for kind in RELATIONS for title in data.get(kind, [])]
        self.due = data.get("due")
        words = data["is"].split()
        self.status = next(word for word in words if word in PATHS)
        self.priority = next((word for word in words if word in PRIORITIES), "none")
        self.people = [word[1:] for word in words if word.startswith("@")]
        self.labels = [word for word in words if word not in {self.status, self.priority} and not word.startswith("@")]

    @property
    def is_open(self):
        return self.status not in {"done", "cancelled"} and not self.is_gone

    @property
    def is_under_way(self):
        return self.status in {"in-progress", "in-review"}


class Story:
    """The steps of the whole demo, in order. `today` is what it leads up to."""

    def __init__(self, today):
        self.random = random.Random("TicketHub")  # noqa: S311 everybody may foresee it
        self.today = today
        self.days = working_days_before(today)
        self.steps = []
        for project in read("company")["projects"]:
            self.plan_project(project)
            self.plan_tasks(project)
        self.steps.sort()

    def moment(self, when):
        """The point in time of a place in the story."""
        day, part = divmod(when, 1)
        return datetime.combine(self.days[int(day)], MORNING) + timedelta(hours=part * HOURS)

    def add(self, when, actor, verb, *details):
        self.steps.append(Step(min(when, END), actor, verb, details))

    def between(self, start, end, count):
        """So many moments, in order."""
        end = min(end, END)
        return sorted(self.random.uniform(min(start, end), end) for _ in range(count))

    def plan_project(self, project):
        key, owner = project["key"], project["owner"]
        start = self.random.uniform(0, 0.3)
        self.add(start, owner, "make_project", key, project["name"], project["text"])
        for number, (username, role) in enumerate(project["team"].items(), 1):
            self.add(start + number / 100, owner, "join", key, username, role)
        for number, (label, color) in enumerate(project["labels"].items(), 1):
            self.add(start + 0.1 + number / 100, owner, "make_label", key, label, color)
        for later in project["later"]:
            self.add(later["day"], later["by"], later["verb"], key, *later["details"])

    def plan_tasks(self, project):
        workers = workers_of(project)
        entries = [Entry(project["key"], data) for data in read(project["key"].lower())["tasks"]]
        gap = (DAYS - 2.5) / len(entries)
        made = []
        for number, entry in enumerate(entries):
            when = 1 + gap * number + self.random.uniform(0, gap * 0.8)
            self.plan_task(entry, when, workers)
            if entry.is_open and made and self.random.random() < 0.4:
                self.add(*self.between(when, when + 5, 1), workers[0], "place", entry.name, self.random.choice(made))
            if entry.is_open:
                made.append(entry.name)

    def plan_task(self, entry, when, workers):
        maker = self.random.choice(workers)
        status = "backlog" if entry.status == "backlog" or self.random.random() < 0.4 else "todo"
        self.add(when, maker, "make_task", entry.name, entry.first_title, entry.text, status, entry.parent)
        if entry.is_gone:
            self.add(when + 0.05, maker, "delete_task", entry.name)
            return
        for relation in entry.relations:
            self.add(when + 0.01, maker, "relate", entry.name, *relation)
        changes = list(self.changes(entry, status, workers))
        moments = self.moments(entry, when, len(changes))
        for moment, (actor, values) in zip(moments, changes, strict=True):
            self.add(moment, actor, "change_task", entry.name, values)
        self.plan_comments(entry, moments)

    def changes(self, entry, status, workers):
        """Who changes what of a task on its way to where it is now, in this order."""
        sorter = self.random.choice(workers[:2])
        worker = entry.people[0] if entry.people else sorter
        due_date = None if entry.due is None else self.today + timedelta(days=entry.due)
        sorting = {
            "title": entry.name[1] if entry.name[1] != entry.first_title else None,
            "priority": PRIORITIES.index(entry.priority),
            "labels": entry.labels,
        }
        yield sorter, {name: value for name, value in sorting.items() if value}
        if entry.people or due_date:
            planning = {"assignees": entry.people, "due_date": due_date}
            yield self.random.choice([sorter, worker]), {name: value for name, value in planning.items() if value}
        for step in PATHS[entry.status]:
            if step == "done":
                yield self.random.choice(workers), {"status": step}
            elif step != status:
                yield sorter if step in {"todo", "cancelled"} else worker, {"status": step}

    def moments(self, entry, made, count):
        """When a task's changes come: work under way is recent, and work that is finished took some days."""
        if entry.is_under_way:
            return self.between(max(made + 0.03, DAYS - 8), END, count)
        return self.between(made + 0.03, made + (2 if entry.is_open else self.random.uniform(2, 9)), count)

    def plan_comments(self, entry, changed):
        """What is said, mostly while the task is worked on. Now and then somebody adds a sentence to it later."""
        moments = self.between(changed[0], changed[-1] + 0.5, len(entry.said))
        for when, (author, body) in zip(moments, entry.said, strict=True):
            beginning, dot, _ = body.rpartition(". ")
            is_edited = dot and self.random.random() < 0.25
            self.add(when, author, "comment", entry.name, body, f"{beginning}." if is_edited else body)
            if is_edited:
                self.add(when + 0.01, author, "edit_comment", entry.name, body)


def workers_of(project):
    """Who makes and sorts tasks in a project, the owner first: who could from its beginning, and still can."""
    left = {name for later in project["later"] if later["verb"] == "leave" for name in later["details"]}
    return [project["owner"], *(n for n, role in project["team"].items() if role != "viewer" and n not in left)]


def working_days_before(today):
    """The last working days before a date, oldest first."""
    days = []
    while len(days) < DAYS:
        today -= timedelta(days=1)
        if today.weekday() not in WEEKEND:
            days.insert(0, today)
    return days
