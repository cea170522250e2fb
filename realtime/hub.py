"""The hub: what every process has one of, to bring the log to its sockets.

It hears the doorbell, reads the log on from where it is, encodes each event once and hands it to every subscription.
Since a bell may be lost, it compares the heads of what it serves each second.
"""

import asyncio
import logging
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.conf import settings

from realtime import metrics, reader
from realtime.bell import GROUP
from realtime.metrics import tally
from realtime.wire import RESTARTING
from tickethub.errors import Gone

logger = logging.getLogger(__name__)
RECENT = 1024 * 1024  # bytes of the log that a feed keeps for those who come next


async def attempt(line, act, *words):
    """Do what a line is in for. If it fails, close this line alone: the others are to get theirs."""
    try:
        await act(*words)
    except Exception:
        logger.exception("A line failed", extra=line.about)
        with suppress(Exception):
            await line.give_up()


class Feed:
    """One project in this process: how far it has been told, and to whom. It goes on only number by number."""

    def __init__(self, project_id, place):
        self.project_id = project_id
        self.place = place
        self.live = set()
        self.catching_up = set()
        self.recent = []
        self.reading = asyncio.Lock()
        self.news = asyncio.Event()
        self.news.set()
        self.pump = asyncio.create_task(self.run())

    async def run(self):
        while self.is_followed:
            await self.news.wait()
            self.news.clear()
            try:
                await self.advance()
            except Gone:
                await self.resync()
            except Exception:  # the database is away: the next look at the heads tries again
                logger.exception("Could not read the log of %s", self.project_id)

    @property
    def is_followed(self):
        return bool(self.live or self.catching_up)

    async def advance(self):
        """Read the log on to its end, and tell those who are up to date. Raises Gone where it does not go on."""
        is_last = False
        while not is_last and (batch := await reader.events_after(self.project_id, self.place)):
            self.place = batch.last
            tally.batches += 1
            for subscription in tuple(self.live):
                await attempt(subscription.line, subscription.deliver, batch)
            metrics.delivered(batch)
            is_last = batch.is_last  # what was committed after that look rings, or the next look at the heads finds it

    async def after(self, place):
        """The next batch for one who catches up. Many who ask at the same time, as after a restart, share one read."""
        async with self.reading:
            batch = self.recall(place)
            if batch is None and (batch := await reader.events_after(self.project_id, place)):
                self.remember(batch)
                tally.batches += 1
            return batch

    def recall(self, place):
        """What follows a place, of what was read of late, None if nothing does."""
        known = (batch for batch in self.recent if batch.last != place and batch.place_of(place.seq) == place)
        return next((batch.after(place.seq) for batch in known), None)

    def remember(self, batch):
        self.recent.append(batch)
        while len(self.recent) > 1 and sum(len(batch.data) for batch in self.recent) > RECENT:
            del self.recent[0]

    async def resync(self):
        """Send everybody back to the lists: what they would need next is not in the log."""
        for subscription in (*self.live, *self.catching_up):
            await attempt(subscription.line, subscription.resync)


class Subscription:
    """One socket following one project. `place` is that of the last event it got, `granted` the head at its start."""

    __slots__ = ("catch_up", "feed", "granted", "line", "place", "project_id")

    def __init__(self, line, grant):
        self.line = line
        self.project_id = grant.project_id
        self.place = grant.start
        self.granted = grant.head
        self.feed = line.hub.feed_of(grant)
        self.feed.catching_up.add(self)
        self.catch_up = asyncio.create_task(attempt(line, self.run))

    async def run(self):
        """Read on alone until nothing separates this from the feed, then go with it."""
        while self.place.seq < self.feed.place.seq and not self.is_over:
            await self.read_on()
        if self in self.feed.catching_up:
            self.feed.catching_up.remove(self)
            self.feed.live.add(self)
        self.catch_up = None

    async def read_on(self):
        try:
            batch = await self.feed.after(self.place)
        except Gone:
            batch = None
        except Exception:  # the database is away
            logger.exception("Could not catch up on %s", self.project_id)
            await asyncio.sleep(settings.WEBSOCKET["HEAL_EVERY"])
            return
        if batch is None:
            await self.resync()
        else:
            await self.line.room(len(batch.data))
            await self.deliver(batch)

    async def deliver(self, batch):
        """Send events, each once, and end where one says that this person may see no more."""
        if self.is_over:
            return
        if batch.place_of(self.place.seq) not in {self.place, None}:  # the feed went on in another history
            await self.resync()
            return
        batch = batch.after(self.place.seq)
        if batch is None:
            return
        end = next((frame for frame in batch.ends if self.ends_with(frame)), None)
        if end:
            batch = batch.until(end.place.seq)
        await self.line.send_batch(batch)
        tally.events += len(batch.frames)
        self.place = batch.last
        if end:
            await self.end("deleted" if end.type == "project.deleted" else "access_revoked")

    def ends_with(self, frame):
        return frame.type == "project.deleted" or (
            frame.user_id == self.line.person.id and frame.place.seq > self.granted.seq
        )

    @property
    def is_over(self):
        return self.line.subscriptions.get(self.project_id) is not self

    async def end(self, reason, **extra):
        self.drop()
        await self.line.send_frame(type="unsubscribed", project=self.project_id, reason=reason, **extra)

    async def resync(self):
        self.drop()
        tally.resyncs += 1
        await self.line.send_frame(type="resync", project=self.project_id)

    def drop(self):
        """Follow no longer, without a word."""
        if not self.is_over:
            del self.line.subscriptions[self.project_id]
        self.feed.live.discard(self)
        self.feed.catching_up.discard(self)
        self.line.hub.forget(self.feed)
        if self.catch_up and self.catch_up is not asyncio.current_task():
            self.catch_up.cancel()


class Hub:
    """Feeds and lines of one event loop, which is to say of one process."""

    of_loop = WeakKeyDictionary()

    def __init__(self):
        self.feeds = {}
        self.lines = set()
        metrics.hubs.add(self)
        self.people = {}  # user id: the lines that they authenticated
        self.suspects, self.alarm = set(), asyncio.Event()  # users whose tokens may have ended
        self.tasks = [asyncio.create_task(run()) for run in (self.listen, self.guard, self.heal, self.tick)]

    @classmethod
    def current(cls):
        loop = asyncio.get_running_loop()
        if loop not in cls.of_loop:
            cls.of_loop[loop] = cls()
        return cls.of_loop[loop]

    async def send_away(self):
        """Close all lines since the server ends; their clients come back to another."""
        for line in tuple(self.lines):
            await attempt(line, line.leave, RESTARTING)

    async def close(self):
        """Stop working, as at the end of the process."""
        for line in tuple(self.lines):
            line.drop_all()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.of_loop.pop(asyncio.get_running_loop(), None)

    def lines_of(self, person):
        return self.people.setdefault(person.id, set())

    def forget_line(self, line):
        self.lines.discard(line)
        if line.person:
            self.lines_of(line.person).discard(line)
            if not self.people[line.person.id]:
                del self.people[line.person.id]

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
        layer, channel = get_channel_layer(), None
        while True:
            try:
                channel = channel or await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    self.hear(await layer.receive(channel))
            except Exception as error:
                logger.warning("The doorbell is out of order: %s", error or type(error).__name__)
                await asyncio.sleep(1)

    def hear(self, message):
        for project_id in message["projects"]:
            if feed := self.feeds.get(project_id):
                tally.bells += 1
                feed.news.set()
        if message["users"]:
            self.suspects.update(message["users"])
            self.alarm.set()

    async def guard(self):
        """Look at the people that the bell names, and let nobody's news wait for that."""
        while True:
            await self.alarm.wait()
            self.alarm.clear()
            suspects, self.suspects = self.suspects, set()
            try:
                await self.check_people(suspects)
            except Exception:  # the database is away: the next look at all of them tries again
                logger.exception("Could not look at the people")

    async def heal(self):
        """Look at the heads and at the people each second, for bells that were lost."""
        while True:
            await asyncio.sleep(settings.WEBSOCKET["HEAL_EVERY"])
            for feed in self.feeds.values():
                feed.recent.clear()
            try:
                await self.check_heads()
                await self.check_people(self.people)
            except Exception:
                logger.exception("Could not look for news")

    async def check_heads(self):
        told = {feed: feed.place for feed in self.feeds.values()}
        heads = await reader.heads([feed.project_id for feed in told]) if told else {}
        for feed, place in told.items():
            head = heads.get(feed.project_id)
            if head and head.seq > place.seq:
                tally.healed += 0 if feed.news.is_set() or feed.place != place else head.seq - place.seq
                feed.news.set()
            elif head != place:  # another history: a backup was restored
                await feed.resync()

    async def check_people(self, user_ids):
        """Close the lines of those whose token has ended early: deactivated, logged out, or with a new password."""
        told = [(line, line.person) for pk in user_ids for line in self.people.get(pk, ())]
        valid = await reader.valid({person for _, person in told}) if told else set()
        for line, person in told:
            if person not in valid and line.person is person:
                await attempt(line, line.fail, 4401, "token_revoked", "This token has ended. Log in again.")

    async def tick(self):
        while True:
            await asyncio.sleep(1)
            for line in tuple(self.lines):
                await attempt(line, line.tick, time.time())
