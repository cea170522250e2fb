"""Drive a server with wrk, and take what it found.

Each request is `(method, path, body)`. wrk sends them round and round; `@n@` in a body becomes a number that no other
request of this run has.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from client import check

LUA = """
local headers = %(headers)s
local requests = %(requests)s
local count, sent = #requests, %(first)d
request = function()
    sent = sent + 1
    local one = requests[sent %% count + 1]
    local body = one[3] and one[3]:gsub("@n@", sent)
    return wrk.format(one[1], one[2], headers, body)
end
done = function(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        "\\nFOUND {\\"requests\\": %%d, \\"seconds\\": %%f, \\"p50\\": %%f, \\"p95\\": %%f, \\"p99\\": %%f,"
        .. " \\"bytes\\": %%d, \\"failed\\": %%d}\\n",
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
        latency:percentile(99) / 1e3, summary.bytes,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
LONGEST = 100  # seconds


@dataclass(frozen=True)
class Found:
    """What one run of wrk found. Latencies are in milliseconds, bytes those of the answers with their heads, and `cpu`
    is what the server's process took for a request, where somebody looked, in milliseconds.
    """

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    bytes: int
    failed: int
    cpu: float = 0

    @property
    def rate(self):
        """Requests a second."""
        return self.requests / self.seconds


def as_lua(value):
    """A string, a list or a dict of strings as Lua reads it."""
    if value is None:
        return "nil"
    if isinstance(value, str):
        return (
            '"'
            + "".join(f"\\{byte:03d}" if byte < 32 or byte in b'"\\' else chr(byte) for byte in value.encode())
            + '"'
        )
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{as_lua(key)}] = {as_lua(item)}" for key, item in value.items()) + "}"
    return "{" + ", ".join(map(as_lua, value)) + "}"


def install():
    """Debian's wrk, where there is none."""
    if shutil.which("wrk"):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit("wrk is needed: install it and try again")
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "-qq"]
    options = {"check": True, "stdout": sys.stderr, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run([*apt, "update"], **options)
    subprocess.run([*apt, "install", "-y", "--no-install-recommends", "wrk"], **options)


class Run:
    """wrk, begun: `result()` waits for its end."""

    numbers = count(1_000_000, 1_000_000)  # so that no two runs send the same

    def __init__(self, url, requests, connections, seconds, headers=()):
        headers = {"Content-Type": "application/json", **dict(headers)}
        self.lists = {"headers": as_lua(headers), "requests": as_lua([list(request) for request in requests])}
        self.arguments = ["-t1", f"-c{connections}", "--timeout", "600s", url]
        self.begin(seconds)

    def begin(self, seconds):
        self.seconds, self.folder = seconds, tempfile.TemporaryDirectory(prefix="tickethub-wrk-")
        script = Path(self.folder.name, "requests.lua")
        script.write_text(LUA % {**self.lists, "first": next(self.numbers)})
        command = ["wrk", f"-d{seconds}s", "-s", script, *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def result(self):
        """What it found; where nothing was answered, in twice the time. Raises Failure where something failed."""
        output, _ = self.process.communicate()
        self.folder.cleanup()
        line = next((line for line in output.splitlines() if line.startswith("FOUND ")), None)
        check(line and self.seconds < LONGEST, f"wrk said: {output[-1000:]}")
        found = Found(**json.loads(line.removeprefix("FOUND ")))
        check(not found.failed, f"{found.failed} of {found.requests} requests failed: {self.arguments[-1]}")
        if found.requests:
            return found
        self.begin(2 * self.seconds)
        return self.result()
