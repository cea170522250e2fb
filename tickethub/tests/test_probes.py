"""What machines ask: /healthz, /readyz and /metrics."""

import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.test import override_settings

from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from realtime import bell
from tickethub import metrics, probes
from tickethub.prepared import keep_plan, plans_kept

TOKEN = "a token for the metrics"
NEWER = {("tasks", "9999_newer"): Migration("9999_newer", "tasks")}


@pytest.fixture(autouse=True)
def readiness(monkeypatch):
    """What no test before this one found out."""
    monkeypatch.setattr(probes, "readiness", probes.Readiness())


@pytest.fixture
def scrape(client, settings):
    """The numbers that Prometheus gets, by name and labels."""
    settings.METRICS_TOKEN = TOKEN

    def get():
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=")
        lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    return get


# --- Who may ask ---


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@override_settings(ALLOWED_HOSTS=["tickets.example.org"], SECURE_SSL_REDIRECT=True, METRICS_TOKEN=TOKEN)
def test_a_probe_may_name_the_process_by_its_address_and_without_tls(client, path):
    headers = {"Host": "10.1.2.3:8000", "Authorization": f"Bearer {TOKEN}"}

    answer = client.get(path, headers=headers)

    assert answer.status_code == 200
    assert answer["X-Request-ID"]
    assert client.get("/", headers=headers).status_code == 400


@pytest.mark.django_db
@override_settings(METRICS_TOKEN=TOKEN)
def test_probes_are_not_throttled(client):
    for path in ["/healthz", "/readyz"] * 150:
        assert client.get(path).status_code == 200


def test_without_a_token_in_the_settings_there_are_no_metrics(client, settings):
    settings.METRICS_TOKEN = ""

    for token in ("", "Bearer ", "Bearer None"):
        assert client.get("/metrics", headers={"Authorization": token}).status_code == 404


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}é"]
)
def test_who_does_not_show_the_token_gets_no_metrics(client, settings, given):
    settings.METRICS_TOKEN = TOKEN

    answer = client.get("/metrics", headers={"Authorization": given})

    assert answer.status_code == 401
    assert answer.content == b""


# --- Health ---


@pytest.mark.django_db
def test_healthz_says_that_the_process_is_up(client):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_readyz_says_that_all_is_there(client):
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": True, "migrations": True, "channel_layer": True, "serving": True},
    }


class Hanging:
    """A channel layer, or a connection, that is not there."""

    async def group_send(self, group, message):
        raise ConnectionError("refused")

    def cursor(self):
        raise OperationalError("the server closed the connection unexpectedly")


class Behind:
    """A database that no migration has reached."""

    def __init__(self, connection):
        pass

    def applied_migrations(self):
        return {}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("check", "module", "name", "value"),
    [
        ("database", probes, "connection", Hanging()),
        ("migrations", probes, "MigrationRecorder", Behind),
        ("channel_layer", bell, "get_channel_layer", Hanging),
    ],
)
def test_readyz_says_what_is_away(client, monkeypatch, check, module, name, value):
    monkeypatch.setattr(module, name, value)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"][check] is False


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="A file is SQLite's.")
def test_a_database_that_can_only_be_read_is_away(client, monkeypatch):
    asked = []
    monkeypatch.setattr(probes.os, "access", lambda *what: asked.append(what))

    assert client.get("/readyz").json()["checks"]["database"] is False
    assert asked == [(connection.settings_dict["NAME"], os.W_OK)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("check", "module", "name", "value", "reason"),
    [
        ("database", probes, "connection", Hanging(), "OperationalError: the server closed the connection"),
        ("migrations", probes, "MigrationRecorder", Behind, "not all are applied"),
        ("channel_layer", bell, "get_channel_layer", Hanging, "ConnectionError: refused"),
    ],
)
def test_the_log_says_once_why_something_is_away_and_that_it_is_back(
    log, monkeypatch, check, module, name, value, reason
):
    with monkeypatch.context() as patch:
        patch.setattr(module, name, value)
        for _ in range(3):
            probes.readiness.check()
    for _ in range(3):
        probes.readiness.check()

    away, back = log.lines("tickethub.probes")
    assert (away["level"], back["level"]) == ("WARNING", "WARNING")
    assert away["message"].startswith(f"Not ready, {check}: {reason}")
    assert back["message"] == f"Ready again, {check}"


@pytest.mark.django_db
def test_migrations_that_an_upgrade_lays_beside_a_process_are_not_asked_of_it(monkeypatch):
    assert probes.is_migrated()
    monkeypatch.setattr(MigrationLoader, "load_disk", lambda self: setattr(self, "disk_migrations", NEWER))

    assert probes.is_migrated()
    probes.own_migrations.cache_clear()
    assert not probes.is_migrated()
    probes.own_migrations.cache_clear()


@pytest.mark.django_db
def test_healthz_does_not_ask_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/healthz")


# --- What asking costs ---


@pytest.mark.django_db
def test_however_many_ask_the_checks_run_once_a_second(client, monkeypatch, django_assert_num_queries):
    now = [100.0]
    monkeypatch.setattr(probes.time, "monotonic", lambda: now[0])
    rung = []
    monkeypatch.setattr(probes.bell, "check", lambda: rung.append(1))
    client.get("/readyz")
    with django_assert_num_queries(0):
        for _ in range(20):
            assert client.get("/readyz").status_code == 200
    assert len(rung) == 1
    now[0] += 1
    client.get("/readyz")
    assert len(rung) == 2


@pytest.mark.django_db
def test_a_database_that_is_away_is_waited_for_once(monkeypatch):
    asked = []

    class Away:
        def cursor(self):
            asked.append(1)
            raise TimeoutError

    monkeypatch.setattr(probes, "connection", Away())

    assert probes.readiness.look() == {"database": False, "migrations": False, "channel_layer": True}
    assert len(asked) == 1


def test_while_one_looks_the_others_have_what_was_found_before(monkeypatch):
    readiness, looking, free = probes.Readiness(), threading.Event(), threading.Event()
    readiness.found = before = {"database": True}

    def check():
        looking.set()
        assert free.wait(10)
        return {"database": False}

    monkeypatch.setattr(readiness, "check", check)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(readiness.look)
        assert looking.wait(10)
        assert readiness.look() is before
        monkeypatch.setattr(readiness, "OVERDUE", 0)
        assert readiness.look() == {"database": False}
        free.set()
        assert slow.result(10) == readiness.look() == {"database": False}


def test_metrics_ask_no_database(scrape):
    scrape()  # a query would fail in a test that has no database


# --- What they tell ---


@pytest.mark.django_db
def test_requests_are_counted_under_their_routes(scrape, as_user):
    user = UserFactory()
    ProjectFactory(key="AB", owner=user)
    api = as_user(user)
    before = scrape()
    for path in (
        "/api/v1/projects/AB/",
        "/api/v1/projects/AB/",
        "/api/v1/projects/NONE/",
        "/nothing/1/",
        "/nothing/2/",
    ):
        api.get(path)
    api.generic("PROPFIND", "/api/v1/projects/AB/")

    after = scrape()
    grown = {name: value - before.get(name, 0) for name, value in after.items() if "_created" not in name}
    grown = {name: value for name, value in grown.items() if value and name.startswith("tickethub_requests_total")}
    route = 'route="api/v1/projects/<str:pk>/"'
    assert grown == {
        f'tickethub_requests_total{{method="GET",{route},status="200"}}': 2,
        f'tickethub_requests_total{{method="GET",{route},status="404"}}': 1,
        f'tickethub_requests_total{{method="other",{route},status="405"}}': 1,
        'tickethub_requests_total{method="GET",route="none",status="404"}': 2,
        'tickethub_requests_total{method="GET",route="metrics",status="200"}': 1,
    }
    count = f'tickethub_request_seconds_count{{method="GET",{route}}}'
    assert after[count] - before.get(count, 0) == 3


@pytest.mark.django_db
def test_queries_are_counted_and_those_that_fail(scrape):
    metrics.watch_queries(connection)
    metrics.watch_queries(connection)
    before = scrape()
    try:
        UserFactory()
        with pytest.raises(Exception, match="no_such_table"), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
    finally:
        connection.execute_wrappers.remove(metrics.count_query)
        connection.needs_rollback = False
    after = scrape()

    name = "tickethub_database_query_seconds_count"
    assert after[name] - before[name] >= 2
    assert connection.execute_wrappers.count(metrics.count_query) == 0
    failed = {key: value for key, value in after.items() if key.startswith("tickethub_database_errors_total")}
    assert sum(failed.values()) - sum(before.get(key, 0) for key in failed) == 1


@pytest.mark.django_db
def test_to_connect_while_plans_are_kept_leaves_none_kept_after():
    """Each request connects as it asks who it is of: else all that follows on the connection would have kept plans."""
    before = [*connection.execute_wrappers]
    try:
        for _ in range(2):
            with plans_kept():
                metrics.watch_queries(connection)
                with plans_kept():
                    assert connection.execute_wrappers.count(keep_plan) == (connection.vendor == "postgresql")
            assert connection.execute_wrappers == [metrics.count_query, *before]
    finally:
        connection.execute_wrappers[:] = before


def test_the_pool_tells_its_size_and_who_waits(scrape, monkeypatch):
    class Pool:
        def get_stats(self):
            return {"pool_size": 3, "pool_available": 1, "requests_waiting": 2, "requests_errors": 5}

    class Connection:
        pool = Pool()

    monkeypatch.setattr(metrics, "connections", {"default": Connection()})
    told = scrape()

    assert told["tickethub_database_pool_size"] == 3
    assert told["tickethub_database_pool_requests_waiting"] == 2
    assert told["tickethub_database_pool_requests_errors_total"] == 5


def test_nothing_in_the_metrics_is_a_path_or_a_secret(scrape, client):
    client.get("/api/v1/tasks/a-secret/?token=a-secret")
    client.get("/a-secret/")

    assert not [name for name in scrape() if re.search("a-secret", name)]
