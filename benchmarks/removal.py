"""People who may see no more: members who are removed while a project changes quickly, and logins that end.

Nothing that comes after may reach them, also when another server process was told.
"""

import asyncio
import random
import secrets
import time
from collections import Counter
from dataclasses import dataclass

import writers
from asgiref.sync import sync_to_async
from client import WatchedHub, check
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from processes import pool, servers
from report import note
from tickethub_client import TicketHub
from writers import PASSWORD, Scene

from accounts.serializers import LoginSerializer
from projects.models import Membership, Role

QUIET = 1.5  # seconds to wait for what must not come: longer than a server takes to notice a lost bell


class Person:
    """A member with a line of their own, who notes all that it brings."""

    def __init__(self, scene, url, place, membership):
        self.membership, self.frames = str(membership.pk), []
        self.hub = WatchedHub(url, access=scene.tokens[place])
        self.hub.witness = self.frames.append
        self.project = scene.project

    def follow(self, **start):
        self.replica = self.hub.follow(self.project, load=self.load, **start)

    @staticmethod
    async def load(hub, project):
        return {}  # what is held does not matter here, only what comes

    async def leave(self):
        await self.hub.request("DELETE", f"memberships/{self.membership}/")

    def leaks(self):
        """The events after the own removal."""
        told = [frame for frame in self.frames if frame["type"] == "event"]
        removal = ("membership.deleted", self.membership)
        place = next((n for n, event in enumerate(told, 1) if (event["event"], event["id"]) == removal), None)
        check(place, "Somebody was not told of their own removal")
        return len(told) - place


@dataclass(frozen=True)
class Removal:
    rounds: int = 10
    people: int = 20
    rate: float = 100
    seconds: float = 5

    def run(self, report):
        scene = Scene.make(people=self.people + 1)
        leaks, ways, written = 0, Counter(), 0
        with servers(2) as started, pool(1) as writer:
            urls = [server.url for server in started]
            for _ in range(self.rounds):
                writing = writer.submit(writers.write_paced, scene, self.rate, self.seconds)
                leaks += asyncio.run(self.round(scene, urls, ways, writing))
                written += len(writing.result())
        rate = written / (self.rounds * self.seconds)
        note(f"removal: {', '.join(f'{times} {way}' for way, times in ways.items())}; {written:,} changes meanwhile")
        report.at_least("removal, changes meanwhile", rate, self.rate * 0.9, "a second")
        report.at_most("removal, events after the own removal", leaks, 0, f"of {ways.total()} removals")

    async def round(self, scene, urls, ways, writing):
        """Let everybody follow and remove them all, but for the first; give the events that came to them too late."""
        owner, *members = await self.assemble(scene, urls)
        start = await sync_to_async(scene.cursor)()
        owner.follow()
        for person in members[::2]:
            person.follow()
        await asyncio.wait_for(asyncio.gather(*(person.replica.ready() for person in [owner, *members[::2]])), 20)
        removals = []
        for number, person in enumerate(members):
            catches_up = number % 2
            if catches_up:
                person.follow(cursor=start, objects={})
            removals.append(self.remove(owner, person, ways, catches_up))
        await asyncio.wait_for(asyncio.gather(*removals), 20)
        reasons = await asyncio.wait_for(asyncio.gather(*(person.replica.ended() for person in members)), 20)
        await asyncio.to_thread(writing.result)
        await asyncio.sleep(QUIET)
        check(set(reasons) == {"access_revoked"}, f"Their subscriptions ended with {Counter(reasons)}")
        for person in (owner, *members):
            await person.hub.__aexit__()
        return sum(person.leaks() for person in members)

    @sync_to_async
    def assemble(self, scene, urls):
        """A Person for each, who is a member again."""
        users = {user.email: user for user in scene.people()}
        return [
            Person(scene, urls[place % len(urls)], place, self.membership(scene, users[email]))
            for place, email in enumerate(scene.emails)
        ]

    @staticmethod
    def membership(scene, user):
        return Membership.objects.get_or_create(project_id=scene.project, user=user, defaults={"role": Role.MEMBER})[0]

    @staticmethod
    async def remove(owner, person, ways, catches_up):
        """In one of three ways, at any time; of who catches up, once they are let in."""
        if catches_up:
            while not any(frame["type"] == "subscribed" for frame in person.frames):
                await asyncio.sleep(0.001)
        else:
            await asyncio.sleep(random.random() * 2)
        way = random.choice(["removed by REST", "left", "removed by code"])
        ways[f"{way}{' while catching up' if catches_up else ''}"] += 1
        if way == "left":
            await person.leave()
        elif way == "removed by REST":
            await owner.hub.request("DELETE", f"memberships/{person.membership}/")
        else:
            await delete(person.membership)


@sync_to_async
def delete(membership):
    Membership.objects.get(pk=membership).delete()


# --- Logins that end ---


async def log_out(hub, person):
    await hub.request("POST", "auth/token/blacklist/", json={"refresh": person.refresh})


async def change_password(hub, person):
    passwords = {"current_password": PASSWORD, "new_password": secrets.token_urlsafe(16)}
    await hub.request("POST", "auth/password/change/", json=passwords)


async def reset_password(hub, person):
    link = await person.link()
    await hub.request("POST", "auth/password/reset/confirm/", json={**link, "new_password": secrets.token_urlsafe(16)})


async def deactivate(hub, person):
    await hub.request("DELETE", "users/me/")


class LoggedIn(Person):
    """A member with a login of their own."""

    def __init__(self, scene, url, user):
        self.user = user
        refresh = LoginSerializer.get_token(user)
        self.refresh, self.frames, self.project = str(refresh), [], scene.project
        self.hub = WatchedHub(url, access=str(refresh.access_token))
        self.hub.witness = self.frames.append

    @sync_to_async
    def link(self):
        """What the mail of a password reset would bring."""
        self.user.refresh_from_db()  # with the login: a link made before it is good no more
        return {
            "uid": urlsafe_base64_encode(force_bytes(self.user.pk)),
            "token": default_token_generator.make_token(self.user),
        }


@dataclass(frozen=True)
class EndedLogins:
    """From the end of a login at one server to that of its line at another, while the project changes."""

    times: int = 10
    required: float = 1.5  # seconds

    def run(self, report):
        ways = [log_out, change_password, reset_password, deactivate] * self.times
        scene = Scene.make(people=len(ways) + 1)
        with servers(2) as [one, other], pool(1) as writer:
            people = [LoggedIn(scene, other.url, user) for user in scene.people() if user.email != scene.emails[0]]
            writing = writer.submit(writers.write_paced, scene, 20, 0.2 * len(ways) + 2)
            delays = asyncio.run(self.end_all(one.url, people, ways))
            writing.result()
        for way in dict.fromkeys(ways):
            some = [delay for delay, done in zip(delays, ways, strict=True) if done is way]
            note(f"ended logins, {way.__name__}: {len(some)} lines closed with 4401, {max(some):.3f} s later at most")
        report.at_most("ended logins, until the line at another server was closed", max(delays), self.required, "s")

    async def end_all(self, url, people, ways):
        for person in people:
            person.follow()
        await asyncio.wait_for(asyncio.gather(*(person.replica.ready() for person in people)), 20)
        delays = [await self.end(url, person, way) for person, way in zip(people, ways, strict=True)]
        told = [len(person.frames) for person in people]
        await asyncio.sleep(QUIET)
        check(told == [len(person.frames) for person in people], "Somebody was told more after the end")
        for person in people:
            await person.hub.__aexit__()
        return delays

    @staticmethod
    async def end(url, person, way):
        async with TicketHub(url, access=person.hub.access) as hub:
            await way(hub, person)
        began = time.monotonic()
        while not person.hub.closes[4401]:
            check(time.monotonic() < began + 10, f"{way.__name__} ended no line: {person.hub.closes}")
            await asyncio.sleep(0.002)
        return time.monotonic() - began
