"""The board in Debian's Chromium: one served demo, one browser, and for each test people and a project of its own.

uv run pytest -c browser/pytest.ini browser [--screenshots FOLDER]
"""

import json
import os
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from serving import ROOT, free_ports, settings_in

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium-headless-shell")
PASSWORD = "a horse for the battery"
WIDE = {"width": 1440, "height": 900}
# What httpx needs though all is plain HTTP, made once: to load the certificates takes longer than most requests.
BARE = {"trust_env": False, "verify": ssl.create_default_context()}

expect.set_options(timeout=30_000)  # milliseconds, of a machine that may have much else to do


def pytest_addoption(parser):
    parser.addoption("--screenshots", type=Path, help="A folder for pictures of what the tests saw.")


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory(prefix="tickethub-browser-") as name:
        yield Path(name)


class Server:
    """A server that can be killed and start anew. What it writes is in `log`."""

    def __init__(self, folder, arguments):
        (self.port,) = free_ports(1)
        self.url = f"http://localhost:{self.port}"
        self.command = [sys.executable, *arguments, str(self.port)]
        self.log = folder / f"log-{self.port}"
        self.environment = (
            os.environ
            | settings_in(folder)
            | {
                "ALLOWED_HOSTS": "localhost",
                "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
                "ENV_FILE": f"{folder}/env",
                "PUBLIC_URL": self.url,
            }
        )

    def __enter__(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 120
        while not self.is_ready():
            is_alive = self.process.poll() is None and time.monotonic() < deadline
            assert is_alive, self.log.read_text()[-3000:]
            time.sleep(0.1)
        return self

    def is_ready(self):
        try:
            return httpx.get(f"{self.url}/readyz", **BARE).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def forget_events(self, project):
        """Have what the log tells of a project be old, and prune it."""
        database = self.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
            old = "UPDATE realtime_event SET at = '2020-01-01 00:00:00' WHERE project_id = ?"
            assert connection.execute(old, [uuid.UUID(project).hex]).rowcount
        subprocess.run([sys.executable, "manage.py", "prune_events"], cwd=ROOT, env=self.environment, check=True)

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def demo(folder):
    """What the README begins with: `manage.py demo`."""
    with Server(folder, ["manage.py", "demo", "--port"]) as server:
        yield server


@pytest.fixture(scope="session")
def other_server(demo, folder):
    """A second process on the same database."""
    with Server(folder, ["-m", "tickethub.server", "tickethub.asgi:application", "-p"]) as server:
        yield server


@pytest.fixture(scope="session")
def url(demo):
    return demo.url


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Api:
    """REST as one person."""

    def __init__(self, url, email, password=PASSWORD):
        self.url, self.email, self.password, self.headers = url, email, password, {}
        tokens = self.post("auth/token/", email=email, password=password)
        self.access = tokens["access"]
        self.headers = {"Authorization": f"Bearer {self.access}"}
        self.me = self.get("users/me/")

    def ask(self, method, path, **options):
        url = f"{self.url}/api/v1/{path}"
        answer = httpx.request(method, url, headers=self.headers, timeout=30, **BARE, **options)
        return answer.raise_for_status().json() if answer.content else None

    def get(self, path, **params):
        return self.ask("GET", path, params=params)

    def post(self, path, **body):
        return self.ask("POST", path, json=body)

    def patch(self, path, **body):
        return self.ask("PATCH", path, json=body)

    def delete(self, path):
        return self.ask("DELETE", path)


def register(url, first_name, last_name):
    """A new person, signed in."""
    name = f"{first_name.lower()}-{uuid.uuid4().hex[:6]}"
    names = {"first_name": first_name, "last_name": last_name, "username": name, "email": f"{name}@example.org"}
    answer = httpx.post(f"{url}/api/v1/auth/register/", json={**names, "password": PASSWORD}, **BARE)
    return Api(url, answer.raise_for_status().json()["email"])


@pytest.fixture(scope="session")
def ada(url):
    return register(url, "Ada", "Okafor")


@pytest.fixture(scope="session")
def bruno(url):
    return register(url, "Bruno", "Keller")


class World:
    """A project of one test, of which Ada is the owner and Bruno a member."""

    def __init__(self, ada, bruno, key=None):
        self.ada, self.bruno = ada, bruno
        self.key = key or f"T{uuid.uuid4().hex[:6]}".upper()
        self.project = ada.post("projects/", key=self.key, name=f"Project {self.key}")
        self.path = f"/{self.key}/"
        self.membership = self.let_in(bruno, "member")

    def let_in(self, person, role):
        invitation = self.ada.post("invitations/", project=self.project["id"], email=person.email, role=role)
        return person.post("invitations/accept/", token=invitation["token"])

    def task(self, title, **fields):
        return self.ada.post("tasks/", project=self.project["id"], title=title, **fields)

    def now(self, number):
        return self.ada.get(f"tasks/{self.key}-{number}/")


@pytest.fixture
def world(ada, bruno):
    return World(ada, bruno)


@pytest.fixture
def told(demo):
    """What the pages and the demo's server do, printed at the end: pytest shows it where the test fails."""
    size = demo.log.stat().st_size
    lines = []
    yield lines
    print(*lines, demo.log.read_text()[size:], sep="\n")


@pytest.fixture
def open_browser(chromium, url, told):
    """Give a page in a browser of its own. What a page complains of, a broken security policy too, fails the test."""
    complaints = []
    with ExitStack() as stack:

        def open_(person=None, path="/", **options):
            usual = {"viewport": WIDE, "permissions": ["clipboard-write"]}  # for which nobody could be asked
            context = chromium.new_context(base_url=url, **(usual | options))
            stack.callback(context.close)
            page = context.new_page()
            watch(page, complaints, told)
            context.on("page", lambda other: watch(other, complaints, told))
            if person:
                sign_in(page, person)
                page.goto(path)
            return page

        yield open_
        assert complaints == []


def watch(page, complaints, told):
    def tell(*words):
        told.append(f"{time.strftime('%H:%M:%S')} {' '.join(map(str, words))[:300]}")

    def tell_line(line):
        tell("line", line.url)
        line.on("framesent", lambda frame: tell("->", frame))
        line.on("framereceived", lambda frame: tell("<-", frame))
        line.on("close", lambda _: tell("line closed"))

    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: is_complaint(message) and complaints.append(message.text))
    page.on("console", lambda message: tell(message.type, message.text))
    page.on("response", lambda answer: tell(answer.status, answer.request.method, answer.url))
    page.on("requestfailed", lambda request: tell(request.failure, request.method, request.url))
    page.on("websocket", tell_line)


def is_complaint(message):
    """Chromium notes each refusal of the API, and each try to reach a server that is away, as an error."""
    is_expected = "/api/v1/" in message.location["url"] or message.text.startswith("WebSocket connection to")
    return message.type == "error" and not is_expected


def sign_in(page, person):
    """Be signed in, past the form and for as long as an access token lasts."""
    page.goto("/password/reset/done/")
    tokens = json.dumps({"access": person.access, "login": "1"})
    page.evaluate("tokens => localStorage.setItem('tickethub.tokens', tokens)", tokens)


@contextmanager
def held(page, path):
    """What is sent there meanwhile, to go on later."""
    routes = []
    page.route(path, lambda route: routes.append(route), times=1)
    with page.expect_request(path):
        yield routes


def fill_storage(page, name):
    """Leave no room in `localStorage` or `sessionStorage`."""
    fill = """name => {
        for (let size = 2 ** 22; size >= 1; size /= 2) {
            try {
                while (true) window[name].setItem(Math.random(), "x".repeat(size));
            } catch {}
        }
    }"""
    page.evaluate(fill, name)


@pytest.fixture
def drawer(world, open_browser):
    """Ada's page with the drawer of a task."""
    world.task("Fix the gate", description="It *squeaks*.")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    expect(page.get_by_role("complementary")).to_be_visible()
    return page


@pytest.fixture
def picture(request):
    """Keep a picture of a page, where a folder for them is given."""
    folder = request.config.getoption("--screenshots")

    def take(page, name):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            page.wait_for_timeout(250)  # until nothing glides any more
            page.screenshot(path=folder / f"{name}.png")

    return take
