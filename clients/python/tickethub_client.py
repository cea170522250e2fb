"""A client of TicketHub for asyncio: REST with tokens that renew themselves, and live replicas of projects.

    async with TicketHub("http://localhost:8000", email="ada@example.org", password="…") as hub:
        replica = hub.follow("DEMO")
        await replica.ready()
        async for change in replica.changes():
            print(change.kind, change.event, len(replica.objects["task"]))

One file; Python 3.11 or newer, httpx and websockets. What the server promises stands in docs/realtime.md.
"""

import asyncio
import json
import logging
import random
import secrets
import ssl
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, partial
from itertools import count
from typing import Any, NamedTuple

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

logger = logging.getLogger("tickethub")

LISTS = {
    "membership": "memberships/",
    "status": "statuses/",
    "label": "labels/",
    "task": "tasks/",
    "relation": "relations/",
    "comment": "comments/",
}
THINGS = ("project", *LISTS)
HANGS_ON_TASK = {"comment": ("task",), "relation": ("source", "target")}  # and is deleted with it, without an event
KEPT_WHEN_ENDED = {"requested", "signed_out"}  # reasons that leave the replica as it was

PAGE = 100  # rows
TIMEOUT = 30  # seconds for a server to go on with its answer
IMPORTING = 600  # the same for an import, which answers when all is written
SILENCE = 60  # seconds; the server pings at least every 30, so a line that is silent for longer is dead
ANSWERING = 30  # seconds for the answer to a subscription, without which a line is no better than dead
LONGEST_WAIT = 30  # seconds between two attempts
LIMITED_WAIT = 60  # seconds to stay away after too many messages
DEFAULT_RETRY_AFTER = 5  # seconds, where a 429 or a 503 does not say
RENEW_AGAIN = 60  # seconds, where a token ended long ago, or is about to, by this computer's clock
SOON = 10  # seconds
BACKLOG = 10_000  # changes that wait for a slow reader
MAX_FRAME = 16 * 1024 * 1024  # bytes; the server's are 1 MiB at most


class ApiError(Exception):
    """An answer with a status of 400 or more: `code` is for the program, `detail` for a person."""

    def __init__(self, status, code, detail, response=None):
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.response = status, code, detail, response

    @classmethod
    def of(cls, response):
        try:
            body = response.json()
            code, detail = body.get("code", "error"), body.get("detail", response.text)
        except (ValueError, AttributeError):  # not ours: a proxy's
            code, detail = "error", response.text[:500]
        return cls(response.status_code, code, detail, response)


class SignedOut(ApiError):
    """No token is to be had: the refresh token was refused, and there are no credentials or they were refused too."""


class Ended(Exception):
    """The project is followed no longer, for this `reason`, and never was loaded."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Change(NamedTuple):
    """What happened to a replica: it was `loaded` (look at all of it), `resumed`, changed by an `event`, or `ended`."""

    kind: str
    event: dict[str, Any] | None = None
    reason: str | None = None


BUSY = {429, 503}  # ask again, as late as the answer says
BROKEN = (OSError, WebSocketException, httpx.HTTPError, ApiError)  # what passes: trying again may help


def backoff(attempt):
    """Seconds to wait after so many failures in a row, by chance, so that clients do not come back all at once."""
    return random.random() * min(LONGEST_WAIT, 1.5 ** min(attempt, 20))


def retry_after(response):
    """Seconds to wait before asking again, as the server says, and a little by chance."""
    try:
        seconds = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        seconds = DEFAULT_RETRY_AFTER
    return max(0.1, seconds) * (1 + random.random() / 4)


def new_key():
    return secrets.token_hex(16)


@cache
def tls():
    """The one TLS context of all connections: each takes its time and half a megabyte."""
    return ssl.create_default_context()


class Rest:
    """REST as one person."""

    def __init__(
        self, url, *, email=None, password=None, access=None, refresh=None, key=None, on_tokens=None, http=None
    ):
        self.urls = [one.rstrip("/") for one in ([url] if isinstance(url, str) else url)]
        self.credentials = email and {"email": email, "password": password}
        self.access, self.refresh, self.on_tokens = access, refresh, on_tokens
        self._owns_http = http is None
        is_secure = any(one.startswith("https:") for one in self.urls)
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, verify=tls() if is_secure else False)
        self._tasks, self._renewal = set(), None
        self.key = key or new_key()  # with it a refresh whose answer was lost may be sent again

    async def request(self, method, path, *, headers=None, **options):
        """Give the httpx.Response of a path below /api/v1/; `json`, `params`, `timeout` and the like are httpx's.

        Renews the token at 401 and waits at 429 and 503. Raises ApiError for any other status from 400 on, and
        httpx.TransportError where no server could be reached or an answer was lost.
        """
        if path.endswith("/import/"):
            options.setdefault("timeout", httpx.Timeout(IMPORTING, connect=TIMEOUT, pool=TIMEOUT))
        needs_token = path == "auth/password/change/" or not path.startswith("auth/")
        if not needs_token or not (self.access or self.refresh or self.credentials):
            response = await self._send(method, path, headers=headers, **options)
        else:
            response = await self._send_signed(method, path, headers or {}, **options)
        if response.status_code >= 400:
            raise ApiError.of(response)
        return response

    async def load(self, path, **filters):
        """Give a whole list as {id: row}, missing no row that is there all the while.

        Rows that are deleted meanwhile make later ones slip forward, over the edge of a page. So each page has to begin
        with a row that is known from the one before; where it does not, go back a little.
        """
        rows, offset = {}, 0
        while True:
            page = (await self.request("GET", path, params={**filters, "limit": PAGE, "offset": offset})).json()
            results = page["results"]
            if offset and not (results and results[0]["id"] in rows):
                offset = max(0, offset - PAGE // 2)
                continue
            rows |= {row["id"]: row for row in results}
            if page["next"] is None:
                return rows
            offset += len(results) - 1

    async def login(self):
        """Log in by email and password. Raises SignedOut if there are none, or wrong ones."""
        if not self.credentials:
            raise SignedOut(401, "signed_out", "There is no email and password to log in with.")
        response = await self._send("POST", "auth/token/", json=self.credentials)
        if response.status_code in {400, 401, 403}:
            raise SignedOut.of(response)
        self._keep_tokens(response)

    async def token(self, stale=None):
        """Give an access token other than the stale one. Many who ask at once share one renewal."""
        if self.access and self.access != stale:
            return self.access
        if self._renewal is None or self._renewal.done():
            self._renewal = self._spawn(self._renew())
        await asyncio.shield(self._renewal)  # a refresh token works once: nobody's impatience may lose the answer
        return self.access

    async def _renew(self):
        if self.refresh:
            spent = {"refresh": self.refresh, "idempotency_key": self.key}
            response = await self._send("POST", "auth/token/refresh/", json=spent)
            if response.status_code not in {400, 401, 403}:
                self._keep_tokens(response)
                return
            self.refresh = None
        await self.login()

    def _keep_tokens(self, response):
        if not response.is_success:
            raise ApiError.of(response)
        tokens = response.json()
        self.access, self.refresh = tokens["access"], tokens.get("refresh", self.refresh)
        self.key = new_key()
        if self.on_tokens:
            call(self.on_tokens, self.access, self.refresh)

    async def _send_signed(self, method, path, headers, **options):
        token = await self.token()
        signed = {**headers, "Authorization": f"Bearer {token}"}
        response = await self._send(method, path, headers=signed, **options)
        if response.status_code == 401:
            signed["Authorization"] = f"Bearer {await self.token(stale=token)}"
            response = await self._send(method, path, headers=signed, **options)
        return response

    async def _send(self, method, path, **options):
        while True:
            response = await self._send_once(method, path, **options)
            if response.status_code not in BUSY:
                return response
            await asyncio.sleep(retry_after(response))

    async def _send_once(self, method, path, **options):
        """Ask a server, and the next where that one cannot be reached and asking twice does no harm."""
        for left, url in zip(reversed(range(len(self.urls))), random.sample(self.urls, len(self.urls)), strict=True):
            try:
                return await self._http.request(method, f"{url}/api/v1/{path}", **options)
            except httpx.TransportError as error:
                was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if not left or (was_sent and method != "GET"):
                    raise
        raise AssertionError("There is always a server to ask")

    def _spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._forget_task)
        return task

    def _forget_task(self, task):
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error and not isinstance(error, BROKEN):  # those were raised to whoever waited for it
            logger.error("A task failed", exc_info=error)


class TicketHub(Rest):
    """A server of TicketHub, or several of one installation, as one person: REST, and one line for all live projects.

    `url` is an address or several. The tokens come from `email` and `password`, or are given; `on_tokens(access,
    refresh)` is called with each new pair. `http` is an httpx.AsyncClient to share, which stays open.
    """

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.user_id = None
        self.is_connected = False  # and let in
        self.closes = Counter()
        self._replicas, self._of_ref, self._of_project = [], {}, {}
        self._refs, self._wanted = count(1), asyncio.Event()
        self._line = self._line_token = self._refused_token = self._runner = None
        self._attempt = self._heard_at = 0
        self._timers = {}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self._end_all("requested")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._owns_http:
            await self._http.aclose()

    def follow(self, project, *, things=THINGS, cursor=None, objects=None, load=None, on_event=None):
        """Give the Replica of a project, by id or key, which loads itself in the background.

        `cursor` and `objects` are those of an earlier replica, to go on from there. `load(hub, project_id)` is awaited
        for {thing: {id: object}}, in place of loading by REST. `on_event(event)` is called for each event as applied.
        """
        if any(project in (replica.name, replica.project) for replica in self._replicas):
            raise ValueError(f"{project} is followed already")
        replica = Replica(self, project, things, cursor, objects, load, on_event)
        self._replicas.append(replica)
        self._wanted.set()
        self._runner = self._runner or self._spawn(self._run())
        if self.is_connected:
            self._spawn(self._subscribe(replica))
        return replica

    def cut(self):
        """Lose the line without a goodbye. It comes back by itself."""
        if self._line:
            self._line.transport.abort()

    # --- The line ---

    async def _run(self):
        while True:
            await self._wanted.wait()
            code = None
            try:
                code = await self._hold_line()
            except SignedOut as error:
                logger.warning("Signed out: %s", error)
                self._end_all("signed_out")
                continue
            except InvalidStatus as error:
                logger.info("No line: %r", error)
                if error.response.status_code in BUSY:
                    await asyncio.sleep(retry_after(error.response))
            except BROKEN as error:
                logger.info("No line: %r", error)
            except Exception:
                logger.exception("The line failed")
            await asyncio.sleep(self._pause_after(code))

    def _pause_after(self, code):
        if code == 4429:
            return LIMITED_WAIT * (1 + random.random() / 4)
        self._attempt += 1
        return backoff(self._attempt - 1)

    async def _hold_line(self):
        """Read one connection until it breaks; give its close code."""
        token = await self.token(stale=self._refused_token)
        url = random.choice(self.urls).replace("http", "ws", 1) + "/ws/v1/"
        options = {"ssl": tls()} if url.startswith("wss:") else {}
        self._line = line = await connect(
            url, proxy=None, compression=None, max_size=MAX_FRAME, ping_interval=None, close_timeout=2, **options
        )
        try:
            self._heard()
            self._watch()
            await self._authenticate(token)
            while True:
                text = await line.recv()
                self._heard()
                await self.receive(text)
        except ConnectionClosed:
            return self._closed(line.close_code)
        finally:
            self._lose_line()
            await line.close()

    def _closed(self, code):
        self.closes[code] += 1
        if code == 4401:
            self._refused_token = self._line_token
        logger.info("The line was closed with %s", code)
        return code

    def _lose_line(self):
        self._line, self.is_connected = None, False
        self._of_ref.clear()
        self._of_project.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _heard(self):
        self._heard_at = time.time()  # which goes on while the computer sleeps

    def _watch(self):
        """Cut a line that fell silent. One timer looks now and then: one for each frame would cost more."""
        left = self._heard_at + SILENCE - time.time()
        if left <= 0:
            self.cut()
        else:
            self._later("silence", min(left, SOON), self._watch)

    def _later(self, name, seconds, act):
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, act)

    async def _authenticate(self, token):
        self._line_token = token
        await self._say(type="authenticate", token=token)

    def _plan_renewal(self, seconds):
        if old := self._timers.get("renewal"):
            old.cancel()
        self._later("renewal", seconds, lambda: self._spawn(self._extend(self._line)))

    async def _extend(self, line):
        """Extend the line in time; the answer is another `authenticated`."""
        try:
            token = await self.token(stale=self._line_token)
        except SignedOut:
            self._sign_out()
        except BROKEN as error:
            logger.info("The token could not be renewed: %r", error)
            if self._line is line:
                self._plan_renewal(backoff(4))
        else:
            if self._line is line:
                await self._authenticate(token)

    def _sign_out(self):
        self._end_all("signed_out")
        if self._line:
            self._spawn(self._line.close())

    def _end_all(self, reason):
        for replica in list(self._replicas):
            replica._end(reason)

    def _forget(self, replica):
        self._replicas.remove(replica)
        if self._of_project.get(replica.project) is replica:
            del self._of_project[replica.project]
        if not self._replicas:
            self._wanted.clear()

    async def _say(self, **frame):
        if self._line:
            with suppress(ConnectionClosed):  # whoever reads is told, and comes back
                await self._line.send(json.dumps(frame))

    async def _subscribe(self, replica, after=0):
        """Subscribe, after some seconds; unless by then the line is another or the replica has ended."""
        line = self._line
        if after:
            await asyncio.sleep(after)
        if self.is_connected and self._line is line and replica in self._replicas:
            ref = str(next(self._refs))
            self._of_ref[ref] = replica
            self._later(ref, ANSWERING, self.cut)
            position = {"after": replica._position} if replica._position else {}
            await self._say(type="subscribe", project=replica.project or replica.name, ref=ref, **position)

    def _answered(self, frame):
        """Give the replica of the subscription that a frame answers, None if there is none."""
        ref = frame.get("ref")
        if timer := self._timers.pop(ref, None):
            timer.cancel()
        return self._of_ref.pop(ref, None)

    # --- What the server says ---

    async def receive(self, text):
        """Take a frame. Override it to see all that the server says."""
        frame = json.loads(text)
        if answer := self._ANSWERS.get(frame["type"]):  # types that are added to the protocol later are none of ours
            await answer(self, frame)

    async def _on_event(self, frame):
        if (replica := self._of_project.get(frame["project"])) and not replica._take(frame):
            del self._of_project[frame["project"]]  # what the broken line still brings is not to be counted
            self.cut()

    async def _on_ping(self, frame):
        await self._say(type="pong")

    async def _on_authenticated(self, frame):
        self.user_id = frame["user"]
        if self.refresh or self.credentials:  # else it lasts as long as the token
            left = (datetime.fromisoformat(frame["expires_at"]) - datetime.now(UTC)).total_seconds()
            self._plan_renewal(left * 0.8 if left > SOON else RENEW_AGAIN)
        if not self.is_connected:
            self.is_connected = True
            for replica in list(self._replicas):
                await self._subscribe(replica)

    async def _on_subscribed(self, frame):
        project, replica = frame["project"], self._answered(frame)
        self._attempt = 0
        other = self._of_project.get(project)
        if replica and replica in self._replicas and other in (replica, None):
            self._of_project[project] = replica
            replica._begin(project, frame["cursor"])
        elif other:  # the same by another name: one subscription cannot serve both, and the older has lost it
            replica._end("duplicate")
            await self._subscribe(other)
        else:  # unfollowed meanwhile
            await self._say(type="unsubscribe", project=project)

    async def _on_resync(self, frame):
        replica = self._answered(frame) or self._of_project.pop(frame["project"], None)
        if replica:
            replica._start_over()
            await self._subscribe(replica)

    async def _on_unsubscribed(self, frame):
        replica = self._of_project.pop(frame["project"], None)
        if replica and frame["reason"] == "requested":  # by one that followed the project before this one
            await self._subscribe(replica)
        elif replica:
            replica._end(frame["reason"])

    async def _on_error(self, frame):
        code, replica = frame.get("code"), self._answered(frame)
        logger.log(logging.INFO if replica else logging.WARNING, "The server says: %s", frame)
        if replica is None:
            return
        if code == "not_found" or (code == "invalid" and not replica._position):
            replica._end("not_found")
            return
        if code == "invalid":  # this cursor never was one
            replica._start_over()
        elif code == "token_expired":
            self._spawn(self._extend(self._line))
        replica._attempt += 1
        self._spawn(self._subscribe(replica, after=backoff(replica._attempt)))

    _ANSWERS = {
        "event": _on_event,
        "ping": _on_ping,
        "authenticated": _on_authenticated,
        "subscribed": _on_subscribed,
        "resync": _on_resync,
        "unsubscribed": _on_unsubscribed,
        "error": _on_error,
    }


class Replica:
    """What one project holds, kept by events. Made by `TicketHub.follow`.

    `objects` is {thing: {id: object}} and stands at `cursor`: between two awaits both are of one moment, so save both
    together. Objects are replaced, never changed. `seq` is the number of the last event applied, None before the first.
    `gaps`, `duplicates`, `resyncs` and `resumes` count what the line did. `reason` says why it ended, None until then.
    """

    def __init__(self, hub, name, things, cursor, objects, load, on_event):
        self.hub, self.name, self.project = hub, name, None
        self.cursor, self.objects = cursor, {thing: dict((objects or {}).get(thing, {})) for thing in things}
        self.seq = self.reason = None
        self.gaps = self.duplicates = self.resyncs = self.resumes = 0
        self._loader, self._on_event = load or partial(load_project, things=things), on_event
        self._position, self._last = cursor, None  # cursor and number of what came last, be it applied or held
        self._held = self._loading = None  # events that came while loading, and the task that does; None: not loading
        self._attempt = 0
        self._queues = []
        self._settled, self._over, self._was_ready = asyncio.Event(), asyncio.Event(), False

    async def ready(self):
        """Wait until the replica is loaded and live. Raises Ended if it ends before."""
        await self._settled.wait()
        if not self._was_ready:
            raise Ended(self.reason)

    async def ended(self):
        """Wait for the end; give the reason.

        It is `access_revoked`, `deleted`, `not_found` (these empty the replica), `requested`, `signed_out`, or
        `duplicate` for a project that is followed by another name already.
        """
        await self._over.wait()
        return self.reason

    def changes(self):
        """Iterate, asynchronously, over a Change for all that happens from now on; the last is `ended`.

        A reader who falls 10,000 changes behind gets one `loaded` with the reason `overflow` in place of them: the
        replica is right, but what led to it is skipped. `on_event` skips nothing.
        """
        queue = asyncio.Queue()
        self._queues.append(queue)
        if self.reason:
            queue.put_nowait(Change("ended", reason=self.reason))
        return self._read(queue)

    async def _read(self, queue):
        try:
            while True:
                change = await queue.get()
                yield change
                if change.kind == "ended":
                    return
        finally:
            self._queues.remove(queue)

    async def unfollow(self):
        """Follow no longer. The objects stay as they are."""
        is_subscribed = self.project and self.hub._of_project.get(self.project) is self
        self._end("requested")
        if is_subscribed:
            await self.hub._say(type="unsubscribe", project=self.project)

    # --- For the hub ---

    def _begin(self, project, cursor):
        """Go on: the server will send what comes after the cursor. Load what was before, unless it is there."""
        self.project, self._attempt = project, 0
        if self._position is None:
            self._position, self._last, self._held = cursor, None, []
            self._loading = self.hub._spawn(self._load(cursor))
            return
        self.resumes += 1
        if self._held is None:
            self._set_ready()
            self._tell(Change("resumed"))

    def _start_over(self):
        """Load anew at the next `subscribed`. What is held until then stays for whoever looks."""
        self.resyncs += 1
        self._stop_loading()
        self._position = None

    def _stop_loading(self):
        if self._loading:
            self._loading.cancel()
        self._loading = self._held = None

    async def _load(self, cursor):
        """Load, then apply what came meanwhile. A line that breaks in between does not matter: nothing held is lost."""
        for attempt in count():
            try:
                loaded = await self._loader(self.hub, self.project)
                objects = {thing: dict(loaded.get(thing, {})) for thing in self.objects}
                break
            except SignedOut:
                self.hub._sign_out()
                return
            except BROKEN as error:
                logger.info("%s could not be loaded: %r", self.name, error)
            except Exception:
                logger.exception("%s could not be loaded", self.name)
            await asyncio.sleep(backoff(attempt))
        self.objects, self.cursor, self.seq = objects, cursor, None
        held, self._held, self._loading = self._held, None, None
        self._tell(Change("loaded"))
        for event in held:
            self._apply(event)
        self._set_ready()

    def _set_ready(self):
        self._was_ready = True
        self._settled.set()

    def _take(self, frame):
        """Take an event; give False where some are missing before it."""
        seq = frame["seq"]
        if self._last is not None and seq != self._last + 1:
            is_old = seq <= self._last
            self.duplicates += is_old
            self.gaps += not is_old
            return is_old
        frame["type"] = frame.pop("event")
        self._last, self._position = seq, frame["cursor"]
        if self._held is None:
            self._apply(frame)
        else:
            self._held.append(frame)
        return True

    def _apply(self, event):
        thing, _, verb = event["type"].partition(".")
        if verb == "deleted":
            self._remove(thing, event["id"])
        elif event["object"]:
            if thing in self.objects:
                self._put(thing, event["id"], event["object"])
            if thing == "membership" and event["object"]["user"]["id"] == self.hub.user_id:
                self._set_role(event["object"]["role"])
        self.cursor, self.seq = event["cursor"], event["seq"]
        if self._on_event:
            call(self._on_event, event)
        if self._queues:
            self._tell(Change("event", event))

    def _put(self, thing, key, row):
        old = self.objects[thing].get(key, {})
        if thing == "project" and "role" in old:  # each reader's own, and so in no event
            row = {"role": old["role"], **row}
        self.objects[thing][key] = row

    def _set_role(self, role):
        projects = self.objects.get("project", {})
        if "role" in projects.get(self.project, {}):
            projects[self.project] = {**projects[self.project], "role": role}

    def _remove(self, thing, key):
        if thing == "project":
            self._empty()
        elif thing in self.objects:
            self.objects[thing].pop(key, None)
        if thing == "task":
            for other, fields in HANGS_ON_TASK.items():
                rows = self.objects.get(other, {})
                for gone in [pk for pk, row in rows.items() if key in [row[field] for field in fields]]:
                    del rows[gone]

    def _empty(self):
        self.objects = {thing: {} for thing in self.objects}

    def _end(self, reason):
        if self.reason:
            return
        self.reason = reason
        self.hub._forget(self)
        self._stop_loading()
        if reason not in KEPT_WHEN_ENDED:
            self._empty()
            self.cursor = None
        self._settled.set()
        self._over.set()
        self._tell(Change("ended", reason=reason))

    def _tell(self, change):
        for queue in self._queues:
            if queue.qsize() < BACKLOG or change.kind == "ended":
                queue.put_nowait(change)
                continue
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(Change("loaded", reason="overflow"))


async def load_project(hub, project, things=THINGS):
    """Give all that a project holds, as {thing: {id: object}}, read by REST."""
    objects = {thing: await hub.load(path, project=project) for thing, path in LISTS.items() if thing in things}
    if "project" in things:
        objects["project"] = {project: (await hub.request("GET", f"projects/{project}/")).json()}
    return objects


def call(function, *arguments):
    """Call what the application gave. Its failures are its own."""
    try:
        function(*arguments)
    except Exception:
        logger.exception("%r failed", function)
