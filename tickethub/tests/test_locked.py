"""Who finds locked what a write needs is in nobody's way: it tries again for a while, and writes once or not at all.

Connections of tests have no bounds of their own: here they get those of a server, but shorter ones.
"""

import asyncio
import os
import subprocess
import sys
from functools import partial
from threading import Event
from time import monotonic, sleep
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpResponse
from psycopg.errors import LockNotAvailable, QueryCanceled

from accounts.models import User
from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.test_admin import Desk
from tasks.models import Task
from tickethub import pool, threads, transactions
from tickethub.env import BASE_DIR
from tickethub.http import Handler
from tickethub.server import Server, twisted_loop
from tickethub.tests.test_http import ask
from tickethub.tests.test_overtaken_writes import API, InThread, Site, send

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")


@pytest.fixture
def bounded(monkeypatch):
    monkeypatch.setattr(pool, "BOUNDS", "-c lock_timeout=200ms -c statement_timeout=5s")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", pool.BOUNDS)
    connection.close()
    yield
    connection.close()


def until(is_so):
    give_up_at = monotonic() + 10
    while not is_so():
        assert monotonic() < give_up_at
        sleep(0.01)


@pytest.fixture
def locked(bounded):
    """A site whose log somebody holds, and with it whatever is written there, until `free()` is called."""
    site = Site("owner")
    other = connections.create_connection("default")
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT FROM realtime_stream WHERE project_id = %s FOR UPDATE", [site.project.pk])
    site.free = other.rollback
    yield site
    other.close()


def shown(name):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


# --- Who tries again ---


@on_postgresql
def test_who_waits_for_a_lock_tries_again_and_writes_once(as_user, locked):
    client = as_user(locked.owner)
    locked.note_the_log(client)
    writing = InThread(partial(client.patch, f"{API}tasks/{locked.task.pk}/", {"title": "New"}))
    until(lambda: transactions.waiting)
    sleep(1)  # for some attempts
    assert writing.is_alive()
    locked.free()
    answer = writing.result()
    assert (answer.status_code, answer.json()["version"]) == (200, locked.task.version + 1)
    assert locked.events(client) == ["task.updated"]
    assert not transactions.waiting
    assert threads.turns_to_try_again.acquire(blocking=False)
    threads.turns_to_try_again.release()


@on_postgresql
def test_a_task_that_is_sent_twice_meanwhile_is_made_once(as_user, locked):
    body = {"project": str(locked.project.pk), "title": "New", "id": str(uuid4())}
    writing = [InThread(partial(as_user(locked.owner).post, f"{API}tasks/", body)) for _ in range(2)]
    until(lambda: transactions.waiting)
    sleep(0.5)
    locked.free()
    assert sorted(each.result().status_code for each in writing) == [200, 201]
    assert Task.objects.get(pk=body["id"]).number == 3


@on_postgresql
def test_503_and_nothing_is_written_where_the_lock_is_not_to_be_had(as_user, locked, monkeypatch):
    monkeypatch.setattr(transactions, "LOCKED_WITHIN", 0.5)
    client = as_user(locked.owner)
    with nothing_changes():
        answer = client.patch(f"{API}tasks/{locked.task.pk}/", {"title": "New"})
    refused(answer, 503, "busy")
    assert answer["Retry-After"] == "1"


@on_postgresql
def test_two_that_wait_for_each_other_both_end(bounded):
    tasks = Site().task, Site().task
    met = [Event(), Event()]

    @transactions.in_transaction
    def change(first, second):
        Task.objects.filter(pk=tasks[first].pk).locked().get()
        met[first].set()
        met[second].wait(10)
        Task.objects.filter(pk=tasks[second].pk).locked().get().save(update_fields=["title"])
        return True

    changing = [InThread(partial(change, *order)) for order in ([0, 1], [1, 0])]
    assert [each.result() for each in changing] == [True, True]


@on_postgresql
def test_the_admin_tells_503_rather_than_500(locked, monkeypatch):
    monkeypatch.setattr(transactions, "LOCKED_WITHIN", 0.5)
    desk = Desk()
    desk.client.raise_request_exception = False
    page = desk.save(locked.task, title="New")
    assert (page.status_code, page["Retry-After"]) == (503, "1")
    locked.task.refresh_from_db()
    assert locked.task.title != "New"


@on_postgresql
def test_who_logs_in_to_it_is_told_503_while_their_row_is_held(bounded, client):
    client.raise_request_exception = False
    staff = UserFactory(is_staff=True)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=staff.pk)
        body = {"username": staff.email, "password": PASSWORD}
        login = InThread(partial(client.post, "/admin/login/", body))
        page = login.result()
    assert (page.status_code, page["Retry-After"]) == (503, "1")


@on_postgresql
def test_a_change_of_oneself_is_written_by_the_attempt_that_succeeds(as_user, locked):
    client = as_user(locked.owner)
    locked.note_the_log(client)
    writing = InThread(partial(client.patch, f"{API}users/me/", {"first_name": "Renamed"}))
    until(lambda: transactions.waiting)
    locked.free()
    assert writing.result().json()["first_name"] == "Renamed"
    assert User.objects.get(pk=locked.owner.pk).first_name == "Renamed"
    assert locked.events(client)


# --- Whom they are in the way of ---


STUCK = f"{API}projects/"


@pytest.fixture
def stuck(monkeypatch, bounded):
    """A handler that finds locked what is written to projects, after a while, until it is told `free`."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite locks no rows: writers queue")
    stuck = SimpleNamespace(handler=Handler(), free=Event(), attempts=[], now=0, most=0)

    @transactions.in_transaction
    def write(request):
        stuck.attempts.append(shown("lock_timeout"))
        if request.path == STUCK and not stuck.free.is_set():
            stuck.now += 1
            stuck.most = max(stuck.most, stuck.now)
            sleep(0.1)
            stuck.now -= 1
            raise OperationalError from LockNotAvailable()
        return HttpResponse("done")

    def answer(request):
        try:
            return write(request)
        except OperationalError:
            return HttpResponse(status=503)
        finally:
            connections.close_all()

    monkeypatch.setattr(stuck.handler, "get_response", answer)
    yield stuck
    stuck.free.set()


WRITERS = 8


async def begin(stuck, leaves=None):
    writing = [asyncio.ensure_future(ask(stuck.handler, STUCK, leaves, method="POST")) for _ in range(WRITERS)]
    while len(stuck.attempts) <= WRITERS:
        await asyncio.sleep(0.01)
    return writing


async def test_who_tries_again_leaves_turns_to_others(stuck):
    writing = await begin(stuck)
    for _ in range(5):
        began = monotonic()
        assert await ask(stuck.handler, method="POST") == 200
        assert monotonic() - began < 1
    stuck.most = 0
    await asyncio.sleep(1)
    assert 0 < stuck.most <= max(settings.REQUESTS_AT_ONCE // 4, 1)
    assert not any(each.done() for each in writing)
    stuck.free.set()
    assert await asyncio.gather(*writing) == [200] * WRITERS
    assert threads.turns_to_write.acquire(blocking=False)
    threads.turns_to_write.release()


async def test_nobody_waits_for_long_while_others_do(stuck):
    writing = await begin(stuck)
    assert await ask(stuck.handler, method="POST") == 200
    assert stuck.attempts[0] == "200ms"
    assert pool.HURRIED["lock_timeout"] in stuck.attempts
    stuck.free.set()
    await asyncio.gather(*writing)


async def test_no_more_wait_than_leave_threads_to_others(stuck, monkeypatch):
    monkeypatch.setattr(transactions, "MOST", WRITERS)
    writing = await begin(stuck)
    await asyncio.sleep(0.3)
    assert len(transactions.waiting) <= WRITERS // 2
    stuck.free.set()
    assert set(await asyncio.gather(*writing)) == {200, 503}


async def test_who_waits_does_not_hold_up_the_end(stuck):
    writing = await begin(stuck)
    threads.ending.set()
    try:
        assert await asyncio.wait_for(asyncio.gather(*writing), 1) == [503] * WRITERS
    finally:
        threads.ending.clear()


def test_the_end_of_the_server_is_told_to_who_waits(monkeypatch):
    monkeypatch.setattr(threads, "ending", Event())
    monkeypatch.setattr(twisted_loop, "create_task", lambda drained: drained)
    Server.leave(SimpleNamespace(is_draining=False, drain=lambda: None))
    assert threads.ending.is_set()


async def test_nothing_is_tried_again_for_a_client_that_has_gone(stuck):
    leaves = asyncio.Event()
    writing = await begin(stuck, leaves)
    leaves.set()
    assert await asyncio.wait_for(asyncio.gather(*writing), 3) == [503] * WRITERS


# --- Whom it concerns ---


def options_of(code, url="postgres://nobody@127.0.0.1:1/nothing"):
    """The session's options in a process that has run this."""
    code += "; from django.db import connection; print(connection.settings_dict['OPTIONS'].get('options'))"
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tickethub.settings", "REDIS_URL": ""}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=BASE_DIR, env=environment)
    return done.stdout.decode().strip()


def test_a_server_begins_its_connections_with_bounds_and_a_command_does_not():
    assert options_of("import tickethub.asgi") == pool.BOUNDS
    assert options_of("import django; django.setup()") == "None"


def test_what_the_address_of_the_database_says_wins(tmp_path):
    asked = "-c%20statement_timeout%3D60s"
    url = f"postgres://nobody@127.0.0.1:1/nothing?options={asked}"
    assert options_of("import tickethub.asgi", url) == f"{pool.BOUNDS} -c statement_timeout=60s"
    assert options_of("import tickethub.asgi", f"sqlite:///{tmp_path}/db.sqlite3") == "None"


@on_postgresql
def test_a_statement_that_takes_too_long_is_ended(bounded):
    with connection.cursor() as cursor, pytest.raises(OperationalError) as raised:
        cursor.execute("SELECT pg_sleep(20)")
    assert isinstance(raised.value.__cause__, QueryCanceled)


LONG = {
    "import": lambda site: ("post", f"projects/{site.project.pk}/import/", {"data": '[{"title": "New"}]'}),
    "delete a project": lambda site: ("delete", f"projects/{site.project.pk}/", None),
    "delete a label": lambda site: ("delete", f"labels/{site.label.pk}/", None),
    "remove a member": lambda site: ("delete", f"memberships/{site.membership.pk}/", None),
    "change a task": lambda site: ("patch", f"tasks/{site.task.pk}/", {"title": "New"}),
}


@on_postgresql
@pytest.mark.parametrize("write", LONG)
def test_what_does_much_takes_longer_and_nothing_else(as_user, bounded, write):
    site, seen = Site(), []

    def look(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "realtime_stream" in sql and "UPDATE" in sql and not seen:  # well within the transaction
            seen.append([shown("statement_timeout"), shown("lock_timeout")])
        return result

    with connection.execute_wrapper(look):
        answer = send(as_user(site.owner), *LONG[write](site))
    assert answer.status_code in {200, 204}
    assert seen == [["5s", "200ms"] if write == "change a task" else ["0", "10s"]]
    assert [shown("statement_timeout"), shown("lock_timeout")] == ["5s", "200ms"]  # the next one's
