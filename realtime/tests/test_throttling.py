"""How often an address may connect, and show bad tokens."""

import asyncio
import threading

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from redis.exceptions import TimeoutError as RedisTimeoutError
from rest_framework.settings import api_settings

from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from realtime.tests.conftest import open_line, token_of
from realtime.wire import DENIAL, WRITE
from tasks.tests.factories import TaskFactory
from tickethub.asgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]

in_db = database_sync_to_async


async def connect(*forwarded, address="192.0.2.1", origin=None, extensions=()):
    """The answer to a handshake: what a server is told to send.

    Channels' own communicator patches its module for a while, which many at once would not undo.
    """
    headers = [(b"host", b"testserver"), *((b"x-forwarded-for", words.encode()) for words in forwarded)]
    if origin:
        headers.append((b"origin", origin.encode()))
    scope = {"type": "websocket", "path": "/ws/v1/", "headers": headers, "client": [address, 4711]}
    communicator = ApplicationCommunicator(application, scope | {"extensions": {name: {} for name in extensions}})
    await communicator.send_input({"type": "websocket.connect"})
    answer = await communicator.receive_output(5)
    if answer["type"] == "websocket.accept":
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(5)
    return answer


async def is_let_in(*forwarded, **options):
    return (await connect(*forwarded, **options))["type"] == "websocket.accept"


async def test_an_address_may_connect_so_often_and_another_one_besides(rates):
    rates["socket"] = "2/min"
    assert [await is_let_in() for _ in range(3)] == [True, True, False]
    assert await is_let_in(address="192.0.2.2")


async def test_of_many_that_connect_at_once_no_more_are_let_in_than_may(rates):
    rates["socket"] = "5/min"
    assert sum(await asyncio.gather(*(is_let_in() for _ in range(20)))) == 5


async def test_a_server_that_can_answer_in_place_of_a_handshake_says_429_and_when(rates):
    rates["socket"] = "1/min"
    await connect(extensions=[DENIAL])
    answer = await connect(extensions=[DENIAL])
    assert (answer["type"], answer["status"]) == ("websocket.http.response.start", 429)
    assert 0 < int(dict(answer["headers"])[b"retry-after"]) <= 60


@pytest.mark.parametrize(
    ("proxies", "forwarded", "is_held"),
    [
        (0, ["10.0.0.{}"], True),
        (1, [], True),
        (1, ["10.0.0.{}", "192.0.2.7"], True),
        (1, ["10.0.0.{}, 10.0.1.{}", "192.0.2.7"], True),
        (1, ["192.0.2.7", "10.0.0.{}"], False),  # what the proxy itself says
    ],
)
async def test_the_address_is_not_what_the_client_says_it_is(rates, monkeypatch, proxies, forwarded, is_held):
    monkeypatch.setattr(api_settings, "NUM_PROXIES", proxies)
    rates["socket"] = "1/min"
    answers = [await is_let_in(*(words.format(n, n) for words in forwarded)) for n in range(3)]
    assert answers == [True, not is_held, not is_held]


async def test_a_foreign_page_does_not_use_up_what_its_readers_may_do(rates):
    rates["socket"] = "1/min"
    assert [await is_let_in(origin="https://evil.example") for _ in range(3)] == [False] * 3
    assert await is_let_in(origin="https://testserver")


async def test_bad_tokens_are_limited_by_address_and_good_ones_do_not_count(rates):
    rates["token"] = "2/min"
    token = await in_db(lambda: token_of(UserFactory()))()
    for _ in range(3):
        async with open_line() as line:
            assert (await line.ask(type="authenticate", token=token))["type"] == "authenticated"
    for code, close in [("token_not_valid", 4401), ("token_not_valid", 4401), ("too_many_tokens", 4429)]:
        async with open_line() as line:
            assert (await line.ask(type="authenticate", token="nonsense"))["code"] == code
            assert await line.closed_with() == close


async def test_while_the_cache_hangs_nothing_else_does_and_lines_are_let_in(rates, counters, monkeypatch):
    rates["socket"] = "1/min"
    is_asked, is_over = threading.Event(), threading.Event()

    def hang(*args, **kwargs):
        is_asked.set()
        assert is_over.wait(10)
        raise RedisTimeoutError("gone")

    monkeypatch.setattr(counters, "count", hang)
    connecting = [asyncio.create_task(is_let_in()) for _ in range(9)]
    while not is_asked.is_set():  # this loop goes on while they wait
        await asyncio.sleep(0.01)
    assert not any(task.done() for task in connecting)
    is_over.set()
    assert await asyncio.gather(*connecting) == [True] * 9


async def test_a_reader_that_answers_what_it_has_not_read_is_closed(settings):
    """Pongs say that all is read; what the server still keeps says otherwise."""

    class Stalled:
        sent = 0

        def __call__(self, data):
            self.sent += len(data)

        def unsent(self):
            return self.sent

    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 20_000}
    user, project = await in_db(lambda: [user := UserFactory(), ProjectFactory(key="AB", owner=user)])()
    write = Stalled()
    communicator = WebsocketCommunicator(application, "/ws/v1/")
    communicator.scope["extensions"] = {WRITE: write}
    await communicator.connect()
    await communicator.send_json_to({"type": "authenticate", "token": await in_db(token_of)(user)})
    await communicator.send_json_to({"type": "subscribe", "project": "AB"})
    while communicator.output_queue.empty():
        assert write.sent < 30_000
        await in_db(TaskFactory)(project=project, description="x" * 2_000)
        await communicator.send_json_to({"type": "pong"})
    assert await communicator.receive_output() == {"type": "websocket.close", "code": 4408}
