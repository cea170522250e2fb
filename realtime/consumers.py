"""The WebSocket: what a client may say, and how much of what it is told may go unanswered. See docs/realtime.md."""

import asyncio
import json
import logging
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from rest_framework.exceptions import APIException, Throttled

from realtime import metrics, reader, throttling
from realtime.hub import Hub, Subscription
from realtime.wire import INTERNAL, TOO_LARGE, TOO_MANY, WRITE, framed
from tickethub.errors import Gone
from tickethub.middleware import request_id
from tickethub.parsers import read_json

logger = logging.getLogger(__name__)
PING = '{"type": "ping"}'


class Refused(Exception):
    """What a client said cannot be done. The line stays."""

    def __init__(self, code, detail):
        super().__init__(detail)
        self.code = code


class Window:
    """How much of what was sent the client has not answered for: pings ask, pongs answer in the same order."""

    def __init__(self, size):
        self.size = size
        self.sent = self.answered = self.asked = 0
        self.pings = deque()
        self.was_answered = asyncio.Event()

    @property
    def unanswered(self):
        return self.sent - self.answered

    def add(self, size):
        """Count what is sent; True when it is time to ask."""
        self.sent += size
        return self.sent - self.asked > self.size // 4

    def ask(self):
        self.asked = self.sent
        self.pings.append(self.sent)

    def answer(self):
        self.answered = self.pings.popleft()
        self.was_answered.set()

    def has_room(self, size):
        """Whether so much more may be sent to who catches up. The other half is for what happens meanwhile: of that
        some is always unanswered, so that what is larger by itself does not wait for nothing to be.
        """
        return self.unanswered <= max(self.size // 2 - size, self.size // 8)


class LineConsumer(AsyncWebsocketConsumer):
    """One WebSocket, called a line."""

    channel_layer_alias = "the hub has the one channel"  # or Channels would open one for each socket

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.limits = settings.WEBSOCKET
        self.window = Window(self.limits["WINDOW"])
        self.person = None
        self.subscriptions = {}
        self.is_authenticating = self.is_closing = False
        self.opened_at = self.minute = self.pinged_at = time.time()
        self.messages = 0
        self.close_code = None

    # --- The line itself ---

    async def __call__(self, scope, receive, send):
        self.write = scope.get("extensions", {}).get(WRITE)
        self.hub = Hub.current()
        self.address = throttling.address_of(scope)
        headers = dict(scope["headers"])
        self.about = {"request_id": request_id(headers.get(b"x-request-id", b"").decode("latin-1"))}
        try:
            await super().__call__(scope, receive, send)
        finally:  # also where the server cancels this, as it does when the client goes while the database hangs
            self.is_closing = True
            self.drop_all()
            self.hub.forget_line(self)
            self.note("A WebSocket closed", code=self.close_code, seconds=round(time.time() - self.opened_at, 1))
            metrics.closed(self.close_code)

    async def connect(self):
        await self.accept()
        self.hub.lines.add(self)  # not before: who is sent away while connecting would be refused instead
        self.note("A WebSocket opened")

    async def disconnect(self, code):
        self.close_code = self.close_code or code

    def note(self, words, **fields):
        logger.info(words, extra={"fields": fields, **self.about})

    def drop(self, *project_ids):
        """Follow these projects no longer."""
        for project_id in project_ids:
            if subscription := self.subscriptions.get(project_id):
                subscription.drop()

    def drop_all(self):
        self.drop(*self.subscriptions)

    async def leave(self, close_code):
        """Close, without a word."""
        if not self.is_closing:
            self.is_closing, self.close_code = True, close_code
            self.drop_all()
            await self.close(close_code)

    async def fail(self, close_code, code, detail):
        """Say why, and close."""
        if not self.is_closing:
            try:
                await self.put([json.dumps({"type": "error", "code": code, "detail": detail})])
            finally:
                await self.leave(close_code)

    async def give_up(self):
        """Close a line that we failed."""
        await self.fail(INTERNAL, "internal", "Something went wrong here. Come back with the cursor.")

    async def fail_slow(self):
        await self.fail(4408, "too_slow", "Too much is unanswered. Come back with the cursor.")

    async def send_frame(self, **frame):
        told = {name: value for name, value in frame.items() if value is not None}
        await self.send_within_window([json.dumps(told)])

    async def send_batch(self, batch):
        await self.send_within_window(batch.texts, batch.data)

    async def send_within_window(self, texts, data=None):
        """Send frames, unless too much is unanswered: kept for a reader that stalls, it would fill the server."""
        if self.is_closing:
            return
        if max(self.window.unanswered, self.unsent) > self.window.size:
            await self.fail_slow()
            return
        if self.window.add(await self.put(texts, data)):
            await self.ping()

    @property
    def unsent(self):
        """The bytes that the server still keeps: of a client that answers pings it has not read, this tells."""
        return self.write.unsent() if self.write else 0

    async def put(self, texts, data=None):
        """Send frames, as the bytes they are already where the server takes those. Give how many bytes."""
        data = data or b"".join(map(framed, texts))
        metrics.tally.bytes += len(data)
        if self.write:
            self.write(data)
        else:
            for text in texts:
                await self.send(text)
        return len(data)

    async def ping(self):
        self.window.ask()
        self.pinged_at = time.time()
        await self.put([PING])

    async def room(self, size):
        """Wait until the client has answered for enough, so that catching up does not run it over by so many bytes."""
        try:
            while not self.window.has_room(size):  # others who waited as well may have filled it by now
                self.window.was_answered.clear()
                if not self.window.pings:
                    await self.ping()
                async with asyncio.timeout(self.limits["ROOM_WITHIN"]):
                    await self.window.was_answered.wait()
        except TimeoutError:
            await self.fail(4408, "too_slow", "The pings were not answered. Come back with the cursor.")

    async def tick(self, now):
        """What time brings, looked at each second."""
        # Where the clock was set back, what it said before is now: else no ping would come until it is there again.
        self.opened_at, self.minute, self.pinged_at = (
            min(moment, now) for moment in (self.opened_at, self.minute, self.pinged_at)
        )
        if self.unsent > self.window.size:  # as answers to the protocol's own pings alone can make it
            await self.fail_slow()
        if self.is_authenticating:
            pass  # it takes as long as the database does
        elif self.person is None:
            if now > self.opened_at + self.limits["AUTHENTICATE_WITHIN"]:
                await self.fail(4401, "not_authenticated", "No token came in time.")
        elif now >= self.person.expires_at + self.limits["EXPIRY_GRACE"]:
            await self.fail(4401, "token_expired", "The token has expired. Refresh it and come back with the cursor.")
        if now >= self.pinged_at + self.limits["PING_EVERY"] and not self.is_closing:
            await self.ping()

    # --- What the client says ---

    async def receive(self, text_data=None, bytes_data=None):
        data = bytes_data if text_data is None else text_data.encode()
        if self.is_closing or not await self.may_speak(len(data)):
            return
        ref = None
        try:
            message = parse(text_data)
            ref = message.get("ref")
            await self.answer(message, ref)
        except Refused as refusal:
            await self.send_frame(type="error", code=refusal.code, detail=str(refusal), ref=ref)
        except Exception:
            logger.exception("A message could not be handled", extra=self.about)
            await self.send_frame(type="error", code="internal", detail="Something went wrong here.", ref=ref)

    async def may_speak(self, size):
        if size > self.limits["MAX_FRAME"]:
            await self.leave(TOO_LARGE)
            return False
        now = time.time()
        if now >= self.minute + 60:
            self.minute, self.messages = now, 0
        self.messages += 1
        if self.messages > self.limits["MAX_MESSAGES_PER_MINUTE"]:
            await self.fail(4429, **TOO_MANY)
            return False
        return True

    async def answer(self, message, ref):
        handlers = {
            "authenticate": self.on_authenticate,
            "subscribe": self.on_subscribe,
            "unsubscribe": self.on_unsubscribe,
            "pong": self.on_pong,
        }
        kind = message.get("type")
        if not isinstance(kind, str) or kind not in handlers:
            raise Refused("unknown_type", "A frame has one of the types: " + ", ".join(handlers) + ".")
        if self.person is None and kind not in {"authenticate", "pong"}:
            raise Refused("not_authenticated", "Authenticate first.")
        await handlers[kind](message, ref)

    async def on_authenticate(self, message, ref):
        person = await self.person_of(word(message, "token").encode())
        if person is None:
            return
        if self.person and person.id != self.person.id:
            raise Refused("other_user", "This line is another person's. Open one of your own.")
        lines = self.hub.lines_of(person)
        if self not in lines and len(lines) >= self.limits["MAX_LINES"]:
            await self.fail(4429, "too_many_lines", "You have as many lines open as one may. Close another one.")
            return
        lines.add(self)
        if self.person is None:
            self.note("A WebSocket authenticated", user=person.id)
        self.person = person
        expires_at = datetime.fromtimestamp(person.expires_at, UTC).isoformat().replace("+00:00", "Z")
        await self.send_frame(type="authenticated", user=person.id, expires_at=expires_at, ref=ref)

    async def person_of(self, token):
        """The Person of a token. None where this closes the line: for a bad one, or because none could be looked at."""
        self.is_authenticating = True
        try:
            await throttling.look("token", self.address)
            return await reader.authenticate(token)
        except Throttled:
            await self.fail(4429, "too_many_tokens", "Too many bad tokens came from your address. Wait a minute.")
        except APIException:
            with suppress(Throttled):
                await throttling.take("token", self.address)  # good ones do not count: an office has one address
            await self.fail(4401, "token_not_valid", "This token is not valid. Log in or refresh it.")
        except Exception:
            if self.person:  # the token before this one is as good as it was
                raise
            logger.exception("A token could not be looked at", extra=self.about)
            await self.give_up()
        finally:
            self.is_authenticating = False
        return None

    async def on_subscribe(self, message, ref):
        if time.time() >= self.person.expires_at:
            raise Refused("token_expired", "The token has expired. Authenticate with a new one first.")
        name, after = word(message, "project"), word(message, "after") if message.get("after") is not None else None
        try:
            grant = await reader.grant(self.person.id, name, after)
        except ValueError as error:
            raise Refused("invalid", str(error)) from error
        except Gone as gone:
            self.drop(gone.project_id)
            metrics.tally.resyncs += 1
            await self.send_frame(type="resync", project=gone.project_id, ref=ref)
            return
        if grant is None:
            raise Refused("not_found", "There is no such project.")
        self.drop(grant.project_id)
        if len(self.subscriptions) >= self.limits["MAX_SUBSCRIPTIONS"]:
            raise Refused("too_many_subscriptions", "This line follows as many projects as one may.")
        await self.send_frame(type="subscribed", project=grant.project_id, cursor=grant.start.cursor, ref=ref)
        if not self.is_closing:
            self.subscriptions[grant.project_id] = Subscription(self, grant)

    async def on_unsubscribe(self, message, ref):
        name = word(message, "project")
        project_id = await reader.project_id(name)
        subscription = self.subscriptions.get(project_id)
        if subscription is None:
            raise Refused("not_subscribed", "This line does not follow such a project.")
        await subscription.end("requested", ref=ref)

    async def on_pong(self, message, ref):
        if self.window.pings:
            self.window.answer()
            self.messages -= 1  # what was asked for is free


def parse(text):
    """The message in a frame. Raises Refused for what is no JSON object."""
    try:
        message = read_json(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise Refused("malformed", "A frame is a JSON object.") from error
    if not isinstance(message, dict):
        raise Refused("malformed", "A frame is a JSON object.")
    return message


def word(message, name):
    """A text that a message must have. Raises Refused otherwise, and for text that nothing could be named by."""
    value = message.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Refused("invalid", f"`{name}` has to be a text.")
    return value
