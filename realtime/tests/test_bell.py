"""The doorbell: what it costs who rings it, and that nothing is lost where it does not ring."""

import asyncio

import pytest
from channels.db import database_sync_to_async
from django.db import connection

from projects.tests.factories import LabelFactory
from realtime import bell
from realtime.tests.conftest import open_line
from tickethub.threads import attended, in_thread

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


def make_label(project):
    """What a request does, in a thread of its own."""
    try:
        LabelFactory(project=project)
    finally:
        connection.close()


async def test_a_lost_bell_costs_a_second_and_no_event(hub, project, ada, monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda **news: None)
    async with open_line(ada, project="AB") as line:
        await in_db(LabelFactory)(project=project)
        assert (await line.hear(timeout=2.5))["event"] == "label.created"


async def test_a_channel_layer_that_fails_costs_no_write(hub, project, ada, monkeypatch, caplog):
    async def broken(message):
        raise ConnectionError("no Redis")

    monkeypatch.setattr(bell, "send", broken)
    async with open_line(ada, project="AB") as line:
        caplog.set_level("WARNING")
        await in_db(LabelFactory)(project=project)
        assert (await line.hear(timeout=2.5))["event"] == "label.created"
    assert "The bell did not ring" in caplog.text


async def test_a_channel_layer_that_hangs_costs_a_write_at_most_a_moment(hub, project, monkeypatch):
    class Hanging:
        async def group_send(self, group, message):
            await asyncio.sleep(60)

    monkeypatch.setattr(bell, "get_channel_layer", Hanging)
    monkeypatch.setattr(bell, "PATIENCE", 0.05)
    async with asyncio.timeout(5):
        await in_db(LabelFactory)(project=project)


async def test_a_request_does_not_wait_for_a_channel_layer_that_hangs(hub, project, monkeypatch):
    begun, asked = asyncio.Event(), []

    class Hanging:
        async def group_send(self, group, message):
            asked.append(message["projects"])
            begun.set()
            await asyncio.sleep(60)

    monkeypatch.setattr(bell, "get_channel_layer", Hanging)
    monkeypatch.setattr(bell, "PATIENCE", 30)
    async with asyncio.timeout(5):
        await in_thread(make_label, project)
        await begun.wait()
    assert asked == [[str(project.pk)]]


async def test_the_bell_that_a_request_rings_is_heard(hub, project, ada, monkeypatch):
    async with open_line(ada, project="AB") as line:
        monkeypatch.setattr(hub, "check_heads", lambda: asyncio.sleep(0))  # so that only the bell can tell
        await in_thread(make_label, project)
        assert (await line.hear())["event"] == "label.created"


async def test_a_request_that_outlives_its_event_loop_rings_by_itself(project, monkeypatch):
    ended, sent = asyncio.new_event_loop(), []
    ended.close()

    async def send(message):
        sent.append(message["projects"])

    monkeypatch.setattr(bell, "send", send)
    await asyncio.to_thread(attended, ended, make_label, project)
    assert sent == [[str(project.pk)]]


async def test_the_doorbell_is_repaired(hub, project, ada, monkeypatch):
    """A message that the hub cannot read ends its listening; it listens again a second later."""
    async with open_line(ada, project="AB") as line:
        await asyncio.sleep(0.1)
        await bell.send({"type": "news"})
        await asyncio.sleep(1.5)
        monkeypatch.setattr(hub, "check_heads", lambda: asyncio.sleep(0))  # so that only the bell can tell
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["event"] == "label.created"
