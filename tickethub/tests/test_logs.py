"""The log: what each line tells, and that nobody can forge one."""

import json
import logging
import re
import signal
import time
from contextlib import ExitStack

import httpx
import pytest
from websockets.sync.client import connect

from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tasks.views import TaskViewSet
from tickethub.tests.served import PERSON, served

BEGINNING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+ \[\S+\] ")
FORGERIES = ["one\ntwo", "one\r\ntwo", "one\u2028two", "one\x85two", "one\x0btwo", "\x1b[2J", "lone \udcff", "nul \0"]

logger = logging.getLogger("tickethub.tests")


def access(log):
    return log.lines("tickethub.access")


# --- What a request tells ---


@pytest.mark.django_db
def test_a_request_tells_one_line(log, as_user):
    user = UserFactory()
    ProjectFactory(key="AB", owner=user)

    answer = as_user(user).get("/api/v1/projects/AB/?nothing=secret", headers={"X-Request-ID": "trace-1"})

    [line] = access(log)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("ms") > 0
    assert re.fullmatch(r"GET /api/v1/projects/AB/ 400 [0-9.]+ ms", line.pop("message"))
    assert line == {
        "level": "INFO",
        "logger": "tickethub.access",
        "request_id": "trace-1",
        "method": "GET",
        "path": "/api/v1/projects/AB/",
        "status": 400,
        "user": str(user.pk),
        "address": "127.0.0.1",
        "bytes": len(answer.content),
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "/"),
        ("/api/v1/tasks/AB-12/", "/api/v1/tasks/AB-12/"),
        ("/api/v1/tasks/some-token/", "/api/v1/tasks/***/"),
        ("/api/v1/users/00000000-0000-7000-8000-000000000000/", "/api/v1/users/00000000-0000-7000-8000-000000000000/"),
        ("/password/reset/Zm9v/cx1-abc/", "/password/reset/***/***/"),
        ("/nothing/some-token", "-"),
    ],
)
def test_a_path_shows_its_ids_and_nothing_else_that_was_put_in(log, client, path, told):
    client.get(path)

    assert [line["path"] for line in access(log)] == [told]


@pytest.mark.django_db
def test_who_is_logged_in_to_the_admin_is_told_and_nobody_is_looked_up_for_it(log, client, django_assert_num_queries):
    user = UserFactory(is_staff=True)
    client.force_login(user)

    client.get("/admin/")
    with django_assert_num_queries(0):
        client.get("/invitations/accept/")

    assert [line["user"] for line in access(log)] == [str(user.pk), None]


@pytest.mark.django_db
@pytest.mark.parametrize(("proxies", "told"), [(0, "127.0.0.1"), (1, "203.0.113.7")])
def test_the_address_is_the_one_that_is_throttled(log, client, settings, proxies, told):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}

    client.get("/", headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.7"})

    assert access(log)[0]["address"] == told


def test_probes_are_told_under_debug_alone(make_log, client):
    info = make_log(level="INFO")
    client.get("/healthz")
    client.get("/invitations/accept/")
    assert [line["path"] for line in access(info)] == ["/invitations/accept/"]

    debug = make_log(level="DEBUG")
    client.get("/healthz")
    assert [line["path"] for line in access(debug)] == ["/healthz"]


@pytest.mark.django_db
def test_a_failure_tells_its_traceback_in_a_field(log, client, as_user, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("of a test")

    monkeypatch.setattr(TaskViewSet, "retrieve", fail)
    api = as_user(UserFactory())
    api.raise_request_exception = False

    answer = api.get("/api/v1/tasks/some-token/")

    [failure], [request] = log.lines("django"), access(log)
    assert answer.status_code == request["status"] == 500
    assert failure["request_id"] == request["request_id"] == answer["X-Request-ID"]
    assert failure["message"] == "Internal Server Error: /api/v1/tasks/***/"
    assert failure["exception"].startswith("Traceback")
    assert failure["exception"].endswith("RuntimeError: of a test")


# --- Forged lines ---


@pytest.mark.parametrize("text", FORGERIES)
def test_a_json_line_stays_one_whatever_is_in_it(make_log, text):
    log = make_log("json")  # here, where it takes the place of pytest's, which cannot pass on a lone surrogate
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception(text, extra={"fields": {"field": text}, "request_id": text})

    [line] = log.lines()
    assert line["message"] == line["field"] == line["request_id"] == text
    assert text in line["exception"]


@pytest.mark.parametrize("text", FORGERIES)
def test_in_plain_lines_no_second_record_can_be_forged(make_log, text):
    log = make_log("line")
    forged = f"{text}\n2026-01-01 00:00:00,000 INFO forged [-] a line"
    try:
        raise ValueError(forged)
    except ValueError:
        logger.exception(forged)

    first, *rest = log.text.splitlines()
    assert BEGINNING.match(first)
    assert len(rest) > 3
    assert all(line.startswith("    ") for line in rest)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", log.text)


@pytest.mark.django_db
@pytest.mark.parametrize("formatter", ["json", "line"])
@pytest.mark.parametrize("path", ["/api/v1/tasks/%0A%1B%00/", "/%ED%B3%BF/", "/%0d%0aforged/"])
def test_odd_paths_break_no_line(make_log, client, formatter, path):
    log = make_log(formatter)

    answer = client.get(path, headers={"User-Agent": "a\nb", "X-Request-ID": "a\nb"})

    assert answer.status_code in {401, 404}
    [line] = log.text.splitlines()
    assert answer["X-Request-ID"] in line


# --- All that a server says ---


def test_a_served_process_says_nothing_but_such_lines(tmp_path, monkeypatch):
    for name, value in {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}.items():
        monkeypatch.setenv(name, value)
    with served(tmp_path, "-m", "tickethub.server", "-v", "2", "--access-log", "-") as server, ExitStack() as stack:
        http = stack.enter_context(httpx.Client(base_url=f"http://{server.address}/"))
        assert http.post("api/v1/auth/register/", json=PERSON).status_code == 201
        tokens = http.post("api/v1/auth/token/", json=PERSON).json()
        http.get(f"api/v1/tasks/?token={tokens['refresh']}", headers={"Authorization": f"Bearer {tokens['access']}"})
        with connect(f"ws://{server.address}/ws/v1/?token={tokens['refresh']}", proxy=None) as line:
            line.send(json.dumps({"type": "authenticate", "token": tokens["access"]}))
            assert json.loads(line.recv())["type"] == "authenticated"
        wait_until(lambda: "A WebSocket closed" in (tmp_path / "log").read_text())
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)

    text = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    paths = [line["path"] for line in lines if line["logger"] == "tickethub.access"]
    assert [path for path in paths if path != "/readyz"] == [
        "/api/v1/auth/register/",
        "/api/v1/auth/token/",
        "/api/v1/tasks/",
    ]
    secret = [PERSON["password"], *tokens["access"].split("."), *tokens["refresh"].split(".")]
    assert not any(word in text for word in secret)


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
