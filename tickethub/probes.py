"""What machines ask a server process: whether it is up, whether it can serve, how it is doing."""

import logging
import os
import time
from functools import cache
from threading import Lock

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from realtime import bell
from tickethub.logs import words_of

logger = logging.getLogger(__name__)


def healthz(request):
    """The process is up."""
    return JsonResponse({"status": "ok"})


def readyz(request):
    """Whether the database, its migrations and the channel layer are there, and the server stays: 200, else 503."""
    checks = {**readiness.look(), "serving": not is_draining(request)}
    ready = all(checks.values())
    body = {"status": "ok" if ready else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503, headers={} if ready else {"Retry-After": "2"})


def metrics(request):
    """What Prometheus scrapes: for whoever shows METRICS_TOKEN, and not there at all without one."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


class Readiness:
    """What the checks found, at most a second ago: however many ask, they cost no more than one a second.

    Meanwhile one alone waits for them, and the others have what was found before: or all threads for probes would wait
    for a database that is away, and nobody could ask whether the process is up. They do not have it for long.
    """

    KEPT = 1  # seconds
    OVERDUE = 6  # seconds, after which a check that is under way has found that the database does not answer

    def __init__(self):
        self.lock, self.until, self.began = Lock(), 0, 0
        self.found = dict.fromkeys(["database", "migrations", "channel_layer"], False)
        self.failing = set()

    def look(self):
        if time.monotonic() >= self.until and self.lock.acquire(blocking=False):
            try:
                self.began = time.monotonic()
                self.found = self.check()
                self.until = time.monotonic() + self.KEPT
            finally:
                self.lock.release()
        elif self.lock.locked() and time.monotonic() > self.began + self.OVERDUE:
            return {**self.found, "database": False}
        return self.found

    def check(self):
        database = self.passes("database", has_database)
        return {
            "database": database,
            # Or a database that is away would be waited for twice.
            "migrations": database and self.passes("migrations", is_migrated),
            "channel_layer": self.passes("channel_layer", bell.check),
        }

    def passes(self, name, check):
        """Whether a check finds what it looks for. Where that has changed, the log says so, once, and why."""
        try:
            reason = "not all are applied" if check() is False else None
        except Exception as error:
            reason = words_of(error)
        if reason and name not in self.failing:
            logger.warning("Not ready, %s: %s", name, reason)
            self.failing.add(name)
        elif not reason and name in self.failing:
            logger.warning("Ready again, %s", name)
            self.failing.remove(name)
        return not reason


readiness = Readiness()


def is_draining(request):
    """Whether the server is about to end; only ours says so."""
    return getattr(request, "scope", {}).get("state", {}).get("is_draining", False)


def has_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if connection.vendor == "sqlite" and not os.access(connection.settings_dict["NAME"], os.W_OK):
        raise PermissionError("The file of the database cannot be written.")


def is_migrated():
    return own_migrations() <= MigrationRecorder(connection).applied_migrations().keys()


@cache
def own_migrations():
    """Those that this process came with. An upgrade writes others beside them, which are for the processes to come."""
    return MigrationLoader(None).graph.nodes.keys()
