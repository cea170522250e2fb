"""Serve TicketHub with processes of our own, for benchmarks."""

import asyncio
import os
import secrets
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
from client import check, tell

ROOT = Path(__file__).resolve().parent.parent


def settings_in(folder):
    """Settings of a server with nothing else configured, whose SQLite, if it is one, is in a folder."""
    return {
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/db.sqlite3",
        "DEBUG": "true",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "THROTTLING": "off",
    }


@asynccontextmanager
async def served(count):
    """Serve TicketHub with `count` processes of our own on free ports; give their addresses and end them at the end."""
    processes = []
    with tempfile.TemporaryDirectory(prefix="tickethub-smoke-") as folder, Path(folder, "log").open("a+") as log:
        environment = os.environ | settings_in(folder)

        async def start(*arguments):
            return await asyncio.create_subprocess_exec(
                sys.executable, *arguments, cwd=ROOT, env=environment, stdout=log, stderr=log
            )

        try:
            check(await (await start("manage.py", "migrate", "-v0")).wait() == 0, "migrate failed")
            urls = []
            for port in free_ports(count):
                processes.append(await start("-m", "tickethub.server", "-p", str(port), "tickethub.asgi:application"))
                urls.append(f"http://127.0.0.1:{port}")
                await ready(processes[-1], urls[-1])
            yield urls
        except BaseException:
            log.seek(0)
            tell(f"The servers' last words:\n{log.read()[-3000:]}")
            raise
        finally:
            await asyncio.gather(*(end(process) for process in processes))


async def ready(process, url):
    deadline = time.monotonic() + 60
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            check(process.returncode is None and time.monotonic() < deadline, f"{url}/readyz never gave 200")
            with suppress(httpx.TransportError):
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.2)


async def end(process):
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 15)
    except TimeoutError:
        process.kill()


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in sockets]
