"""What tests of the whole share: the log as production writes it, the hub, and the world of the permissions."""

import io
import json
import logging
import logging.config

import pytest
from django.conf import settings as configured

from accounts.tests.checks import undone
from realtime.tests.conftest import hub  # noqa: F401 a fixture
from tickethub import settings as shipped
from tickethub.tests.world import World


class Log:
    """Where the log goes, as production configures it but for the level. Nothing is written there but valid UTF-8."""

    def __init__(self, formatter="json", level="DEBUG"):
        self.file = io.BytesIO()
        stream = io.TextIOWrapper(self.file, encoding="utf-8", write_through=True)
        handler = shipped.LOGGING["handlers"]["stderr"] | {"stream": stream, "formatter": formatter}
        root = shipped.LOGGING["root"] | {"level": level}
        logging.config.dictConfig(shipped.LOGGING | {"handlers": {"stderr": handler}, "root": root})

    @property
    def text(self):
        return self.file.getvalue().decode()

    def lines(self, logger=""):
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["logger"].startswith(logger)]


@pytest.fixture
def make_log(monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", True)
    yield Log
    logging.config.dictConfig(configured.LOGGING)


@pytest.fixture
def log(make_log):
    return make_log()


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, as_user):
    """The world of the table of permissions, made once for all tests of a module: each takes back what it changes."""
    with django_db_blocker.unblock(), undone():
        yield World(as_user)
