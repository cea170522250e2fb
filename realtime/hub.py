"""The hub: what every process has one of, to bring the log to its sockets.

It hears the doorbell, reads the log on from where it is, encodes each event once and hands it to every subscription.
Since a bell may be lost, it compares the heads of what it serves each second.
"""

import asyncio
import logging
import time
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings

from realtime import reader
from realtime.bell import GROUP

logger = logging.getLogger(__name__)


class Feed:
    """One project in this process: how far it has been told, and to whom. It goes on only number by number."""

    def __init__(self, project_id, seq):
        self.project_id = project_id
        self.seq = seq
        self.live = set()
        self.catching_up = set()
        self.news = asyncio.Event()
        self.news.set()
        self.pump = asyncio.create_task(self.run())

    async def run(self):
        while self.is_followed:
            await self.news.wait()
            self.news.clear()
            try:
                await self.advance()
            except Exception:  # the database is away: the next look at the heads tries again
                logger.exception("Could not read the log of %s", self.project_id)

    @property
    def is_followed(self):
        return bool(self.live or self.catching_up)

    async def advance(self):
        """Read the log on to its end, and tell those who are up to date."""
        while frames := await reader.events_after(self.project_id, self.seq):
            if frames[0].seq != self.seq + 1:  # pruned away before it was read
                await self.resync()
                return
            for frame in frames:
                self.seq = frame.seq
                for subscription in tuple(self.live):
                    await subscription.deliver_or_fail(frame)

    async def resync(self):
        """Send everybody back to the lists: what they would need next is not in the log."""
        for subscription in tuple(self.live):
            await subscription.resync()


class Subscription:
    """One socket following one project. `seq` is the last event it got, `granted` the newest when it was let in."""

    def __init__(self, line, grant):
        self.line = line
        self.project_id = grant.project_id
        self.seq = grant.seq
        self.granted = grant.head
        self.feed = line.hub.feed_of(grant)
        self.feed.catching_up.add(self)
        self.catch_up = asyncio.create_task(self.run())

    async def run(self):
        """Read on alone until nothing separates this from the feed, then go with it."""
        try:
            while self.seq < self.feed.seq and not self.is_over:
                await self.read_on()
        except Exception:
            logger.exception("Could not catch up on %s", self.project_id)
            await self.line.give_up()
            return
        if self in self.feed.catching_up:
            self.feed.catching_up.remove(self)
            self.feed.live.add(self)

    async def read_on(self):
        frames = await reader.events_after(self.project_id, self.seq)
        if not frames or frames[0].seq != self.seq + 1:
            await self.resync()
        for frame in frames:
            if not self.is_over:
                await self.line.room()
                await self.deliver(frame)

    async def deliver(self, frame):
        """Send an event once, and end where it says that this person may see no more."""
        if frame.seq <= self.seq or self.is_over:
            return
        self.seq = frame.seq
        await self.line.send_text(frame.text)
        if frame.type == "project.deleted":
            await self.end("deleted")
        elif frame.type == "membership.deleted" and frame.user_id == self.line.person.id and frame.seq > self.granted:
            await self.end("access_revoked")

    async def deliver_or_fail(self, frame):
        """Deliver; if this line cannot take it, close it alone: the others are to get theirs."""
        try:
            await self.deliver(frame)
        except Exception:
            logger.exception("Could not deliver %s of %s", frame.seq, self.project_id)
            await self.line.give_up()

    @property
    def is_over(self):
        return self.line.subscriptions.get(self.project_id) is not self

    async def end(self, reason, **extra):
        self.drop()
        await self.line.send_frame(type="unsubscribed", project=self.project_id, reason=reason, **extra)

    async def resync(self):
        self.drop()
        await self.line.send_frame(type="resync", project=self.project_id)

    def drop(self):
        """Follow no longer, without a word."""
        if not self.is_over:
            del self.line.subscriptions[self.project_id]
        self.feed.live.discard(self)
        self.feed.catching_up.discard(self)
        self.line.hub.forget(self.feed)
        if self.catch_up is not asyncio.current_task():
            self.catch_up.cancel()


class Hub:
    """Feeds and lines of one event loop, which is to say of one process."""

    of_loop = WeakKeyDictionary()

    def __init__(self):
        self.feeds = {}
        self.lines = set()
        self.tasks = [asyncio.create_task(run()) for run in (self.listen, self.heal, self.tick)]

    @classmethod
    def current(cls):
        loop = asyncio.get_running_loop()
        if loop not in cls.of_loop:
            cls.of_loop[loop] = cls()
        return cls.of_loop[loop]

    async def close(self):
        """Stop working, as at the end of the process."""
        for line in tuple(self.lines):
            line.drop_all()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.of_loop.pop(asyncio.get_running_loop(), None)

    def feed_of(self, grant):
        if grant.project_id not in self.feeds:
            self.feeds[grant.project_id] = Feed(grant.project_id, grant.head)
        return self.feeds[grant.project_id]

    def forget(self, feed):
        """Let go of a feed that nobody follows."""
        if not feed.is_followed and self.feeds.get(feed.project_id) is feed:
            del self.feeds[feed.project_id]
            if feed.pump is not asyncio.current_task():
                feed.pump.cancel()

    async def listen(self):
        """Hear the doorbell, whatever becomes of the channel layer."""
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    await self.hear(await layer.receive(channel))
            except Exception as error:
                logger.warning("The doorbell is out of order: %s", error or type(error).__name__)
                await asyncio.sleep(1)

    async def hear(self, message):
        for project_id in message["projects"]:
            if feed := self.feeds.get(project_id):
                feed.news.set()
        if message["users"]:
            await self.check_people(set(message["users"]))

    async def heal(self):
        """Look at the heads and at the people each second, for bells that were lost."""
        while True:
            await asyncio.sleep(settings.WEBSOCKET["HEAL_EVERY"])
            try:
                await self.check_heads()
                await self.check_people({line.person.id for line in self.lines if line.person})
            except Exception:
                logger.exception("Could not look for news")

    async def check_heads(self):
        told = {project_id: feed.seq for project_id, feed in self.feeds.items()}
        now = await reader.heads(list(told)) if told else {}
        for project_id, seq in told.items():
            feed = self.feeds.get(project_id)
            if feed and now.get(project_id, 0) > seq:
                feed.news.set()
            elif feed and now.get(project_id, 0) < seq:  # another history: a backup was restored
                await feed.resync()

    async def check_people(self, user_ids):
        """Close the lines of those who were deactivated, or whose password changed since they authenticated."""
        lines = [line for line in self.lines if line.person and line.person.id in user_ids]
        if not lines:
            return
        now = await reader.fingerprints({line.person.id for line in lines})
        for line in lines:
            if now.get(line.person.id) != line.person.fingerprint:
                await line.fail(4401, "token_revoked", "This token has ended. Log in again.")

    async def tick(self):
        while True:
            await asyncio.sleep(1)
            for line in tuple(self.lines):
                try:
                    await line.tick(time.time())
                except Exception:
                    logger.exception("A line failed")
