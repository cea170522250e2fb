"""What tests of the whole share: the log as production writes it, and the hub."""

import io
import json
import logging
import logging.config

import pytest
from django.conf import settings as configured

from realtime.tests.conftest import hub  # noqa: F401 a fixture
from tickethub import settings as shipped


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
