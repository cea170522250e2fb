"""Mails: whoever asks for one neither waits for the mail server nor fails with it."""

import subprocess
import sys
import threading
from unittest.mock import patch

import pytest
from django.core import mail
from django.db import OperationalError, connection

from accounts.tests.checks import refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from tickethub import mail as mails
from tickethub.env import BASE_DIR
from tickethub.tests.test_env import PRODUCTION, run

API = "/api/v1/"


@pytest.fixture
def threads(settings, monkeypatch):
    """Send as an installation does; gives a function that waits until all is sent."""
    settings.MAIL_THREADS = 1
    monkeypatch.setattr(mails, "LATER", 0)
    mails.threads.cache_clear()
    yield lambda: mails.threads().submit(int).result(10)
    mails.threads().shutdown()
    mails.threads.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_hangs_delays_no_answer(anonymous, as_user, threads):
    user = UserFactory(email="ada@example.org")
    project = ProjectFactory(owner=user)
    is_over = threading.Event()
    mails.in_background(is_over.wait, 10)
    assert anonymous.post(f"{API}auth/password/reset/", {"email": "Ada@example.org"}).status_code == 202
    invitation = {"project": str(project.pk), "email": "new@example.org"}
    assert as_user(user).post(f"{API}invitations/", invitation).status_code == 201
    assert mail.outbox == []
    is_over.set()
    threads()
    assert [message.to for message in mail.outbox] == [["ada@example.org"], ["new@example.org"]]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["accounts.mail.send_mail", "projects.mail.send_mail"])
def test_a_mail_server_that_is_away_fails_no_answer_and_is_logged_without_a_secret(
    anonymous, as_user, threads, name, caplog
):
    user = UserFactory(email="ada@example.org")
    project = ProjectFactory(owner=user)

    def refuse(subject, body, sender, recipients):
        raise ConnectionRefusedError(f"{recipients} {body}")

    with patch(name, refuse):
        assert anonymous.post(f"{API}auth/password/reset/", {"email": user.email}).status_code == 202
        invitation = {"project": str(project.pk), "email": "new@example.org"}
        made = as_user(user).post(f"{API}invitations/", invitation)
        threads()
    assert made.status_code == 201
    assert "A mail could not be sent: ConnectionRefusedError" in caplog.text
    assert "example.org" not in caplog.text
    assert made.json()["token"] not in caplog.text


def test_no_more_mails_wait_than_may(threads, monkeypatch, caplog):
    monkeypatch.setattr(mails, "room", threading.BoundedSemaphore(2))
    is_over, sent = threading.Event(), []
    mails.in_background(is_over.wait, 10)
    for number in range(3):
        mails.in_background(sent.append, number)
    is_over.set()
    threads()
    assert sent == [0]
    assert caplog.text.count("A mail is not sent: too many wait") == 2
    mails.in_background(sent.append, 3)
    threads()
    assert sent == [0, 3]


def test_a_process_that_ends_sends_what_waits():
    program = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tickethub.tests.settings'; import time\n"
        "from django.conf import settings; settings.MAIL_THREADS = 1\n"
        "from tickethub.mail import in_background\n"
        "for number in range(3): in_background(time.sleep, 0.05); in_background(print, number)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=BASE_DIR, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["0", "1", "2"]


@pytest.mark.django_db
def test_while_the_database_is_away_no_link_is_promised(anonymous):
    with patch.object(connection, "ensure_connection", side_effect=OperationalError("gone")):
        refused(anonymous.post(f"{API}auth/password/reset/", {"email": "ada@example.org"}), 503, "unavailable")


@pytest.mark.parametrize("debug", [True, False])
def test_mails_are_printed_in_development_alone(debug):
    program = (
        "import django; django.setup(); from django.core.mail import send_mail; "
        "send_mail('Hello', 'LINK', None, ['a@b.org'])"
    )
    told = run("-c", program, **PRODUCTION, DEBUG=str(debug), DJANGO_SETTINGS_MODULE="tickethub.settings")
    assert told.returncode == 0, told.stderr
    assert ("LINK" in told.stdout + told.stderr) == debug
    assert ("A mail is not sent: EMAIL_HOST is not set" in told.stderr) != debug
    assert ("a@b.org" in told.stdout + told.stderr) == debug
