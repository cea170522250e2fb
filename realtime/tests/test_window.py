"""The window: how much may be unanswered, of what happens and of what one catches up with."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from channels.db import database_sync_to_async
from twisted.internet.abstract import FileDescriptor

from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import reader, wire
from realtime.consumers import Window
from realtime.frames import Place
from realtime.tests.conftest import newest, open_line
from tasks.tests.factories import TaskFactory

in_db = database_sync_to_async

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]


@pytest.fixture
async def cursor_of_old(project):
    """A cursor after which 20 tasks were made."""
    cursor = (await in_db(newest)(project)).cursor
    for _ in range(20):
        await in_db(TaskFactory)(project=project, description="x" * 2_000)
    return cursor


async def hear_until_closed(line):
    """All frames, none of them answered, and the code of the close."""
    frames = []
    while (output := await line.communicator.receive_output(5))["type"] == "websocket.send":
        frames.append(json.loads(output["text"]))
    return frames, output["code"]


async def test_a_reader_who_answers_nothing_is_closed_and_comes_back_without_loss(project, ada, settings):
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000}
    async with open_line(ada, project="AB") as line:
        for _ in range(20):
            await in_db(TaskFactory)(project=project, description="x" * 2_000)
        frames, code = await hear_until_closed(line)
    assert code == 4408
    assert frames[-1]["code"] == "too_slow"
    events = [frame for frame in frames if frame["type"] == "event"]
    assert 0 < len(events) < 20
    async with open_line(ada, project="AB", after=events[-1]["cursor"]) as line:
        rest = await line.hear_all(20 - len(events))
    assert [frame["seq"] for frame in events + rest] == list(range(10, 30))


@pytest.mark.parametrize(("unread", "answers"), [(1000, [b"?"]), (1001, [])])
def test_no_answer_to_a_ping_is_added_to_more_than_a_window_of_them(settings, unread, answers):
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 1000}
    given, transport = [], FileDescriptor()
    transport.dataBuffer = b"x" * unread
    wire.answer_ping(SimpleNamespace(transport=transport, sendPong=given.append), b"?")
    assert given == answers


async def test_catching_up_waits_for_the_pongs(cursor_of_old, ada, settings):
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000}
    async with open_line(ada, project="AB", after=cursor_of_old) as line:
        assert [frame["seq"] for frame in await line.hear_all(20)] == list(range(10, 30))


async def test_a_batch_has_so_many_bytes_of_which_a_letter_may_take_three(project, monkeypatch):
    monkeypatch.setattr(reader, "BATCH_SIZE", 10_000)
    head = await in_db(newest)(project)
    for _ in range(4):
        await in_db(TaskFactory)(project=project, description="語" * 2_000)
    batch = await reader.events_after(project.pk, Place(head.seq, head.nonce))
    assert len(batch.frames) == 2


@pytest.mark.parametrize(
    ("unanswered", "size", "has_room"),
    [(0, 1, True), (0, 5_000, True), (30, 20, True), (30, 21, False), (12, 5_000, True), (13, 5_000, False)],
)
def test_the_other_half_is_for_what_happens_meanwhile(unanswered, size, has_room):
    """Of 100. What does not fit into a half has an eighth to wait for."""
    window = Window(100)
    window.add(unanswered)
    assert window.has_room(size) is has_room


async def test_catching_up_leaves_room_for_what_happens_meanwhile(project, ada, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH_SIZE", 6_000)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 16_000}
    others = [await in_db(ProjectFactory)(key=key, viewer=ada) for key in ("BC", "CD")]
    cursors = {each.key: (await in_db(newest)(each)).cursor for each in (project, *others)}
    for each in (project, *others):
        for _ in range(8):
            await in_db(TaskFactory)(project=each, description="語" * 1_700)
    async with open_line(ada) as line:
        for key, cursor in cursors.items():
            await line.say(type="subscribe", project=key, after=cursor)
        heard = [await line.hear() for _ in range(3 + 3 * 8)]
    events = [(frame["project"], frame["seq"]) for frame in heard if frame["type"] == "event"]
    heads = {str(each.pk): int(cursors[each.key].partition(".")[0]) for each in (project, *others)}
    assert sorted(events) == sorted((pk, head + number) for pk, head in heads.items() for number in range(1, 9))


async def test_a_batch_larger_than_half_the_window_finds_room_among_other_events(project, ada, settings):
    """Some of what happens on the line is always unanswered."""
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 16_000}
    live = await in_db(ProjectFactory)(key="BC", viewer=ada)
    cursor = (await in_db(newest)(project)).cursor
    await in_db(TaskFactory)(project=project, description="x" * 10_000)
    async with open_line(ada, project="BC") as line:
        await line.say(type="subscribe", project="AB", after=cursor)
        heard = []
        for number in range(10):
            await in_db(LabelFactory)(project=live, name=str(number))
            heard.append(await line.hear())
    assert str(project.pk) in {frame["project"] for frame in heard if frame["type"] == "event"}


async def test_each_pong_gives_who_catches_up_more_time(cursor_of_old, ada, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 3)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000, "ROOM_WITHIN": 0.5}
    async with open_line(ada, project="AB", after=cursor_of_old) as line:
        began, seen = time.monotonic(), []
        while len(seen) < 20:
            frame = json.loads(await line.communicator.receive_from(5))
            if frame["type"] == "ping":
                await asyncio.sleep(0.3)
                await line.say(type="pong")
            seen += [frame["seq"]] if frame["type"] == "event" else []
    assert seen == list(range(10, 30))
    assert time.monotonic() - began > 0.5


async def test_catching_up_without_pongs_ends(cursor_of_old, ada, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 3)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000, "ROOM_WITHIN": 0.1}
    async with open_line(ada, project="AB", after=cursor_of_old) as line:
        frames, code = await hear_until_closed(line)
    assert (frames[-1]["code"], code) == ("too_slow", 4408)
