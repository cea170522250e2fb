"""Race requests against each other by HTTP, and check that nothing is lost and nothing is made twice.

It serves TicketHub with processes of its own, two on PostgreSQL (DATABASE_URL), one on an SQLite, prints what it found,
and exits with 1 where a promise does not hold. With names it runs some of the races, with `--small` less of each.

    uv run python benchmarks/races.py
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/races.py owners updates
"""

import argparse
import asyncio
import os
import secrets
import sys
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise

from client import Api, Failure, check, tell
from report import Report, note
from serving import served


@dataclass
class Scene:
    """Two people, each at a server process of their own where there are two."""

    stack: AsyncExitStack
    urls: list[str]
    people: list[Api]

    @classmethod
    async def make(cls, stack, urls):
        scene = cls(stack, urls, [])
        scene.people = [await scene.person(url) for url in urls]
        return scene

    async def person(self, url):
        person = Api(url)
        self.stack.push_async_callback(person.http.aclose)
        await person.register()
        return person

    async def project(self, *people):
        """Give a project that all of the people own, and the id of each one's membership."""
        first, *others = people or self.people
        project = (await first.make("projects/", key=f"R{secrets.token_hex(4).upper()}", name="Race"))["id"]
        [own] = await listed(first, "memberships/", project)
        memberships = [own["id"]]
        for person in others:
            invitation = await first.make("invitations/", project=project, email=person.email, role="owner")
            memberships.append((await person.make("invitations/accept/", token=invitation["token"]))["id"])
        return project, memberships


async def listed(person, path, project, **params):
    return (await person.call("GET", path, project=project, limit=100, **params)).json()["results"]


async def cursor_of(person, project):
    return (await person.call("GET", "events/", project=project)).json()["cursor"]


# --- Two owners, of whom one has to stay ---


async def leave_both(scene):
    project, memberships = await scene.project()
    answers = await asyncio.gather(
        *(
            person.call("DELETE", f"memberships/{own}/", expect=[204, 409])
            for person, own in zip(scene.people, memberships, strict=True)
        )
    )
    left = [person for person, answer in zip(scene.people, answers, strict=True) if answer.status_code == 409]
    check(len(left) == 1, f"Of two owners that left at once, {len(left)} stayed")
    return left[0], project


async def demote_each_other(scene):
    project, memberships = await scene.project()
    answers = await asyncio.gather(
        *(
            person.call("PATCH", f"memberships/{other}/", {"role": "member"}, expect=[200, 403, 409])
            for person, other in zip(scene.people, reversed(memberships), strict=True)
        )
    )
    left = [person for person, answer in zip(scene.people, answers, strict=True) if answer.status_code == 200]
    check(len(left) == 1, f"Of two owners that demoted each other at once, {len(left)} did")
    return left[0], project


async def leave_and_deactivate(scene):
    people = [await scene.person(url) for url in scene.urls]
    project, memberships = await scene.project(*people)
    leaving, closing = await asyncio.gather(
        people[0].call("DELETE", f"memberships/{memberships[0]}/", expect=[204, 409]),
        people[1].call("DELETE", "users/me/", expect=[204, 409]),
    )
    statuses = [leaving.status_code, closing.status_code]
    check(sorted(statuses) == [204, 409], f"An owner left while the other closed their account: {statuses}")
    if closing.status_code == 204:  # whose membership stays, with an account that is closed
        await people[0].call("DELETE", f"memberships/{memberships[1]}/")
    return people[statuses.index(409)], project


async def owners(scene, report, rounds):
    """One owner stays: the one who says so, and nobody else."""
    for race, share in ((leave_both, 1), (demote_each_other, 1), (leave_and_deactivate, 10)):
        count = max(rounds // share, 2)
        for _ in range(count):
            winner, project = await race(scene)
            found = [each["user"]["id"] for each in await listed(winner, "memberships/", project, role="owner")]
            check(found == [winner.me["id"]], f"{race.__name__}: the owners are {found}, not {winner.me['id']}")
        report.true(f"owners: {race.__name__}", True, f"{count} times, one was left each time")


# --- Lost updates ---


class Counting:
    """Somebody who counts up what a task is called, each time from the version that they know."""

    def __init__(self, person, task):
        self.person, self.task, self.conflicts = person, task, 0

    async def count(self, rounds):
        path, done = f"tasks/{self.task['id']}/", 0
        while done < rounds:
            headers = {"If-Match": f'"{self.task["version"]}"'}
            body = {"title": str(int(self.task["title"]) + 1)}
            answer = await self.person.call("PATCH", path, body, headers=headers, expect=[200, 412])
            is_done = answer.status_code == 200
            self.task = answer.json() if is_done else answer.json()["current"]
            done, self.conflicts = done + is_done, self.conflicts + (not is_done)


async def updates(scene, report, rounds):
    """Two count up one task's title with If-Match: it comes to what both of them counted."""
    project, _ = await scene.project()
    first, cursor = scene.people[0], await cursor_of(scene.people[0], project)
    task = await first.make("tasks/", project=project, title="0")
    counting = [Counting(person, task) for person in scene.people]
    await asyncio.gather(*(each.count(rounds) for each in counting))
    task, total = (await first.call("GET", f"tasks/{task['id']}/")).json(), 2 * rounds
    told = [event["changes"] for event in await first.log(project, cursor) if event["type"] == "task.updated"]
    check(told == [{"title": [str(n), str(n + 1)]} for n in range(total)], "The log tells other changes")
    is_right = (task["title"], task["version"]) == (str(total), 1 + total)
    conflicts = sum(each.conflicts for each in counting)
    words = f"counted to {task['title']} of {total}, version {task['version']}, after {conflicts} answers of 412"
    report.true("updates: two with If-Match", is_right, words)


async def set_again_and_again(person, path, name, values, rounds):
    """Change one field of one thing; nobody else does, so each answer has to show what was sent."""
    for number in range(rounds):
        value = values(number)
        shown = (await person.call("PATCH", path, {name: value})).json()[name]
        check(shown == value, f"{path} shows {name} as {shown!r} where {value!r} was sent")


async def fields(scene, report, rounds):
    """Each field of a thing has somebody who changes it without If-Match, all at once: each keeps its last value."""
    project, _ = await scene.project()
    first, cursor = scene.people[0], await cursor_of(scene.people[0], project)
    label, other = [await first.make("labels/", project=project, name=name) for name in ("one", "two")]
    task = await first.make("tasks/", project=project, title="Task")
    [status] = [each for each in await listed(first, "statuses/", project) if each["slug"] == "in-review"]
    people = [person.me["id"] for person in scene.people]
    text = "Text {}".format
    kept = {
        f"tasks/{task['id']}/": {
            "title": text,
            "description": text,
            "priority": lambda n: ["low", "high"][n % 2],
            "due_date": lambda n: f"2030-01-{n % 28 + 1:02}",
            "status": lambda n: ["in-progress", "done"][n % 2],
            "assignees": lambda n: [people[n % 2]],
            "labels": lambda n: [[label, other][n % 2]["id"]],
        },
        f"projects/{project}/": {"name": text, "description": text},
        f"labels/{label['id']}/": {"name": text, "color": "#{:06x}".format},
        f"statuses/{status['id']}/": {"name": text, "position": lambda n: n + 100, "category": category},
    }
    async with asyncio.TaskGroup() as group:
        for path, changes in kept.items():
            for number, (name, values) in enumerate(changes.items()):
                person = scene.people[number % 2]
                group.create_task(set_again_and_again(person, path, name, values, rounds))
    log = await first.log(project, cursor)
    for path, changes in kept.items():
        thing = path.split("/")[1]
        last = [event["object"] for event in log if event["id"] == thing][-1]
        expected = {name: values(rounds - 1) for name, values in changes.items()}
        lost = {name: last[name] for name, value in expected.items() if last[name] != value}
        check(not lost, f"{path} has {lost} in place of {expected}")
        for name in changes:
            told = [e["changes"][name] for e in log if e["id"] == thing and name in e["changes"]]
            broken = [pair for pair in pairwise(told) if pair[0][1] != pair[1][0]]
            check(not broken, f"The log of {path} tells of {name} {broken[:3]}")
            check(len(told) == rounds, f"The log of {path} tells {len(told)} changes of {name}, not {rounds}")
        report.true(f"fields: {path.split('/')[0]}", True, f"{len(changes)} fields at once, {rounds} times each")
    version = (await first.call("GET", f"tasks/{task['id']}/")).json()["version"]
    total = 1 + rounds * len(kept[f"tasks/{task['id']}/"])
    report.true("fields: version", version == total, f"{version} of {total}")


def category(number):
    return ["backlog", "in_progress"][number % 2]


# --- Made once ---


async def retries(scene, report, rounds):
    """So many POSTs of one id at once, at all processes: one row, and one answer to all."""
    project, _ = await scene.project()
    [first, _], body = scene.people, {"id": str(uuid.uuid4()), "project": project, "title": "Once"}
    cursor = await cursor_of(first, project)
    second = Api(scene.urls[1])  # the same person, at the other process if there is one
    scene.stack.push_async_callback(second.http.aclose)
    second.hub.access = first.hub.access
    senders = [first, second]
    answers = await asyncio.gather(
        *(senders[number % 2].call("POST", "tasks/", body, expect=[200, 201]) for number in range(rounds))
    )
    statuses = Counter(answer.status_code for answer in answers)
    rows, events = await listed(first, "tasks/", project), await first.log(project, cursor)
    is_right = statuses == {201: 1, 200: rounds - 1} and len(rows) == len(events) == 1
    check(len({answer.text for answer in answers}) == 1, "The answers to one POST differ")
    report.true("retries", is_right, f"{rounds} at once: {len(rows)} row, {len(events)} event, {dict(statuses)}")


async def writers(scene, report, seconds):
    """Sixteen write at once for so long: each is served, none is told of a lock."""
    project, _ = await scene.project()
    slowest, deadline, count = 0, time.monotonic() + seconds, 0

    async def timed(*call):
        nonlocal slowest, count
        began = time.monotonic()
        answer = await call[0].call(*call[1:])  # which fails for 503, what a lock would give, and for all but success
        slowest, count = max(slowest, time.monotonic() - began), count + 1
        return answer.json() if answer.content else None

    async def write(person, number):
        while time.monotonic() < deadline:
            tasks = [
                await timed(person, "POST", "tasks/", {"project": project, "title": f"{number}"}) for _ in range(2)
            ]
            path, ids = f"tasks/{tasks[0]['id']}/", [task["id"] for task in tasks]
            await timed(person, "PATCH", path, {"title": "New", "assignees": [person.me["id"]]})
            await timed(person, "POST", f"{path}move/", {"after": ids[1], "status": "done"})
            await timed(person, "POST", "comments/", {"task": ids[0], "body": "Done."})
            await timed(person, "POST", "tasks/bulk/", {"ids": ids, "set": {"priority": "high"}})
            await timed(person, "DELETE", f"tasks/{ids[1]}/")

    await asyncio.gather(*(write(scene.people[number % 2], number) for number in range(16)))
    words = f"{count} writes in {seconds} s, each answered with success, the slowest after {slowest:.1f} s"
    report.true("writers: sixteen at once", True, words)


RACES = {  # with how many rounds, or seconds, of each, and how many of the small form
    owners: (200, 6),
    updates: (1000, 40),
    fields: (300, 10),
    retries: (100, 30),
    writers: (30, 3),
}


async def run(names, is_small):
    report = Report(slack=1)
    os.environ.setdefault("ACCESS_TOKEN_MINUTES", "600")  # nobody logs in anew
    count = 2 if os.environ.get("DATABASE_URL", "").startswith("postgres") else 1
    async with served(count) as urls, AsyncExitStack() as stack:
        scene = await Scene.make(stack, [urls[0], urls[-1]])
        for race, (rounds, few) in RACES.items():
            if not names or race.__name__ in names:
                began = time.monotonic()
                try:
                    await race(scene, report, few if is_small else rounds)
                except* Failure as failures:
                    report.true(race.__name__, False, " ".join(map(str, failures.exceptions)))
                note(f"{time.monotonic() - began:.1f} s")
    return report.missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [race.__name__ for race in RACES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all unless one is named")
    parser.add_argument("--small", action="store_true", help="fewer rounds of each")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    missed = asyncio.run(run(options.names, options.small))
    tell(f"Missed: {', '.join(missed)}" if missed else "Nothing was lost.")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
