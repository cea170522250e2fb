"""A server as it is run, spoken to over the wire."""

import asyncio
import json
import socket
from asyncio import Queue
from contextlib import suppress
from types import SimpleNamespace

import httpx
import pytest
import websockets

from realtime import wire
from tickethub.tests.served import PERSON, served


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server with a database of its own."""
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running.address


@pytest.fixture(scope="module")
def token(server):
    assert httpx.post(f"http://{server}/api/v1/auth/register/", json=PERSON).status_code == 201
    return httpx.post(f"http://{server}/api/v1/auth/token/", json=PERSON).json()["access"]


def line_to(server, **options):
    return websockets.connect(f"ws://{server}/ws/v1/", proxy=None, **options)


async def ask(line, **frame):
    await line.send(json.dumps(frame))
    return json.loads(await asyncio.wait_for(line.recv(), 5))


async def test_a_change_by_rest_is_heard_on_the_socket(server, token):
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "by-hand-1"}
    async with (
        httpx.AsyncClient(base_url=f"http://{server}/api/v1/", headers=headers) as client,
        line_to(server) as line,
    ):
        project = (await client.post("projects/", json={"key": "WIRE", "name": "By wire"})).json()
        assert (await ask(line, type="authenticate", token=token))["type"] == "authenticated"
        assert (await ask(line, type="subscribe", project="WIRE"))["type"] == "subscribed"
        made = await client.post("tasks/", json={"project": project["id"], "title": "Grüße 🎟"})
        event = json.loads(await asyncio.wait_for(line.recv(), 5))
    assert (event["event"], event["object"], event["request_id"]) == ("task.created", made.json(), "by-hand-1")
    assert made.headers["X-Request-ID"] == "by-hand-1"


async def test_a_frame_over_the_limit_is_closed_with_1009(server):
    async with line_to(server) as line:
        await line.send("x" * (64 * 1024 + 1))
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(line.recv(), 5)
    assert line.close_code == 1009


async def test_a_reader_that_answers_what_it_has_not_read_is_closed_with_4408(server, token):
    """It asks for the same events again and again, and answers every ping without having read it."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://{server}/api/v1/", headers=headers) as client:
        project = (await client.post("projects/", json={"key": "LONG", "name": "Long"})).json()
        task = (await client.post("tasks/", json={"project": project["id"], "title": "Much talked of"})).json()
        start = (await client.get("events/", params={"project": "LONG"})).json()["cursor"]
        for _ in range(10):
            await client.post("comments/", json={"task": task["id"], "body": "x" * 50_000})
    async with line_to(server, max_queue=1, compression=None) as line:
        assert (await ask(line, type="authenticate", token=token))["type"] == "authenticated"
        for _ in range(60):  # some 30 MB: far more than the system takes
            await line.send(json.dumps({"type": "subscribe", "project": "LONG", "after": start}))
            for _ in range(5):
                await line.send(json.dumps({"type": "pong"}))
                await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            with suppress(websockets.ConnectionClosed):
                [frame async for frame in line]
    assert line.close_code == 4408


async def test_a_reader_that_pings_and_reads_nothing_is_closed_with_4408(server, token):
    """By the protocol's own pings, whose answers the server would have to keep."""
    ping = b"\x89\xfd\0\0\0\0" + b"x" * 125
    async with line_to(server, max_queue=1, compression=None) as line:
        assert (await ask(line, type="authenticate", token=token))["type"] == "authenticated"
        line.transport.pause_reading()
        for _ in range(120):  # 12 MB: far more than the system takes
            line.transport.write(ping * 800)
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)
        line.transport.resume_reading()
        async with asyncio.timeout(20):
            heard = json.loads(await line.recv())
            with suppress(websockets.ConnectionClosed):
                await line.recv()
    assert heard["code"] == "too_slow"
    assert line.close_code == 4408


@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_a_message_in_pieces_without_end_is_closed_with_1009(server, piece):
    head = bytes([0x80 + len(piece), 0, 0, 0, 0])
    async with line_to(server, compression=None) as line:
        line.transport.write(b"\1" + head + piece + (b"\0" + head + piece) * (64 * 1024 + 10))
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(line.recv(), 10)
    assert line.close_code == 1009


@pytest.mark.parametrize(("size", "code"), [(1, 4429), (64 * 1024 + 1, 1009)])
def test_messages_that_come_faster_than_they_are_handled_are_not_kept(size, code):
    handled = Queue()
    line = SimpleNamespace(
        state=1, STATE_OPEN=1, muted=False, client_addr=None, application_queue=handled, closed=[], said=[]
    )
    line.serverClose, line.sendMessage = line.closed.append, line.said.append
    for _ in range(1000):
        wire.hear(line, b"x" * size, is_binary=True)
        line.state = 3 if line.closed else 1
    assert line.closed == [code]
    assert handled.qsize() <= 601
    assert [json.loads(each)["code"] for each in line.said] == ["too_many_messages"] * (code == 4429)


async def test_a_bad_token_is_closed_with_4401_after_an_error_frame(server):
    async with line_to(server) as line:
        assert (await ask(line, type="authenticate", token="nonsense"))["code"] == "token_not_valid"
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(line.recv(), 5)
    assert line.close_code == 4401


def test_a_subprotocol_that_is_not_ascii_is_left_alone(server):
    host, port = server.split(":")
    lines = [
        *[b"GET /ws/v1/ HTTP/1.1", f"Host: {server}".encode(), b"Upgrade: websocket", b"Connection: Upgrade"],
        *[b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13"],
        b"Sec-WebSocket-Protocol: \xff",
    ]
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(b"\r\n".join([*lines, b"", b""]))
        assert line.recv(1000).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(("frame", "code"), [(b"\x81\x81\0\0\0\0\xff", 1007), (b"\xc1\x80\0\0\0\0", 1002)])
async def test_who_breaks_the_protocol_is_told_so(server, frame, code):
    async with line_to(server) as line:
        line.transport.write(frame)
        with pytest.raises(websockets.ConnectionClosedError):
            await asyncio.wait_for(line.recv(), 5)
    assert line.close_code == code


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_foreign_page_gets_403(server, origin):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with line_to(server, origin=origin):
            pass
    assert refusal.value.response.status_code == 403


async def test_the_own_page_is_let_in(server):
    async with line_to(server, origin=f"http://{server}") as line:
        assert (await ask(line, type="nonsense"))["code"] == "unknown_type"


@pytest.mark.parametrize("path", ["/api/v1/nope/", "/api/nope", "/api/v1/projects", "/api/v1/tasks/not%00an-id/"])
def test_unknown_api_addresses_get_json_also_under_debug(server, token, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = httpx.request(method, f"http://{server}{path}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {404, 405}
        assert set(answer.json()) == {"detail", "code"}


async def test_who_connects_too_often_gets_429_in_place_of_a_line(tmp_path, monkeypatch):
    monkeypatch.setenv("THROTTLING", "on")
    monkeypatch.setenv("THROTTLE_SOCKET", "1/hour")
    with served(tmp_path) as throttling:
        async with line_to(throttling.address):
            pass
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await line_to(throttling.address, additional_headers={"X-Forwarded-For": "10.0.0.1"})
    response = refusal.value.response
    assert (response.status_code, response.reason_phrase) == (429, "Too Many Requests")
    assert 3500 < int(response.headers["Retry-After"]) <= 3600
