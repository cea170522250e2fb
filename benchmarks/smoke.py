"""Drive a served TicketHub as two people would, and compare what their sockets told with what REST gives.

Each follows one project with clients/python. Both write at once; one stays away and goes on from what it saved, then
its line is cut; in the end one person is removed and the project deleted. A gap, a repeat or a difference ends this
with exit code 1 and words that say where.

    uv run python benchmarks/smoke.py --serve 1
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/smoke.py --serve 2
    uv run python benchmarks/smoke.py --url http://localhost:8000
"""

import argparse
import asyncio
import os
import secrets
import sys
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack, nullcontext

from client import PAGE, PATIENCE, Api, Failure, Follower, check, tell
from serving import served
from tickethub_client import LISTS, Ended

QUIET = 2.5  # seconds to wait for what must not come: longer than a server takes to notice a lost bell
IMPOSSIBLE = (400, 404, 409)  # what a change gets when somebody else deleted what it is about


class Writer:
    """Changes a project as one person. Several write at once, each on what all of them made."""

    def __init__(self, api, project, made):
        self.api, self.project, self.made = api, project, made

    async def write(self, rounds):
        for _ in range(rounds):
            for act in (self.labels, self.tasks, self.bulk, self.comments, self.statuses, self.relations):
                await act(f"{self.api.me['username']} {secrets.token_hex(4)}")

    async def make(self, path, **body):
        row = await self.api.make(path, project=self.project, **body)
        self.made[path].append(row["id"])

    async def change(self, method, path, body=None):
        return await self.api.call(method, path, body, expect=(200, 201, 204, *IMPOSSIBLE))

    def some(self, path="tasks/"):
        return secrets.choice(self.made[path])

    def take(self, path="tasks/"):
        """One that nobody else will delete."""
        return self.made[path].pop(secrets.randbelow(len(self.made[path])))

    async def labels(self, name):
        await self.make("labels/", name=f"{name} a")
        await self.make("labels/", name=f"{name} b", color="#1f6feb")
        await self.change("PATCH", f"labels/{self.some('labels/')}/", {"name": f"{name} c"})
        await self.change("PATCH", f"tasks/{self.some()}/", {"labels": [self.some("labels/"), self.some("labels/")]})
        await self.change("DELETE", f"labels/{self.take('labels/')}/")

    async def tasks(self, name):
        await self.make("tasks/", title=f"First of {name}", priority="high", assignees=[self.api.me["id"]])
        await self.make("tasks/", title=f"Second of {name}", description="*Ünï* 🎫\r\n\tcode", due_date="2031-05-01")
        await self.make("tasks/", title=f"Third of {name}", status="in-review")
        await self.change("PATCH", f"tasks/{self.some()}/", {"title": name, "status": "done"})
        await self.change("PATCH", f"tasks/{self.some()}/", {"parent": self.some(), "status": "todo"})
        await self.change("POST", f"tasks/{self.some()}/move/", {"status": "in-review", "after": self.some()})
        await self.change("POST", f"tasks/{self.some()}/move/", {"before": self.some()})
        await self.change("DELETE", f"tasks/{self.take()}/")

    async def bulk(self, name):
        values = {"status": "in-progress", "priority": "urgent", "assignees": [], "labels": [self.some("labels/")]}
        await self.change("POST", "tasks/bulk/", {"ids": list({self.some() for _ in range(9)}), "set": values})
        await self.change("POST", "tasks/bulk/", {"ids": [self.take(), self.take()], "delete": True})

    async def comments(self, name):
        for verb in ("PATCH", "PATCH", "DELETE"):
            comment = await self.change("POST", "comments/", {"task": self.some(), "body": name})
            if comment.is_success:
                await self.change(verb, f"comments/{comment.json()['id']}/", {"body": f"**{name}**, edited"})

    async def statuses(self, name):
        slug = f"s-{secrets.token_hex(6)}"
        await self.make("statuses/", name=name, slug=slug, category="in_progress", position=10)
        await self.make("statuses/", name=f"{name} d", slug=f"{slug}-d", category="done")
        await self.change("PATCH", f"tasks/{self.some()}/", {"status": slug})
        await self.change("PATCH", f"statuses/{self.some('statuses/')}/", {"name": f"{name} e", "position": 3})
        await self.change("DELETE", f"statuses/{self.take('statuses/')}/")

    async def relations(self, name):
        for kind in ("blocks", "relates_to", "duplicates"):
            ends = {"source": self.some(), "target": self.some()}
            relation = await self.change("POST", "relations/", {**ends, "type": kind})
        if relation.is_success:
            await self.change("DELETE", f"relations/{relation.json()['id']}/")


async def write_corners(owner, guest, project):
    """The changes that reach further than the row they name, and those that must reach nothing."""
    label = await owner.make("labels/", project=project, name="to be deleted")
    task_id = str(uuid.uuid4())
    parent = {"id": task_id, "project": project, "title": "Parent", "labels": [label["id"]]}
    await guest.make("tasks/", **parent)
    await guest.call("POST", "tasks/", parent, expect=[200])
    await owner.call("POST", "tasks/", parent, expect=[409])
    child = await owner.make("tasks/", project=project, title="Child", parent=task_id, assignees=[guest.me["id"]])
    await guest.make("comments/", task=task_id, body=f"@{owner.me['username']} goes with its task")
    await owner.make("relations/", source=task_id, target=child["id"], type="blocks")
    await owner.call("DELETE", f"labels/{label['id']}/")
    await owner.call("PATCH", f"tasks/{task_id}/", {"title": "Lost"}, expect=[412], headers={"If-Match": '"1000"'})
    await owner.call("DELETE", f"tasks/{task_id}/")
    await guest.call("PATCH", "users/me/", {"first_name": "Ada", "last_name": "Smoke"})
    statuses = await owner.hub.load("statuses/", project=project)
    backlog = next(key for key, row in statuses.items() if row["slug"] == "backlog")
    await owner.call("PATCH", f"statuses/{backlog}/", {"is_default": True})
    await owner.call("PATCH", f"projects/{project}/", {"name": "Renamed", "archived": True})
    await guest.call("POST", "tasks/", {"project": project, "title": "Too late"}, expect=[409])
    await owner.call("PATCH", f"projects/{project}/", {"archived": False})


async def run(urls, rounds):
    """Play the whole piece against the servers at `urls`, the owner at the first and the guest at the last."""
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        owner, guest = Api(urls[0]), Api(urls[-1])
        for person in (owner, guest):
            stack.push_async_callback(person.http.aclose)
            await person.register()
        key = f"S{secrets.token_hex(4).upper()}"
        project = (await owner.make("projects/", key=key, name="Smoke"))["id"]
        ours = Follower(owner, project)
        stack.push_async_callback(ours.leave)
        await ours.open()
        invitation = await owner.make("invitations/", project=project, email=guest.email, role="member")
        membership = await guest.make("invitations/accept/", token=invitation["token"])
        await owner.call("PATCH", f"memberships/{membership['id']}/", {"role": "admin"})
        tell("Registered two people; one made a project and let the other in.")

        made = {"labels/": [], "statuses/": [], "tasks/": []}
        writers = [Writer(person, project, made) for person in (owner, guest, owner, guest)]
        for number in range(PAGE + PAGE // 4):
            await writers[number % 2].make("tasks/", title=f"Task {number}")
        theirs = Follower(guest, project)
        stack.push_async_callback(theirs.leave)
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.write(rounds))
            await theirs.open()
        for follower in (ours, theirs):
            await follower.compare()
        tell(f"Four wrote at once while one of them loaded: no difference after {len(ours.events)} events.")

        behind = len(theirs.events)
        await theirs.leave()
        await asyncio.gather(*(writer.write(1) for writer in writers))
        await write_corners(owner, guest, project)
        check(len(theirs.events) == behind, "The guest heard more after leaving")
        await theirs.open()
        await asyncio.gather(theirs.cut(), *(writer.write(1) for writer in writers))
        for follower in (ours, theirs):
            await follower.compare()
        check(theirs.replica.resumes == 2, f"The guest's replica went on {theirs.replica.resumes} times, not twice")
        tell(f"Left and came back, cut and resumed: no difference after {len(theirs.events) - behind} events more.")

        await remove(ours, theirs, membership["id"])
        tell("Removed the guest: that was the last they were told.")
        await delete(ours)
        tell("Deleted the project: that was the last its owner was told.")
        done = Counter(owner.done)
        done.update(guest.done)  # unlike +, it keeps the zeros
        check_coverage(ours.events, done)
        events = len(ours.events) + len(theirs.events)
        tell(f"{sum(done.values())} changes, {events} events received, {time.monotonic() - began:.1f} s.")


async def remove(ours, theirs, membership):
    """Remove the guest; their own removal has to be the last event that they get."""
    owner, guest, project = ours.api, theirs.api, ours.project
    mine = await owner.make("tasks/", project=project, title="Of the guest", assignees=[guest.me["id"]])
    await owner.call("DELETE", f"memberships/{membership}/")
    await theirs.until(lambda: theirs.unsubscribed, "the end of their subscription")
    last, end = theirs.events[-1], theirs.unsubscribed
    check((last["type"], last["id"]) == ("membership.deleted", membership), f"The removed person's last event: {last}")
    check((end["project"], end["reason"]) == (project, "access_revoked"), f"The removed person was told {end}")
    task = (await owner.call("PATCH", f"tasks/{mine['id']}/", {"title": "A secret"})).json()
    check(not task["assignees"], f"A task is assigned to somebody who left: {task}")
    await ours.compare()
    await asyncio.sleep(QUIET)
    check(not theirs.afterwards, f"The removed person was told yet: {theirs.afterwards}")
    check(theirs.replica.reason == "access_revoked", f"The removed person's replica ended by {theirs.replica.reason}")
    check(not any(theirs.replica.objects.values()), "The replica of the removed person is not empty")
    await guest.call("GET", f"projects/{project}/", expect=[404])
    again = theirs.hub.follow(project, cursor=theirs.cursor, objects={})
    try:
        await asyncio.wait_for(again.ready(), PATIENCE)
    except Ended as end:
        check(end.reason == "not_found", f"Subscribing again ended by {end.reason}")
    answer = [(frame["type"], frame.get("code")) for frame in theirs.afterwards]
    check(answer == [("error", "not_found")], f"Subscribing again gave {theirs.afterwards}")


async def delete(ours):
    """Delete the project; this has to be the last that its owner is told."""
    await ours.api.call("DELETE", f"projects/{ours.project}/")
    await ours.until(lambda: ours.unsubscribed, "the end of the subscription")
    last, end = ours.events[-1], ours.unsubscribed
    check((last["type"], last["id"], last["object"]) == ("project.deleted", ours.project, None), f"Last event: {last}")
    check((end["project"], end["reason"]) == (ours.project, "deleted"), f"The deletion of the project told {end}")
    await asyncio.sleep(QUIET)
    check(not ours.afterwards, f"After the deletion of the project came {ours.afterwards}")
    check(not any(ours.replica.objects.values()), "The replica of a deleted project is not empty")
    await ours.api.call("GET", f"projects/{ours.project}/", expect=[404])


def check_coverage(events, done):
    """Check that the run tried what it is there to try."""
    idle = sorted(kind for kind, times in done.items() if not times)
    check(not idle, f"None of these changes went through: {idle}")
    expected = {f"{thing}.{verb}" for thing in LISTS for verb in ("created", "updated", "deleted")}
    silent = (expected | {"project.updated", "project.deleted"}) - {"relation.updated"} - {e["type"] for e in events}
    check(not silent, f"No event told of {sorted(silent)}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", action="append", help="a served TicketHub; twice for two processes of one")
    where.add_argument("--serve", type=int, metavar="N", help="serve it with N processes of our own")
    parser.add_argument("--rounds", type=int, default=5, help="how often each of the four writers does all it can do")
    options = parser.parse_args()
    if options.serve and options.serve > 1 and not os.environ.get("REDIS_URL"):
        parser.error("--serve with more than one process needs REDIS_URL: in-memory bells do not leave their process")
    try:
        async with served(options.serve) if options.serve else nullcontext(options.url) as urls:
            await run([url.rstrip("/") for url in urls], options.rounds)
    except* Failure as failures:
        for failure in failures.exceptions:
            tell(f"FAILED: {failure}")
        sys.exit(1)
    tell("No difference.")


if __name__ == "__main__":
    asyncio.run(main())
