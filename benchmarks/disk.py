"""SQLite where the disk is full: clear refusals, nothing corrupted, and well again once there is room."""

import asyncio
import os
import resource
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from answers import PAUSE, Caller, Project, counted
from client import check
from processes import servers
from report import note
from serving import ROOT

MB = 1024 * 1024
BALLAST = 3 * MB  # what is deleted to make room
PATIENCE = 120  # seconds to fill the disk in
SETTINGS = {"DEBUG": "false", "ALLOWED_HOSTS": "localhost,127.0.0.1", "PUBLIC_URL": "http://127.0.0.1"}


class Filesystem:
    """A small one, in memory. Only root may mount it."""

    code = "storage_full"

    def __init__(self, folder, size):
        self.folder, self.ballast = folder, folder / "ballast"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        self.ballast.write_bytes(bytes(BALLAST))

    def limit(self, server):
        """Let the server have no more than there is, which here it never has."""

    def make_room(self, server):
        self.ballast.unlink()

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)


class FileLimit:
    """The next best: no file of the server may grow beyond a size. SQLite takes that for a broken disk."""

    code = "unavailable"

    def __init__(self, folder, size):
        self.size = size - BALLAST

    def limit(self, server, size=None):
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size or self.size, hard))

    def make_room(self, server):
        self.limit(server, self.size + BALLAST)

    def remove(self):
        pass


@contextmanager
def small_disk(size):
    """Give a folder, and what limits it."""
    with tempfile.TemporaryDirectory(prefix="tickethub-disk-") as name:
        try:
            disk = Filesystem(Path(name), size)
        except (OSError, subprocess.CalledProcessError) as error:
            note(f"disk-full: no filesystem can be mounted here ({error}): the size of files is limited instead")
            disk = FileLimit(Path(name), size)
        try:
            yield Path(name), disk
        finally:
            disk.remove()


@dataclass(frozen=True)
class DiskFull:
    size: int = 8 * MB
    people: int = 4
    rounds: int = 25  # of all kinds of requests by each, while it is full

    def run(self, report):
        with small_disk(self.size) as (folder, disk):
            path = folder / "db.sqlite3"
            environment = {
                **SETTINGS,
                "DATABASE_URL": f"sqlite:///{path}",
                "REDIS_URL": "",
                "ENV_FILE": "/dev/null",
                "LOG_LEVEL": "ERROR",
                "SECRET_KEY": secrets.token_urlsafe(48),
                "THROTTLING": "off",
            }
            migrate(environment)
            with tempfile.TemporaryFile("w+") as log, servers(1, log=log, **environment) as [server]:
                asyncio.run(self.fill(report, disk, server, path))
            check_integrity(path)
        report.true("disk-full, the file afterwards", True, "integrity_check and foreign_key_check found nothing")

    async def fill(self, report, disk, server, path):
        project = await Project.make(server.url)
        task = await project.write(caller := Caller(project.api), pk=str(uuid.uuid4()))
        check(task.is_success, str(task))
        disk.limit(server)
        callers = [Caller(project.api) for _ in range(self.people)]
        began = time.monotonic()
        await asyncio.gather(*(self.write_until_full(project, one, began) for one in callers))
        note(f"disk-full: full after {len(project.acknowledged)} tasks and {time.monotonic() - began:.1f} s")
        before = len(project.acknowledged)
        await asyncio.gather(*(self.try_all(project, one) for one in callers))
        check_integrity(path)
        report.true("disk-full, the file meanwhile", True, "integrity_check and foreign_key_check found nothing")
        self.judge(report, disk, [answer for one in callers for answer in one.answers])
        note(f"disk-full: {len(project.acknowledged) - before} small tasks found room all the same")
        disk.make_room(server)
        began = time.monotonic()
        while not (answer := await project.write(caller, description="x" * 20_000)).is_success:
            check(answer.is_clear, str(answer))
            await asyncio.sleep(PAUSE)
        report.at_most("disk-full, from room to the first large write", time.monotonic() - began, 5, "s")
        count = await project.check()
        words = f"{len(project.acknowledged)} acknowledged, {count} rows, each once, no gap"
        report.true("disk-full, acknowledged writes and the log", True, words)
        for one in (caller, *callers, project.api):
            await one.http.aclose()

    @staticmethod
    async def write_until_full(project, caller, began):
        while (answer := await project.write(caller, description=secrets.token_hex(10_000))).is_success:
            check(time.monotonic() < began + PATIENCE, f"After {PATIENCE} s the disk is not full")
        check(answer.is_clear, str(answer))

    async def try_all(self, project, caller):
        """Writes large and small of all kinds, and reads."""
        pk = min(project.acknowledged)
        name = secrets.token_hex(8)
        person = {"email": f"{name}@example.com", "username": name, "password": secrets.token_urlsafe(16)}
        await caller.ask("POST", "auth/register/", **person)
        await caller.ask("POST", "auth/token/", **project.api.credentials)
        for _ in range(self.rounds):
            await project.write(caller, description=secrets.token_hex(10_000))
            await project.write(caller)
            await caller.ask("PATCH", f"tasks/{pk}/", description=secrets.token_hex(20_000))
            await caller.ask("POST", "comments/", task=pk, body=secrets.token_hex(4_000))
            await caller.ask("POST", "tasks/bulk/", ids=[pk], set={"description": secrets.token_hex(9_000)})
            await caller.ask("POST", "labels/", project=project.pk, name=secrets.token_hex(4), color="#abcdef")
            for path in (f"tasks/?project={project.pk}", f"tasks/{pk}/", f"events/?project={project.pk}", "users/me/"):
                await caller.ask("GET", path)

    @staticmethod
    def judge(report, disk, answers):
        reads = [answer for answer in answers if answer.method == "GET"]
        writes = [answer for answer in answers if answer.method != "GET"]
        note(f"disk-full: writes {counted(writes)}; reads {counted(reads)}")
        wrong = [answer for answer in answers if not answer.is_clear]
        words = f"{len(wrong)} answers {'; '.join(map(str, wrong[:3]))}"
        report.true("disk-full, neither success nor a clear 503", not wrong, words)
        refused = [answer for answer in writes if not answer.is_success]
        others = [answer for answer in refused if f'"code":"{disk.code}"' not in answer.words]
        words = f"{len(refused)} writes, {len(others)} of them without: {'; '.join(map(str, others[:3]))}"
        report.true(f"disk-full, writes refused with {disk.code}", refused and not others, words)
        failed = sum(not answer.is_success for answer in reads)
        report.at_most("disk-full, reads refused", failed, 0, f"of {len(reads):,} reads")


def migrate(environment):
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


def check_integrity(path):
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
        check(found == [("ok",)], f"The file is broken: {found[:3]}")
        check(not connection.execute("PRAGMA foreign_key_check").fetchall(), "A reference leads nowhere")
