"""What goes wrong around the lines, and takes nothing from anybody."""

import asyncio
import json

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.db import InterfaceError, OperationalError

from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import bell, reader
from realtime.frames import Batch, Place
from realtime.models import Event, Stream
from realtime.tests.conftest import application, open_line, token_of
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


def place_of(project):
    newest = Event.objects.of(project.pk).last()
    return Place(newest.seq, newest.nonce)


async def test_one_who_catches_up_on_many_projects_at_once_is_not_run_over(hub, ada, settings, monkeypatch):
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000}
    monkeypatch.setattr(reader, "BATCH_SIZE", 5_000)
    places = {}
    for number in range(8):
        project = await in_db(ProjectFactory)(key=f"P{number}", owner=ada)
        places[project.key] = await in_db(place_of)(project)
        for _ in range(12):
            await in_db(TaskFactory)(project=project, description="x" * 500)
    async with open_line(ada) as line:
        for key, place in places.items():
            await line.say(type="subscribe", project=key, after=place.cursor)
        events = []
        while len(events) < 8 * 12:
            frame = json.loads(await line.communicator.receive_from(5))
            assert frame["type"] in {"ping", "subscribed", "event"}
            if frame["type"] == "ping":
                await line.say(type="pong")
            events += [frame] if frame["type"] == "event" else []


async def test_a_restored_backup_that_was_written_to_since_is_noticed_as_well(hub, project, ada):
    def restore():
        Event.objects.filter(project_id=project.pk, seq__gt=12).delete()
        Stream.objects.filter(pk=project.pk).update(head=12)
        for _ in range(4):
            LabelFactory(project=project)

    async with open_line(ada, project="AB") as line:
        for _ in range(5):
            await in_db(LabelFactory)(project=project)
        assert [frame["seq"] for frame in await line.hear_all(5)] == [10, 11, 12, 13, 14]
        await in_db(restore)()
        assert await line.hear(timeout=2.5) == {"type": "resync", "project": str(project.pk)}
        assert await line.hears_nothing()


async def test_one_who_is_ahead_of_a_feed_that_goes_on_in_another_history_loads_anew(
    hub, project, ada, bob, monkeypatch
):
    def restore():
        Event.objects.filter(project_id=project.pk, seq__gt=10).delete()
        Stream.objects.filter(pk=project.pk).update(head=10)
        for _ in range(3):
            LabelFactory(project=project)

    read, reads, is_away = reader.events_after, 0, False

    async def gated(*args):
        nonlocal reads
        if is_away:
            raise OperationalError("away")
        reads += 1
        try:
            return await read(*args)
        finally:
            reads -= 1

    monkeypatch.setattr(reader, "events_after", gated)
    async with open_line(ada, project="AB") as first:
        await in_db(LabelFactory)(project=project)
        assert (await first.hear())["seq"] == 10
        is_away = True
        while reads:  # one under way would see what is to be unseen
            await asyncio.sleep(0.01)
        for _ in range(2):
            await in_db(LabelFactory)(project=project)
        async with open_line(bob, project="AB") as second:
            await in_db(restore)()
            is_away = False
            assert (await second.hear(timeout=2.5))["type"] == "resync"
            assert [frame["seq"] for frame in await first.hear_all(3)] == [11, 12, 13]


async def test_what_was_read_of_another_history_is_served_to_nobody(hub, project, ada):
    start = await in_db(place_of)(project)
    async with open_line(ada, project="AB") as line:
        await in_db(LabelFactory)(project=project)
        await line.hear()
        [feed] = hub.feeds.values()
        batch = await feed.after(start)
        assert feed.recall(start).frames == batch.frames
        assert feed.recall(Place(start.seq, "other")) is None
        assert feed.recall(Place(batch.last.seq + 1, "other")) is None


async def test_a_batch_never_skips_what_is_missing_before_it(project):
    start = await in_db(place_of)(project)
    for _ in range(2):
        await in_db(LabelFactory)(project=project)
    batch = await reader.events_after(project.pk, start)
    rest = batch.after(start.seq + 1)
    assert (rest.start, [frame.place.seq for frame in rest.frames]) == (batch.frames[0].place, [start.seq + 2])
    assert batch.after(batch.last.seq) is None
    with pytest.raises(ValueError, match="missing"):
        Batch(rest.start, rest.frames).after(start.seq)


async def test_a_batch_is_no_larger_than_its_limit_and_one_event(project):
    start = await in_db(place_of)(project)
    for _ in range(10):
        await in_db(LabelFactory)(project=project)
    task = await in_db(TaskFactory)(project=project)
    for letter in "abcdefghij":
        task.description = letter * 50_000
        await in_db(task.save)()
    sizes, place = [], start
    while batch := await reader.events_after(project.pk, place):
        sizes.append(len(batch.data))
        assert len(batch.data) - len(batch.frames[-1].data) < reader.BATCH_SIZE
        place = batch.last
    assert place == await in_db(place_of)(project)
    assert len(sizes) > 3


async def test_a_token_that_waits_for_the_database_has_come_in_time(hub, ada, settings, monkeypatch):
    settings.WEBSOCKET = settings.WEBSOCKET | {"AUTHENTICATE_WITHIN": 0.5}
    token = await in_db(token_of)(ada)

    async def hang(token):
        await asyncio.sleep(2)
        raise OperationalError("away")

    monkeypatch.setattr(reader, "authenticate", hang)
    async with open_line() as line:
        await line.say(type="authenticate", token=token)
        assert (await line.hear(timeout=4))["code"] == "internal"
        assert await line.closed_with() == 1011  # come back: the token is as good as it was


@pytest.mark.parametrize("failure", [OperationalError, InterfaceError, ZeroDivisionError])
async def test_a_renewal_that_cannot_be_looked_at_leaves_the_line_as_it_was(failure, hub, project, ada, monkeypatch):
    async def away(token):
        raise failure("away")

    async with open_line(ada, project="AB") as line:
        token = await in_db(token_of)(ada)
        monkeypatch.setattr(reader, "authenticate", away)
        assert (await line.ask(type="authenticate", token=token))["code"] == "internal"
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["event"] == "label.created"
    async with open_line() as line:
        assert (await line.ask(type="authenticate", token=token))["code"] == "internal"
        assert await line.closed_with() == 1011


async def test_the_bell_has_one_channel_whatever_it_was_told(hub, project, ada, monkeypatch):
    async with open_line(ada, project="AB") as line:
        await asyncio.sleep(0.1)
        await bell.send({"type": "news"})
        await asyncio.sleep(1.3)
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["event"] == "label.created"
        layer = get_channel_layer()
        [listeners] = layer.groups.values()
        assert len(listeners) == len(layer.channels) == 1


async def test_people_who_cannot_be_looked_at_hold_up_no_news(hub, project, ada, monkeypatch):
    async def hang(people):
        await asyncio.sleep(60)

    monkeypatch.setattr(reader, "valid", hang)
    async with open_line(ada, project="AB") as line:
        await bell.send({"type": "news", "projects": [], "users": [str(ada.pk)]})
        await in_db(LabelFactory)(project=project)
        assert (await line.hear(timeout=0.9))["event"] == "label.created"


async def test_a_line_that_can_neither_be_told_nor_closed_takes_nothing_from_the_others(
    hub, project, ada, bob, monkeypatch
):
    async with open_line(ada, project="AB") as first, open_line(bob, project="AB") as second:
        [broken] = [line for line in hub.lines if line.person.id == str(ada.pk)]

        async def fails(*args):
            raise OSError("gone")

        monkeypatch.setattr(broken, "put", fails)
        for _ in range(3):
            await in_db(LabelFactory)(project=project)
        assert [frame["seq"] for frame in await second.hear_all(3)] == [10, 11, 12]
        assert await first.closed_with() == 1011


async def test_a_line_that_the_server_gives_up_leaves_nothing_behind(hub, project, ada, monkeypatch):
    """As Daphne does where the client went while the database hung."""
    token = await in_db(token_of)(ada)
    communicator = WebsocketCommunicator(application, "/ws/v1/")
    await communicator.connect()
    for frame in ({"type": "authenticate", "token": token}, {"type": "subscribe", "project": "AB"}):
        await communicator.send_to(text_data=json.dumps(frame))
        await communicator.receive_from()
    assert hub.lines
    assert hub.feeds

    async def hang(*args):
        await asyncio.sleep(60)

    monkeypatch.setattr(reader, "grant", hang)
    await communicator.send_to(text_data=json.dumps({"type": "subscribe", "project": "AB"}))
    await asyncio.sleep(0.1)
    communicator.future.cancel()
    await asyncio.sleep(0.1)
    assert [*hub.lines, *hub.people, *hub.feeds] == []


async def test_resync_in_answer_to_subscribing_again_ends_what_there_was(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        assert (await line.ask(type="subscribe", project="AB", after="5.00000000"))["type"] == "resync"
        await in_db(LabelFactory)(project=project)
        assert await line.hears_nothing()
        assert not hub.feeds


async def test_a_stranger_is_refused_without_asking_the_channel_layer(hub, monkeypatch):
    class Away:
        async def new_channel(self):
            raise ConnectionError("no Redis")

    monkeypatch.setattr("channels.consumer.get_channel_layer", lambda alias: Away() if alias == "default" else None)
    for path, headers in (("/elsewhere/", []), ("/ws/v1/", [(b"origin", b"https://evil.example")])):
        connected, _ = await WebsocketCommunicator(application, path, headers).connect()
        assert not connected
