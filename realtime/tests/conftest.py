"""Sockets in tests: a line to the consumer, in the test's own event loop, with its own hub and channel layer."""

import json
import threading
from contextlib import asynccontextmanager

import pytest
from channels.db import database_sync_to_async
from channels.layers import channel_layers
from channels.testing import WebsocketCommunicator
from django.db import connections

from accounts.tests.factories import UserFactory, log_in
from projects.tests.factories import ProjectFactory
from realtime import reader
from realtime.hub import Hub
from realtime.models import Event
from realtime.tests.described import check_heard, check_said
from tickethub.asgi import application


def token_of(user):
    """An access token as logging in gives it, of a session of its own."""
    return str(log_in(user).access_token)


class Line:
    """What a client holds."""

    def __init__(self, communicator):
        self.communicator = communicator

    async def say(self, **frame):
        await self.communicator.send_to(text_data=json.dumps(frame))

    async def hear(self, timeout=3):
        """The next frame that is no ping."""
        while (frame := json.loads(await self.communicator.receive_from(timeout)))["type"] == "ping":
            check_heard(frame)
            await self.say(type="pong")
        check_heard(frame)
        return frame

    async def ask(self, **frame):
        await self.say(**frame)
        answer = await self.hear()
        check_said(frame, answer)
        return answer

    async def hear_all(self, count):
        return [await self.hear() for _ in range(count)]

    async def closed_with(self, timeout=3):
        """The code that the line is closed with, after whatever else is heard before."""
        while (output := await self.communicator.receive_output(timeout))["type"] != "websocket.close":
            pass
        return output["code"]

    async def hears_nothing(self, for_seconds=0.2):
        return await self.communicator.receive_nothing(for_seconds)


@asynccontextmanager
async def open_line(user=None, **subscription):
    """A line, authenticated where a user is given, and subscribed where a project is."""
    communicator = WebsocketCommunicator(application, "/ws/v1/")
    connected, _ = await communicator.connect()
    assert connected
    line = Line(communicator)
    if user:
        token = await database_sync_to_async(token_of)(user)
        assert (await line.ask(type="authenticate", token=token))["type"] == "authenticated"
    if subscription:
        assert (await line.ask(type="subscribe", **subscription))["type"] == "subscribed"
    try:
        yield line
    finally:
        await communicator.disconnect()


def newest(project):
    return Event.objects.of(project.pk).last()


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def bob():
    return UserFactory(username="bob")


@pytest.fixture
def project(ada, bob):
    return ProjectFactory(key="AB", owner=ada, member=bob)


@pytest.fixture
async def hub():
    """The hub of the test's loop, on a channel layer that nobody else listens to."""
    channel_layers.backends.clear()
    hub = Hub.current()
    yield hub
    await hub.close()
    close_connections_of_readers()
    for layer in channel_layers.backends.values():
        await layer.flush()


def close_connections_of_readers():
    """Close what the reader's threads hold. Channels' communicator keeps them from closing it themselves."""
    together = threading.Barrier(reader.THREADS)

    def close():
        together.wait(10)  # or one thread would take all the turns
        connections.close_all()

    for turn in [reader.threads.submit(close) for _ in range(reader.THREADS)]:
        turn.result()
