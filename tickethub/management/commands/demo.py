"""`manage.py demo`: migrate, fill a demo, and serve it."""

import argparse
import errno
import os
import socket
import sys

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command

from tickethub.management.demo import filling

WHERE = """
TicketHub is at {url}/

  {url}/swagger/    the API: read it and try it
  {url}/redoc/      the API: read it
  {url}/api/v1/     where the API stands
  {live}/ws/v1/        live updates
  {url}/admin/      the administration, for staff
  {url}/silk/       what each request cost, for staff

Log in with the password {password} as

  {logins}

Ctrl-C stops it.
"""
ON_THIS_MACHINE = {"127.0.0.1", "0.0.0.0", "::1", "::"}  # noqa: S104 these are looked for, not listened on


class Command(BaseCommand):
    help = "Fills a demo when it is not there yet, and serves it. For development alone."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=port_number, default=8000, help="The port to listen on: 8000.")
        parser.add_argument("--host", default="127.0.0.1", help="The address of this machine to listen on: 127.0.0.1.")

    def handle(self, *, host, port, **options):
        refuse_in_production()
        with reserve(host, port):
            call_command("migrate", verbosity=0)
            if not filling.is_there():
                self.stdout.write("Filling the demo, this once ...")
                self.stdout.flush()
                filling.fill()
        self.stdout.write(where(address(host, port)))
        self.stdout.flush()
        serve(host, port)


def port_number(text):
    """A port from its text. Raises what argparse tells."""
    if text.isdecimal() and 0 < int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")


def refuse_in_production():
    """Raise CommandError unless this is a development machine: everybody knows the password of the demo."""
    if not settings.DEBUG:
        raise CommandError("The demo makes people whose password everybody knows. It wants DEBUG=true.")


def reserve(host, port):
    """A socket that keeps the port for us until it is closed. Raises CommandError if it is not to be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(f"Port {port} is taken: choose another one with --port.") from error
        raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
    return listener


def address(host, port):
    """What to type into a browser on this machine."""
    name = "localhost" if host in ON_THIS_MACHINE else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def where(url):
    """What there is to see, and how to log in."""
    logins = [f"{person.email}{' (staff)' if person.is_staff else ''}" for person in filling.logins()]
    lines = WHERE.format(
        url=url,
        live=url.replace("http", "ws", 1),
        logins="\n  ".join(logins),
        password=filling.PASSWORD,
    ).splitlines()
    return "\n".join(line for line in lines if settings.ENABLE_SILK or "/silk/" not in line)


def serve(host, port):
    """Become the server, serving just as in production: its signals, its exit status."""
    os.environ.setdefault("PUBLIC_URL", address(host, port))  # what mails link to
    command = [sys.executable, "-m", "tickethub.server", "-b", host, "-p", str(port), "tickethub.asgi:application"]
    os.execv(sys.executable, command)  # noqa: S606 this is no shell, and says all but the address itself
