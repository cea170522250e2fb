"""Processes that the load benchmarks start, and what they and their neighbours cost."""

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis
from client import tell
from serving import ROOT, free_ports, ready

SERVER = "tickethub.server"
FORKSERVER = multiprocessing.get_context("forkserver")  # which imports once what each process needs
FORKSERVER.set_forkserver_preload(["writers", "rawclients"])
TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """One server process, which can end and start anew. `port` is on 127.0.0.1."""

    def __init__(self, port, command, cwd, environment, log):
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.command, self.options = command, {"cwd": cwd, "env": environment, "stdout": log, "stderr": log}
        self.is_ours = cwd == ROOT
        self.start()

    def start(self):
        """Begin; `wait` says when it answers."""
        self.process = subprocess.Popen(self.command, **self.options)
        self.pid = self.process.pid

    def wait(self):
        """Wait until it answers."""
        if self.is_ours:
            asyncio.run(ready(self, self.url))
            return
        while not listens(self.port) and self.returncode is None:
            time.sleep(0.05)

    def kill(self):
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()

    def end(self):
        """End it in order; give how many seconds that took."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - began

    @property
    def returncode(self):
        return self.process.poll()

    def memory(self):
        """Bytes that are this process's own, which sharing with others does not blur."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024


@contextmanager
def servers(count, application="tickethub.asgi:application", module=SERVER, cwd=ROOT, log=None, **environment):
    """Serve an application with `count` processes on free ports; end them at the end. They write to the file `log`."""
    with ExitStack() as stack:
        log = log or stack.enter_context(tempfile.TemporaryFile("w+"))
        started = []
        for number, port in enumerate(free_ports(count), 1):
            started.append(begin(port, log, application, module, cwd, **{"SERVER_CORE": str(number)} | environment))
            stack.callback(started[-1].end)
        try:
            for server in started:
                server.wait()
            yield started
        except BaseException:
            log.seek(0)
            tell(f"The servers' last words:\n{log.read()[-3000:]}")
            raise


def begin(port, log, application="tickethub.asgi:application", module=SERVER, cwd=ROOT, **environment):
    """A server process that does not answer yet. Its output goes to the file `log`."""
    command = [sys.executable, "-m", module, "-v", "0", "-b", "127.0.0.1", "-p", str(port), application]
    return Server(port, command, cwd, {**os.environ, "SERVER_CORE": "1", **environment}, log)  # as deploy/ has it


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pool(count, **options):
    return ProcessPoolExecutor(count, mp_context=FORKSERVER, **options)


# --- What they cost ---


def times_of(pid):
    """The CPU seconds of a process, and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, ended_user, ended_system = (int(field) / TICKS for field in fields[11:15])
    return user + system, ended_user + ended_system


def postgres_seconds():
    """The CPU seconds of all of PostgreSQL, None where it runs on another machine."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        pid = connection.info.backend_pid
        try:
            main = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            return sum(times_of(main)) + sum(times_of(child)[0] for child in children)
        except OSError:
            return None


def redis_seconds():
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        cpu = client.info("cpu")
    return cpu["used_cpu_user"] + cpu["used_cpu_sys"]


def seconds_now(started):
    ours = {"servers": sum(times_of(server.pid)[0] for server in started), "clients": 0, "writers": times_of("self")[0]}
    for process in multiprocessing.active_children():
        name = "clients" if process.name.startswith("clients") else "writers"
        ours[name] += times_of(process.pid)[0]
    return {**ours, "PostgreSQL": postgres_seconds(), "Redis": redis_seconds()}


class Cost:
    """What everybody's CPU time was between `start` and `end`, in percent of one core."""

    def __init__(self, started):
        self.servers = started
        self.before, self.began = seconds_now(started), time.monotonic()

    def __str__(self):
        elapsed, after = time.monotonic() - self.began, seconds_now(self.servers)
        parts = [
            f"{name} {100 * (after[name] - before) / elapsed:.0f} %"
            for name, before in self.before.items()
            if before is not None and after[name] is not None
        ]
        return "CPU, of one core: " + ", ".join(parts)


class MemoryWatch:
    """The most memory a server had while this was entered, in bytes above what it had at first."""

    def __init__(self, server):
        self.server, self.is_over = server, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.first = self.most = self.server.memory()
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.is_over.set()
        self.thread.join()

    def run(self):
        while not self.is_over.wait(0.1):
            self.most = max(self.most, self.server.memory())

    @property
    def growth(self):
        return self.most - self.first
