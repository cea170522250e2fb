"""`manage.py demo`, up to where it would become the server."""

import os
import socket
import sys

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from accounts.tests.factories import UserFactory
from tickethub.management.demo import filling


@pytest.fixture
def served(monkeypatch, settings):
    """Let the command run as in development, up to where it would become the server: what that would be is kept."""
    settings.DEBUG = True
    runs = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: runs.append(arguments))
    monkeypatch.setattr(os, "environ", {})
    return runs


@pytest.fixture
def port():
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.django_db
def test_it_says_where_to_go_and_how_to_log_in_and_serves(served, port, capsys):
    UserFactory(username="ada", email="ada@example.com", is_staff=True)
    UserFactory(username="bruno", email="bruno@example.com")

    call_command("demo", "--port", str(port))

    said = capsys.readouterr().out
    options = ["-b", "127.0.0.1", "-p", str(port), "tickethub.asgi:application"]
    assert served == [[sys.executable, "-m", "tickethub.server", *options]]
    assert os.environ["PUBLIC_URL"] == f"http://localhost:{port}"
    for address in ("/", "/swagger/", "/redoc/", "/admin/", "/api/v1/"):
        assert f"http://localhost:{port}{address}" in said
    assert f"  ws://localhost:{port}/ws/v1/        live updates\n" in said  # below the others
    assert "/silk/" not in said
    assert "  ada@example.com (staff)\n  bruno@example.com\n" in said
    assert filling.PASSWORD in said


@pytest.mark.django_db
def test_the_first_run_fills_and_tells_of_silk_where_it_is_on(served, port, capsys, monkeypatch, settings):
    settings.ENABLE_SILK = True
    fills = []
    monkeypatch.setattr(filling, "fill", lambda: fills.append(True))

    call_command("demo", "--port", str(port), "--host", "::1")

    assert fills == [True]
    assert f"http://localhost:{port}/silk/" in capsys.readouterr().out
    assert "::1" in served[0]


@pytest.mark.django_db
def test_what_stands_in_the_demos_place_is_left_alone(served, port, monkeypatch):
    User.objects.create_user(email="mine@example.org", username="ada", password="mine")
    monkeypatch.setattr(filling, "fill", lambda: pytest.fail("It filled."))

    call_command("demo", "--port", str(port))

    assert User.objects.count() == 1


def test_a_taken_port_is_told_in_one_sentence(served, monkeypatch):
    monkeypatch.setattr(filling, "is_there", lambda: pytest.fail("It went on."))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(CommandError, match=rf"^Port {port} is taken: choose another one with --port\.$"):
            call_command("demo", "--port", str(port))

    assert served == []


def test_an_address_that_is_not_of_this_machine_is_told(served, port):
    with pytest.raises(CommandError, match=rf"Cannot listen on 192\.0\.2\.1, port {port}"):
        call_command("demo", "--port", str(port), "--host", "192.0.2.1")


@pytest.mark.parametrize("wrong", ["0", "65536", "-1", "eighty"])
def test_a_port_is_a_number(served, wrong):
    with pytest.raises(CommandError, match="a port is a number from 1 to 65535"):
        call_command("demo", f"--port={wrong}")


def test_production_gets_no_demo(served, settings, port):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG=true"):
        call_command("demo", "--port", str(port))

    assert served == []
