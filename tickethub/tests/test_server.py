"""How the server ends."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import websockets
from django.apps import apps

from tickethub.env import BASE_DIR
from tickethub.server import Server
from tickethub.tests.served import PERSON, served

IMPATIENT = "from tickethub import server; import sys; server.DRAIN_WITHIN, server.END_WITHIN = 1, {}; " + (
    "server.CommandLine().run(sys.argv[1:])"
)

UPGRADED = """
import sys
from django.template.loaders.filesystem import Loader
from tickethub import server

def run(self):
    Loader.get_contents = lambda self, origin: "A page of the next version"
    run_daphne(self)

run_daphne, server.Daphne.run = server.Daphne.run, run
server.CommandLine().run(sys.argv[1:])
"""


@pytest.fixture
def server(tmp_path):
    with served(tmp_path) as running:
        yield running


@contextmanager
def registered(server):
    """A client that is logged in and keeps its connection."""
    with httpx.Client(base_url=f"http://{server.address}/api/v1/", timeout=30) as client:
        assert client.post("auth/register/", json=PERSON).status_code == 201
        client.headers["Authorization"] = f"Bearer {client.post('auth/token/', json=PERSON).json()['access']}"
        yield client


async def until_refused(server):
    """Wait until the server takes no more connections."""
    host, _, port = server.address.partition(":")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_finishes_what_is_under_way_and_sends_the_sockets_away(server, number):
    with registered(server) as client, httpx.Client(base_url=f"http://{server.address}") as other:
        async with websockets.connect(f"ws://{server.address}/ws/v1/", proxy=None) as line:
            await line.send(json.dumps({"type": "authenticate", "token": client.headers["Authorization"].split()[1]}))
            assert json.loads(await line.recv())["type"] == "authenticated"
            assert other.get("/readyz").headers.get("connection") != "close"
            with closing(sqlite3.connect(server.database, autocommit=True)) as database:
                database.execute("BEGIN IMMEDIATE")  # so that the request has to wait
                body = {"key": "LAST", "name": "The last"}
                under_way = asyncio.create_task(asyncio.to_thread(client.post, "projects/", json=body))
                await asyncio.sleep(0.5)
                server.process.send_signal(number)
                with pytest.raises(websockets.ConnectionClosed):
                    await asyncio.wait_for(line.recv(), 5)
                assert line.close_code == 1012
                await until_refused(server)
                unready = await asyncio.to_thread(other.get, "/readyz")
                assert (unready.status_code, unready.headers["connection"]) == (503, "close")
                assert unready.json()["checks"]["serving"] is False
                assert server.process.poll() is None
                database.execute("COMMIT")
            answer = await under_way
            assert (answer.status_code, answer.headers["connection"]) == (201, "close")
    assert await asyncio.to_thread(server.process.wait, 10) == 0


def test_an_answer_that_a_slow_client_still_reads_is_not_cut_off(server):
    with registered(server) as client:
        project = client.post("projects/", json={"key": "LONG", "name": "Long"}).json()
        task = client.post("tasks/", json={"project": project["id"], "title": "Much talked of"}).json()
        for _ in range(80):
            answer = client.post("comments/", json={"task": task["id"], "body": "x" * 50_000})
            assert answer.status_code == 201
        token = client.headers["Authorization"]
    with socket.create_connection(server.address.split(":")) as line:
        line.sendall(
            f"GET /api/v1/comments/?limit=100 HTTP/1.0\r\nHost: localhost\r\nAuthorization: {token}\r\n\r\n".encode()
        )
        read = line.recv(1000)
        time.sleep(0.5)  # Daphne has got rid of all of it by now, the system has not
        server.process.terminate()
        time.sleep(1)
        while chunk := line.recv(1024 * 1024):
            read += chunk
    head, _, body = read.partition(b"\r\n\r\n")
    assert b" 200 OK" in head
    assert json.loads(body)["count"] == 80
    assert server.process.wait(10) == 0


def test_a_second_signal_ends_it_at_once(server):
    with half_a_request(server):
        server.process.terminate()
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(5) == 0


def test_a_request_that_never_comes_whole_is_cut_off(tmp_path):
    with served(tmp_path, "-c", IMPATIENT.format(20)) as server, half_a_request(server):
        server.process.terminate()
        assert server.process.wait(10) == 0


@contextmanager
def a_request_that_never_ends(server):
    """A write that is under way, and waits for another one."""
    with (
        registered(server) as client,
        closing(sqlite3.connect(server.database, autocommit=True)) as database,
        socket.create_connection(server.address.split(":")) as line,
    ):
        database.execute("BEGIN IMMEDIATE")
        body = b'{"key": "LATE", "name": "Too late"}'
        line.sendall(
            b"POST /api/v1/projects/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + f"Authorization: {client.headers['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        time.sleep(0.5)
        yield


def test_a_request_that_never_ends_is_cut_off(tmp_path):
    with served(tmp_path, "-c", IMPATIENT.format(3)) as server, a_request_that_never_ends(server):
        server.process.terminate()
        assert server.process.wait(10) == 1


def test_a_second_signal_does_not_wait_for_it_either(server):
    with a_request_that_never_ends(server):
        server.process.terminate()
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(5) == 0


def test_nor_does_one_that_comes_when_it_alone_is_waited_for(tmp_path):
    with served(tmp_path, "-c", IMPATIENT.format(60)) as server, a_request_that_never_ends(server):
        server.process.terminate()
        time.sleep(3)  # the second for what is under way is over
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(5) == 1


UNSWEPT = """
import sys
from tickethub import server

def note(*args, disconnected=server.Daphne.protocol_disconnected):
    try:
        disconnected(*args)
    except KeyError as error:
        unknown.append(error)

unknown, server.Daphne.protocol_disconnected = [], note
server.Daphne.application_checker = lambda self: None
line = server.CommandLine()
line.run(sys.argv[1:])
print("kept:", len(line.server.connections), "unknown:", len(unknown))
"""


def test_nothing_is_kept_of_a_request_that_was_answered(tmp_path, monkeypatch):
    """Nor of a WebSocket that was refused."""
    monkeypatch.setenv("THROTTLING", "true")
    monkeypatch.setenv("THROTTLE_SOCKET", "1/min")
    with served(tmp_path, "-c", UNSWEPT) as server:
        with registered(server) as client:
            for path in ("projects/", "nothing/", "schema/"):
                client.get(path)
        for status in (101, 429, 429):
            assert handshake(server) == status
        server.process.terminate()
        assert server.process.wait(10) == 0
    assert (tmp_path / "log").read_text().splitlines()[-1] == "kept: 0 unknown: 0"


@pytest.mark.parametrize(
    ("details", "end", "is_forgotten"),
    [
        ({"disconnected": 1}, lambda done: done.set_result(None), True),
        ({}, lambda done: done.set_result(None), False),
        ({"disconnected": 1}, lambda done: done.set_exception(ZeroDivisionError()), False),
        ({"disconnected": 1}, lambda done: done.cancel(), False),
    ],
)
def test_what_failed_is_left_to_daphne_which_tells_of_it(details, end, is_forgotten):
    server, done = Server.__new__(Server), Future()
    server.connections = {"a request": details}
    end(done)
    server.forget("a request", done)
    assert (server.connections == {}) is is_forgotten


def handshake(server):
    """The status that a WebSocket is answered with, which leaves at once."""
    with socket.create_connection(server.address.split(":")) as line:
        line.sendall(
            b"GET /ws/v1/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        return int(line.recv(1000).split()[1])


@pytest.fixture
def path(tmp_path_factory):
    """Where a Unix socket may be: their names have to be short."""
    return str(tmp_path_factory.mktemp("s") / "http.sock")


def serve_at(path, folder, *program):
    return served(folder, *(program or ["-m", "tickethub.server"]), "-u", path)


def connected(path):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(10)
    line.connect(path)
    return line


def ask(line):
    """Send a whole request; give the first line of the answer and the last."""
    line.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n")
    with line.makefile("rb") as answer:
        return answer.readline().strip(), answer.read()[-16:]


def test_who_reached_its_socket_before_the_end_is_answered_and_nobody_else_gets_in(tmp_path, path):
    with serve_at(path, tmp_path) as server:
        with connected(path) as early:
            server.process.send_signal(signal.SIGSTOP)  # so that the next is not taken before it is told to end
            with connected(path) as late:
                server.process.terminate()
                server.process.send_signal(signal.SIGCONT)
                until_gone(path)
                time.sleep(0.5)
                for line in (early, late):
                    assert ask(line) == (b"HTTP/1.0 200 OK", b'{"status": "ok"}')
        assert server.process.wait(10) == 0
    assert not os.listdir(os.path.dirname(path))


def until_gone(path):
    deadline = time.monotonic() + 10
    while os.path.exists(path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_connection_that_asks_for_nothing_does_not_hold_the_end_up_for_long(tmp_path, path):
    hasty = "from tickethub import server; import sys; server.ASK_WITHIN = 1; server.CommandLine().run(sys.argv[1:])"
    with serve_at(path, tmp_path, "-c", hasty) as server, connected(path):
        server.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.7)
        assert server.process.wait(10) == 0


def test_the_socket_that_a_crash_left_behind_is_taken_over_and_one_in_use_is_not(tmp_path, path):
    with serve_at(path, tmp_path) as server:
        second = subprocess.run(
            [sys.executable, "-m", "tickethub.server", "-u", path, "tickethub.asgi:application"],
            cwd=BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "tickethub.settings"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "in use" in second.stderr
        server.process.kill()
        server.process.wait(10)
        assert os.path.exists(path)
    with serve_at(path, tmp_path), connected(path) as line:
        assert ask(line)[0] == b"HTTP/1.0 200 OK"


def half_a_request(server):
    line = socket.create_connection(server.address.split(":"))
    line.sendall(b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
    time.sleep(0.2)
    return line


# --- How it starts ---


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/swagger/"])
def test_its_pages_are_those_of_its_start_also_where_an_upgrade_changed_the_files(tmp_path, path):
    with served(tmp_path, "-c", UPGRADED) as server:
        page = httpx.get(f"http://{server.address}{path}")
    assert page.status_code == 200
    assert "</html>" in page.text


def test_every_page_of_ours_is_where_it_is_looked_for():
    ours = {path for path in BASE_DIR.glob("*/templates") if path.is_dir()}
    assert {BASE_DIR / "tickethub/templates"} <= ours <= {Path(app.path, "templates") for app in apps.get_app_configs()}
