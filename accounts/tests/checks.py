"""What many tests ask: that a refusal has the shape all refusals have, and that nothing came of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from threading import Barrier

from django.apps import apps
from django.core import mail
from django.db import connection, transaction
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

MOST_QUERIES = 5  # what a list may cost, the check of the token with it


def refused(response, status, code=None, errors=None):
    """Assert a refusal's status and shape; `errors` names the fields it complains of, each with its code."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    assert response["X-Request-ID"]
    body = response.json()
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert "://" not in body["detail"]
    assert isinstance(body["code"], str)
    assert body["code"]
    assert set(body) <= {"detail", "code", "errors", "messages", "current"}
    assert ("errors" in body) == (body["code"] == "invalid" and status == 400)
    for told in body.get("errors", {}).values():
        assert told
        assert all(set(each) == {"detail", "code"} and all(map(str, each.values())) for each in told)
    if code is not None:
        assert body["code"] == code
    if errors is not None:
        assert {name: told[0]["code"] for name, told in body["errors"].items()} == errors
    return body


def assert_throttled(response):
    """Assert that it was too much, by a limit that passes within a minute."""
    body = refused(response, 429, "throttled")
    assert 0 < int(response["Retry-After"]) <= 60
    assert body["detail"].startswith("Request was throttled.")


def everything():
    """All rows of all tables as the database holds them, and all mails."""
    rows = {}
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)  # some are there on PostgreSQL alone
        for model in apps.get_models(include_auto_created=True):
            if model._meta.db_table not in tables:
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
            rows[model._meta.label] = sorted(map(repr, cursor.fetchall()))
    return rows, [(message.to, message.body) for message in mail.outbox]


@contextmanager
def nothing_changes():
    """Assert that no row, no event and no mail comes of what is done within."""
    before = everything()
    with TestCase.captureOnCommitCallbacks(execute=True):
        yield
    assert everything() == before


@contextmanager
def undone():
    """What is written within is taken back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class WatchfulClient(APIClient):
    """A client that holds every refusal of the API to what is promised: that nothing came of it.

    It looks at the statements that stand, and only within a test's own transaction: where there is none, a rollback
    is no statement.
    """

    def request(self, **request):
        is_watched = connection.in_atomic_block and not request["PATH_INFO"].startswith(MAY_WRITE)
        watch, before = Watch(), waiting()
        with connection.execute_wrapper(watch) if is_watched else nullcontext():
            response = super().request(**request)
        if is_watched and 400 <= response.status_code < 500:
            assert not watch.written, f"{response.status_code} wrote: {watch.written}"
            assert waiting() == before, f"{response.status_code} sent a mail, or will after the commit"
        return response


# A login that is refused may be counted; a refresh token that is used twice may end what came of it.
MAY_WRITE = ("/api/v1/auth/token/",)


def waiting():
    """What leaves the database: mails, and what is to be done after the commit."""
    return len(getattr(mail, "outbox", [])), len(connection.run_on_commit)


class Watch:
    """The statements that wrote and stand: those that a savepoint took back are left out."""

    def __init__(self):
        self.written, self.savepoints = [], {}

    def __call__(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        verb, _, rest = sql.partition(" ")
        if verb == "SAVEPOINT":
            self.savepoints[rest] = len(self.written)
        elif sql.startswith("ROLLBACK TO SAVEPOINT "):
            del self.written[self.savepoints.get(sql.rpartition(" ")[2], 0) :]
        elif verb in {"INSERT", "UPDATE", "DELETE"} and '"silk_' not in sql:
            self.written.append(sql)
        return result


def count_queries(client, path, rows):
    """How many queries a list takes, asserting that it shows so many rows."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(path, {"limit": 100})
    assert response.status_code == 200, response.content
    assert response.json()["count"] == len(response.json()["results"]) == rows
    return len(queries)


def all_at_once(requests):
    """Make requests in threads that start together, each with a connection of its own; gives their statuses."""
    start = Barrier(len(requests))

    def run(request):
        start.wait(10)
        try:
            return request().status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(pool.map(run, requests))
