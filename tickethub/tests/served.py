"""A server in a process of its own, for tests."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from tickethub.env import BASE_DIR

PERSON = {"email": "ada@example.org", "username": "ada", "password": "correct horse battery staple"}


@dataclass
class Served:
    """`address` has the host and the port."""

    address: str
    process: subprocess.Popen
    database: Path


@contextmanager
def served(folder, *program):
    """Serve a database of its own in a folder, by `tickethub.server` or by other arguments for Python."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "db.sqlite3").write_bytes(migrated())
    command = [sys.executable, *(program or ["-m", "tickethub.server"]), "-p", str(port), "tickethub.asgi:application"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, **options(folder))
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", process)
        yield Served(f"127.0.0.1:{port}", process, folder / "db.sqlite3")
    finally:
        process.kill()
        process.wait(10)


def options(folder):
    environment = {
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "tickethub.settings",
    }
    return {"env": os.environ | environment, "cwd": BASE_DIR}


@cache
def migrated():
    """The bytes of an empty database: to migrate takes longer than to serve."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], check=True, **options(folder))
        return Path(folder, "db.sqlite3").read_bytes()


def wait_for(url, process):
    deadline = time.monotonic() + 30
    with httpx.Client() as client:  # one, for each loads all certificates
        while time.monotonic() < deadline:
            assert process.poll() is None, "the server ended"
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    raise AssertionError("the server did not answer in time")
