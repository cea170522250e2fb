"""The commands of manage.py that run the tests, and mail as development prints it."""

import io
import os
import subprocess
import sys

import pytest
from django.core.mail import EmailMessage
from django.core.management import get_commands, load_command_class

from tickethub.env import BASE_DIR
from tickethub.mail import ConsoleBackend


def manage(*arguments):
    """What manage.py says and gives, with nothing configured."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment | {"ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", ["test", "tests"])
def test_the_tests_are_run_by_pytest_with_what_was_asked(name, monkeypatch):
    runs = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: runs.append((path, arguments)))

    load_command_class(get_commands()[name], name).run_from_argv(["manage.py", name, "-k", "words with spaces"])

    settings = "--ds=tickethub.tests.settings"
    assert runs == [(sys.executable, [sys.executable, "-m", "pytest", settings, "-k", "words with spaces"])]


def test_the_tests_run_with_nothing_configured_and_pass_on_what_they_give():
    good, bad = manage("test", "--version"), manage("tests", "--no-such-option")

    assert (good.returncode, good.stdout.split()[0]) == (0, "pytest")
    assert bad.returncode == 4


def test_the_commands_are_listed():
    assert {"demo", "test", "tests"} <= {name for name, app in get_commands().items() if app == "tickethub"}


def test_a_mail_is_printed_so_that_its_link_can_be_copied():
    link = f"https://tickets.example.org/password/reset/{'x' * 90}/"
    printed = io.StringIO()

    message = EmailMessage("Ein Wörtchen", f"Hier:\n\n{link}\n", "from@example.org", ["to@example.org"])
    ConsoleBackend(stream=printed).send_messages([message])

    lines = printed.getvalue().splitlines()
    assert link in lines
    assert {"From: from@example.org", "To: to@example.org", "Subject: Ein Wörtchen"} <= set(lines)
