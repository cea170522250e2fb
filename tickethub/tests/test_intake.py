"""How a server takes in bodies that are large, or no JSON: spoken to over the wire."""

import asyncio
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import pytest
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from tickethub import intake
from tickethub.tests.served import PERSON, served

LIMIT = 2_621_440
PATH = "/api/v1/auth/token/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@contextmanager
def line_to(server):
    with socket.create_connection(server.address.split(":"), timeout=10) as line:
        yield line


def head(server, *lines, path=PATH):
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {server.address}", *lines, "", ""]).encode()


def answer(line):
    """The status, the headers and the body of an answer after which the server closes."""
    with line.makefile("rb") as file:
        text = file.read().decode()
    top, _, body = text.partition("\r\n\r\n")
    status, *headers = top.split("\r\n")
    return int(status.split()[1]), dict(header.lower().split(": ", 1) for header in headers), body


FORMS = {
    "urlencoded": ("application/x-www-form-urlencoded", b"a&" * (LIMIT // 2)),
    "multipart": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 50_000,
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_a_large_form_holds_nobody_up(server, kind):
    content_type, body = FORMS[kind]
    waits, begun, done = [], threading.Event(), threading.Event()

    def probe():
        with httpx.Client(base_url=f"http://{server.address}", timeout=30) as client:
            while not done.is_set():
                began = time.monotonic()
                client.get("/healthz")
                waits.append(time.monotonic() - began)
                begun.set()

    thread = threading.Thread(target=probe)
    thread.start()
    begun.wait(30)
    refusal = httpx.post(
        f"http://{server.address}{PATH}", content=body, headers={"Content-Type": content_type}, timeout=30
    )
    done.set()
    thread.join()

    assert (refusal.status_code, refusal.json()["code"]) == (415, "unsupported_media_type")
    assert max(waits) < 1


@pytest.mark.parametrize("body", [b"x", b"--x\r\n\r\n--x--", b""])
@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_malformed_multipart_is_refused_as_all_that_is_no_json(server, content_type, body):
    headers = {"Content-Type": content_type, "X-Request-ID": "malformed-1"}

    refusal = httpx.post(f"http://{server.address}{PATH}", content=body or b"\r\n", headers=headers)

    assert (refusal.status_code, set(refusal.json())) == (415, {"detail", "code"})
    assert refusal.headers["X-Request-ID"] == "malformed-1"


def refused(refusal):
    status, headers, body = refusal
    assert (status, headers["connection"], headers["x-request-id"]) == (413, "close", "large-1")
    assert body == '{"detail":"The body is too large.","code":"payload_too_large"}'
    return True


COMMON = ["Content-Type: application/json", "X-Request-ID: large-1"]


def test_a_length_over_the_limit_is_refused_before_anything_of_it_has_come(server):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, f"Content-Length: {LIMIT + 1}"))
        assert refused(answer(line))


def test_who_asks_first_whether_to_send_so_much_is_not_told_to(server):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, f"Content-Length: {LIMIT + 1}", "Expect: 100-continue"))
        assert refused(answer(line))


LONG = "x" * 17_000
HEADS = {
    "line": (414, "uri_too_long", [f"GET /api/v1/tasks/?search={LONG} HTTP/1.1"]),
    "unended": (414, "uri_too_long", [f"GET /{LONG * 50}"]),
    "header": (431, "headers_too_large", ["GET / HTTP/1.1", f"Authorization: Bearer {LONG}", "Host: here"]),
    "headers": (431, "headers_too_large", ["GET / HTTP/1.1", *[f"X-{n}: {'x' * 1000}" for n in range(20)]]),
    "malformed": (400, "bad_request", ["GET / HTTP/1.1", "no header", "Host: here"]),
    "nonsense": (400, "bad_request", ["hello", LONG]),
}


@pytest.mark.parametrize("kind", HEADS)
def test_a_head_that_is_too_long_or_none_is_refused_as_all_else_is(server, kind):
    expected, code, lines = HEADS[kind]
    with line_to(server) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        status, headers, body = answer(line)
    assert (status, json.loads(body)["code"], set(json.loads(body))) == (expected, code, {"detail", "code"})
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]


@pytest.mark.parametrize("path", ["/api/v1/auth/token/", "/admin/login/"])
def test_a_content_type_too_long_to_be_looked_into_is_as_good_as_none(server, path):
    long = f"application/json; x={LONG[:12_000]}"
    answer = httpx.post(f"http://{server.address}{path}", content=b"{}", headers={"Content-Type": long})
    without = httpx.post(f"http://{server.address}{path}", content=b"{}")
    assert (answer.status_code, answer.text[:10]) == (without.status_code, without.text[:10])
    assert answer.status_code < 500
    assert answer.headers["x-request-id"]


def test_who_sends_it_all_before_reading_is_told_so(server):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, f"Content-Length: {4 * LIMIT}"))
        for _ in range(4):
            line.sendall(b"x" * LIMIT)
        assert refused(answer(line))


@pytest.mark.parametrize("rest", [b"", b"0\r\n\r\n"])
def test_chunks_are_refused_as_soon_as_they_are_too_many(server, rest):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, "Transfer-Encoding: chunked"))
        for size in (LIMIT, 1):
            line.sendall(b"%x\r\n" % size + b"x" * size + b"\r\n")
        line.sendall(rest)
        assert refused(answer(line))


def test_a_body_at_the_limit_is_read(server):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, f"Content-Length: {LIMIT}", "Connection: close") + b"x" * LIMIT)
        assert answer(line)[0] == 400


def test_who_sends_on_after_the_refusal_is_cut_off_and_ends_up_nowhere(server):
    with line_to(server) as line:
        line.sendall(head(server, *COMMON, f"Content-Length: {10**9}"))
        began = time.monotonic()
        with suppress(OSError):
            while time.monotonic() < began + 20:
                line.sendall(b"x" * 10_000)
                time.sleep(0.05)
        assert 4 < time.monotonic() - began < 15
    assert httpx.get(f"http://{server.address}/healthz").status_code == 200


@pytest.fixture
def requests_to_answer():
    """Requests that came over channels of Twisted's own, with the lengths of their answers, one of which has none."""
    requests = []
    for length in (None, 30, 70, 60):
        channel, request = HTTPChannel(), intake.Request.__new__(intake.Request)
        channel.makeConnection(StringTransport())
        request.channel, request.finished, request.producer = channel, 0, None
        request.responseHeaders = Headers({"Content-Length": [str(length)]} if length else {})
        requests.append(request)
    yield requests
    for request in requests:
        request.channel.setTimeout(None)


@pytest.fixture
def request_to_answer(requests_to_answer):
    return requests_to_answer[0]


async def test_an_answer_waits_for_a_client_that_does_not_keep_up(request_to_answer):
    channel = request_to_answer.channel
    await request_to_answer.room()
    channel.pauseProducing()  # as a transport does whose buffer is full

    waiting = asyncio.ensure_future(request_to_answer.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    channel.resumeProducing()

    await asyncio.wait_for(waiting, 5)
    assert not channel.transport.disconnecting


async def test_a_client_that_takes_nothing_any_more_is_cut_off(request_to_answer, monkeypatch):
    monkeypatch.setattr(intake, "STALLED", 0.01)
    await request_to_answer.room()
    request_to_answer.channel.pauseProducing()

    await asyncio.wait_for(request_to_answer.room(), 5)

    assert request_to_answer.channel.transport.disconnected


async def test_of_many_who_take_nothing_those_with_the_largest_answers_are_cut_off(requests_to_answer, monkeypatch):
    monkeypatch.setattr(intake, "MOST_UNREAD", 100)
    waiting = []
    for request in requests_to_answer:
        await request.room()
        request.channel.pauseProducing()
        waiting.append(asyncio.ensure_future(request.room()))
    await asyncio.sleep(0)
    assert [request.channel.transport.disconnected for request in requests_to_answer] == [False, False, True, False]

    for request in requests_to_answer:
        request.flow.resumeProducing()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert not intake.unread


@pytest.fixture(scope="module")
def owner(server):
    """A client of the API, who owns the project ENGINE."""
    with httpx.Client(base_url=f"http://{server.address}/api/v1/", timeout=30) as client:
        client.post("auth/register/", json=PERSON)
        token = client.post("auth/token/", json=PERSON).json()["access"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.post("projects/", json={"key": "ENGINE", "name": "The engine"})
        yield client


def test_a_file_to_import_may_be_larger_than_other_bodies(owner):
    data = json.dumps([{"number": 1, "title": "Large", "labels": ["x"] * 10**6}])

    refusal = owner.post("projects/ENGINE/import/", json={"data": data})
    assert refusal.status_code == 400
    assert refusal.json()["errors"]["data"][0]["code"] == "too_many"
    assert owner.post("labels/", json={"data": data}).status_code == 413


@pytest.mark.parametrize("length", ["Content-Length: 10485761", "Transfer-Encoding: chunked"])
def test_a_file_to_import_that_is_too_large_is_refused_as_soon_as_it_shows(server, owner, length):
    token = owner.headers["Authorization"]
    with line_to(server) as line:
        common = [length, "Content-Type: application/json", f"Authorization: {token}"]
        line.sendall(head(server, *common, path="/api/v1/projects/ENGINE/import/"))
        if "chunked" in length:
            for _ in range(11):
                line.sendall(b"100000\r\n" + b" " * 1024**2 + b"\r\n")
        assert answer(line)[0] == 413


@pytest.mark.parametrize("path", ["/swagger.json", "/api/v1/projects/ENGINE/export/?format=csv", "/healthz"])
def test_a_head_has_no_body(server, owner, path):
    with line_to(server) as line, line.makefile("rb") as file:
        for method, close in [("HEAD", ""), ("GET", "Connection: close\r\n")]:
            token = owner.headers["Authorization"]
            top = f"{method} {path} HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: {token}\r\n{close}\r\n"
            line.sendall(top.encode())
            assert file.readline() == b"HTTP/1.1 200 OK\r\n"
            headers = []
            while (header := file.readline()) != b"\r\n":
                headers.append(header)
            assert any(header.lower().startswith(b"content-type:") for header in headers)
        assert file.read()


@pytest.mark.parametrize("root", ["/x", "/api", "//evil.example", "\xe9"])
def test_no_client_says_where_the_application_stands(server, root):
    headers = {"Daphne-Root-Path": root.encode("latin-1"), "X-Request-ID": "root-1"}

    for path in ("/api/v1/", "/x/api/v1/auth/token/"):
        plain, asked = (httpx.get(f"http://{server.address}{path}", headers=each) for each in ({}, headers))
        assert (asked.status_code, asked.text) == (plain.status_code, plain.text)
        assert asked.headers.get("Cache-Control") == plain.headers.get("Cache-Control")
        assert asked.headers["X-Request-ID"] == "root-1"


@pytest.mark.parametrize("root", ["/x", "/ws", "\xe9"])
def test_nor_does_who_opens_a_websocket(server, root):
    with line_to(server) as line:
        line.sendall(
            f"GET /ws/v1/ HTTP/1.1\r\nHost: {server.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            f"Daphne-Root-Path: {root}\r\n\r\n".encode("latin-1")
        )
        assert line.recv(1000).startswith(b"HTTP/1.1 101")


def test_an_export_is_sent_in_pieces(owner):
    owner.post("tasks/", json={"project": owner.get("projects/ENGINE/").json()["id"], "title": "=wheels"})

    response = owner.get("projects/ENGINE/export/?format=csv")

    assert response.headers["Transfer-Encoding"] == "chunked"
    assert "'=wheels" in response.text
