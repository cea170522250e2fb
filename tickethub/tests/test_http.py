"""How requests are served: each in one thread, and no more at once than there are connections."""

import asyncio
import gc
import threading
import time
import weakref
from contextlib import closing, nullcontext
from types import SimpleNamespace

import pytest
from django.core import signals
from django.db import connection, connections
from django.http import HttpResponse

from tickethub import http, threads
from tickethub.http import Handler
from tickethub.intake import CUT_OFF
from tickethub.streaming import PiecewiseResponse
from tickethub.transactions import TURN, in_transaction


@pytest.fixture
def at_work():
    """What is under way now, and what was at most."""
    return {"now": 0, "most": 0, "paths": []}


@pytest.fixture
def handler(monkeypatch, at_work):
    """A handler whose answers take a moment."""
    handler, lock = Handler(), threading.Lock()

    def answer(request):
        with lock:
            at_work["now"] += 1
            at_work["most"] = max(at_work["most"], at_work["now"])
            at_work["paths"].append(request.path)
        time.sleep(0.05)
        with lock:
            at_work["now"] -= 1
        return HttpResponse("done")

    monkeypatch.setattr(handler, "get_response", answer)
    return handler


@pytest.fixture
def turns(monkeypatch):
    def set_to(count):
        monkeypatch.setattr(threads, "turns", threading.BoundedSemaphore(count))
        monkeypatch.setattr(threads, "turns_to_write", threading.BoundedSemaphore(max(count // 2, 1)))

    return set_to


async def ask(handler, path="/api/v1/tasks/", leaves=None, send=None, method="GET"):
    """The status of the answer, None without one. The client leaves when the event `leaves` is set."""
    sent, asked = [], []

    async def receive():
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b""}
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def keep(message):
        sent.append(message)
        if send:
            await send(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "server": ("testserver", 80),
    }
    await handler(scope, receive, keep)
    return sent[0]["status"] if sent else None


async def test_a_request_is_served_in_one_thread_from_its_beginning_to_its_end():
    seen = []

    def note(**kwargs):
        seen.append(threading.current_thread())

    for signal in (signals.request_started, signals.request_finished):
        signal.connect(note)
    try:
        assert await ask(Handler(), "/healthz") == 200
    finally:
        for signal in (signals.request_started, signals.request_finished):
            signal.disconnect(note)
    assert len(seen) == 2
    assert seen[0] is seen[1]
    assert seen[0].name.startswith("request")


async def test_an_answer_is_gone_when_it_is_sent(monkeypatch):
    """It waits for no garbage collector, which counts objects and not how large they are."""
    handler, answers = Handler(), []
    send_response = handler.send_response

    async def note(response, send):
        answers.append(weakref.ref(response))
        await send_response(response, send)

    monkeypatch.setattr(handler, "send_response", note)
    gc.disable()
    try:
        assert await ask(handler, "/api/v1/") == 200
        threads.threads.wait()
        await asyncio.sleep(0)  # or the event loop is still in the call that woke this up
        assert [answer() for answer in answers] == [None]
    finally:
        gc.enable()


async def test_no_more_are_served_at_once_than_have_a_turn(handler, turns, at_work):
    turns(2)
    assert await asyncio.gather(*(ask(handler) for _ in range(8))) == [200] * 8
    assert at_work["most"] == 2


@pytest.mark.parametrize("most", [64, 1])
async def test_a_probe_is_answered_however_many_wait(handler, turns, at_work, monkeypatch, most):
    """For a turn, or for a thread."""
    turns(1)
    monkeypatch.setattr(http, "threads", threads.Threads(most))
    waiting = [asyncio.ensure_future(ask(handler)) for _ in range(8)]
    await asyncio.sleep(0.02)
    assert await ask(handler, "/healthz") == 200
    assert not all(request.done() for request in waiting)
    await asyncio.gather(*waiting)


@pytest.fixture
def held(handler, monkeypatch):
    """Hold what is asked of projects within `how`, until it is told `free()`; `reached()` waits until there is one."""
    answer, reached, free = handler.get_response, threading.Event(), threading.Event()

    def hold(request):
        if request.path == "/api/v1/projects/":
            with held.how():
                reached.set()
                assert free.wait(10)
        return answer(request)

    monkeypatch.setattr(handler, "get_response", hold)
    held = SimpleNamespace(how=nullcontext, free=free.set, reached=lambda: asyncio.to_thread(reached.wait, 10))
    yield held
    free.set()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_whoever_waits_for_something_else_gives_up_the_turn(handler, turns, held, method):
    turns(1)
    held.how = threads.aside
    aside = asyncio.ensure_future(ask(handler, "/api/v1/projects/", method=method))
    await held.reached()
    assert await asyncio.wait_for(ask(handler, method=method), 10) == 200
    held.free()
    assert await aside == 200
    assert threads.turns.acquire(blocking=False)
    assert threads.turns_to_write.acquire(blocking=False)


async def test_who_writes_leaves_turns_to_who_reads(handler, turns, held):
    turns(2)
    writing = [asyncio.ensure_future(ask(handler, "/api/v1/projects/", method="POST")) for _ in range(4)]
    await held.reached()
    assert await asyncio.wait_for(ask(handler), 10) == 200
    assert not any(each.done() for each in writing)
    held.free()
    assert await asyncio.gather(*writing) == [200] * 4


async def test_who_writes_leaves_threads_to_who_reads(handler, held, monkeypatch):
    held.how = threads.aside  # as who waits to write to SQLite
    monkeypatch.setattr(http, "writers", threads.Threads(2))
    writing = [asyncio.ensure_future(ask(handler, "/api/v1/projects/", method="POST")) for _ in range(threads.MOST + 2)]
    await held.reached()
    assert await asyncio.wait_for(ask(handler), 10) == 200
    assert not any(each.done() for each in writing)
    held.free()
    assert await asyncio.gather(*writing) == [200] * len(writing)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="writers to PostgreSQL do not queue")
@pytest.mark.django_db(transaction=True)
async def test_whoever_waits_to_write_is_in_the_way_of_nobody_who_reads(handler, turns, monkeypatch):
    turns(1)
    write, reached = in_transaction(handler.get_response), threading.Event()

    def write_as_well(request):
        reached.set()
        with closing(connections["default"]):
            return write(request)

    answers = {"POST": write_as_well, "GET": handler.get_response}
    monkeypatch.setattr(handler, "get_response", lambda request: answers[request.method](request))
    with TURN:  # somebody imports a large project
        writing = asyncio.ensure_future(ask(handler, method="POST"))
        await asyncio.to_thread(reached.wait, 10)
        assert await asyncio.wait_for(ask(handler), 10) == 200
        assert not writing.done()
    assert await writing == 200
    assert threads.turns.acquire(blocking=False)


async def test_nothing_is_begun_for_a_client_that_has_gone(handler, monkeypatch, at_work):
    answer, reached, free = handler.get_response, threading.Event(), threading.Event()

    def keep_the_thread(request):
        reached.set()
        assert free.wait(10)
        return answer(request)

    monkeypatch.setattr(handler, "get_response", keep_the_thread)
    monkeypatch.setattr(http, "threads", threads.Threads(1))
    busy, leaves = asyncio.ensure_future(ask(handler, "/first")), asyncio.Event()
    await asyncio.to_thread(reached.wait, 10)
    gone = asyncio.ensure_future(ask(handler, "/gone", leaves))
    await asyncio.sleep(0.01)
    leaves.set()
    assert await gone is None
    free.set()
    assert await busy == 200
    http.threads.wait()
    assert at_work["paths"] == ["/first"]


async def test_where_no_thread_can_be_had_the_server_is_told(handler, monkeypatch):
    """Daphne gives a 500 then. Without an answer the client would wait for ever."""

    class NoThreads:
        def submit(self, *args):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(http, "threads", NoThreads())
    with pytest.raises(RuntimeError, match="can't start"):
        await asyncio.wait_for(ask(handler), 5)


async def test_a_body_that_is_made_meanwhile_ends_when_the_client_leaves(handler, monkeypatch):
    leaves, closed, made = asyncio.Event(), threading.Event(), []

    def pieces():
        try:
            for number in range(1000):
                made.append(number)
                yield b"piece"
        finally:
            closed.set()

    monkeypatch.setattr(handler, "get_response", lambda request: PiecewiseResponse(pieces()))
    sent = []

    async def send(message):
        sent.append(message)
        if len(sent) == 4:
            leaves.set()
            await asyncio.sleep(60)  # as if the client had stopped to read

    assert await asyncio.wait_for(ask(handler, leaves=leaves, send=send), 10) == 200
    assert closed.is_set()
    assert len(made) < 10


async def test_between_two_pieces_of_a_body_others_have_their_turn(handler, turns, monkeypatch, at_work):
    turns(1)
    answer = handler.get_response
    monkeypatch.setattr(
        handler,
        "get_response",
        lambda request: PiecewiseResponse(iter([b"a", b"b"])) if "long" in request.path else answer(request),
    )
    statuses = []

    async def send(message):
        if message.get("body"):
            statuses.append(await ask(handler))

    await asyncio.wait_for(ask(handler, path="/long/", send=send), 10)
    assert statuses == [200, 200]


async def test_a_body_that_cannot_be_made_to_its_end_is_cut_off(handler, monkeypatch, caplog):
    """Daphne would be told of the error, and stop looking after all of its connections."""

    def pieces():
        yield b"piece"
        raise RuntimeError("the database has gone")

    monkeypatch.setattr(handler, "get_response", lambda request: PiecewiseResponse(pieces()))
    sent = []

    async def send(message):
        sent.append(message)

    assert await asyncio.wait_for(ask(handler, send=send), 10) == 200
    assert [message.get("body") for message in sent] == [None, b"piece", None]
    assert sent[-1] == {"type": CUT_OFF}
    assert "could not be sent" in caplog.text
