"""Send a served TicketHub what no client should: frames, handshakes and requests that are broken in all ways.

    uv run python benchmarks/fuzz_socket.py
    uv run python benchmarks/fuzz_socket.py --frames 20000 --seed 7

A process of our own is spoken to over the wire. It ends with exit code 1 where the log has a traceback, where a line
does not answer after a frame that leaves it open, where an answer is of 500 or more, where another line misses an
event, or where the server has grown. Some frames are made by chance, of which `--seed` decides.
"""

import argparse
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import httpx
from client import Failure, check, tell
from oddities import HANDSHAKES, LARGEST, REQUESTS, WIRE, frames
from processes import servers
from rawclients import Line, frame, text_frame
from serving import ROOT, settings_in

PERSON = {"email": "fuzz@example.org", "username": "fuzz", "password": secrets.token_urlsafe()}
MOST_GROWTH = 40  # MB
FRAMES_A_LINE = 150  # with the questions between them less than the 600 that a line may send in a minute
PATIENCE = 60  # seconds for an answer, of a machine that may have much else to do
LINE = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)  # where one of the log begins


class OddLine(Line):
    """A line that follows the project, and asks whether it is still answered."""

    __slots__ = ("asked",)

    def __init__(self, fuzz):
        super().__init__(fuzz.port, "/ws/v1/")
        self.socket.settimeout(PATIENCE)
        self.asked = 0
        self.ask("authenticated", type="authenticate", token=fuzz.token)
        self.ask("subscribed", type="subscribe", project="FUZZ")

    def send(self, data):
        """Send something and a question after it. Gives the code of a close, None where the question is answered."""
        self.asked += 1
        ref = f"question {self.asked}"
        try:
            self.socket.sendall(data + text_frame(type="unsubscribe", project="NONE", ref=ref))
            while self.code is None:
                while self.answers:
                    answer = self.answers.pop(0)
                    check(answer.get("code") != "internal", f"{data[:300]} gave {answer}")
                    if answer.get("ref") == ref:
                        return None
                chunk = self.socket.recv(LARGEST)
                if not chunk:
                    return self.code or 1006
                self.take(chunk)
        except ConnectionError:
            return self.code or 1006
        except TimeoutError as error:
            raise Failure(f"The line is dead after {data[:300]}") from error
        return self.code


class Fuzz:
    """One served process, a person in it, and a witness who must not notice anything of all this."""

    def __init__(self, server):
        self.server, self.port = server, server.port
        self.http = httpx.Client(base_url=f"{server.url}/api/v1/", timeout=PATIENCE, trust_env=False)
        self.call("auth/register/", PERSON)
        self.token = self.call("auth/token/", PERSON)["access"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"
        self.project = self.call("projects/", {"key": "FUZZ", "name": "Fuzz"})["id"]
        self.witness = OddLine(self)
        self.made = self.witness.events

    def call(self, path, body):
        return self.http.post(path, json=body).raise_for_status().json()

    def look(self, words):
        """Make a change, which the witness has to hear of."""
        self.call("labels/", {"project": self.project, "name": f"label {self.made}"})
        self.made += 1
        deadline = time.monotonic() + PATIENCE
        while self.witness.events < self.made and time.monotonic() < deadline:
            check(self.witness.send(b"") is None, f"The witness' line broke after {words}")
        check(self.witness.events == self.made and not self.witness.wrong, f"The witness missed an event after {words}")

    def frames(self, chance, count):
        """Send texts, on lines that each take some of them."""
        line, sent, ended = OddLine(self), 0, 0
        for text in frames(chance, count):
            sent += 1
            data = frame(1, text.encode()) if len(text.encode()) < LARGEST else b""
            code = line.send(data)
            if code is not None:
                check(code == 4401 and '"authenticate"' in text, f"{text[:300]!r} ended the line with {code}")
                ended += 1
            if code is not None or line.asked == FRAMES_A_LINE:
                line.socket.close()
                line = OddLine(self)
                self.look(text[:100])
        line.socket.close()
        self.look("the last frame")
        return f"{sent:,} frames, {ended} bad tokens ended the line"

    def wire(self):
        """Send what breaks the protocol, each on a line of its own."""
        wrong = []
        for words, (data, codes) in WIRE.items():
            line = OddLine(self)
            code = line.send(data)
            if code not in (codes or {None}):
                wrong.append(f"{words} ended the line with {code}, not {codes}")
            line.socket.close()
        check(not wrong, "; ".join(wrong))
        self.look("broken frames")
        return f"{len(WIRE)} frames that break the protocol"

    def flood(self):
        line = OddLine(self)
        code = line.send(text_frame(type="pong") * 2_000)
        check(code == 4429, f"A flood ended the line with {code}")
        line.socket.close()
        self.look("a flood")
        return "a flood"

    def requests(self, requests):
        """Send bytes that should be a request; what comes, if anything, is no 5xx."""
        statuses, wrong = set(), []
        for words, data in requests.items():
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(data.replace(b"{token}", self.token.encode()))
                connection.settimeout(0.3)
                statuses.add(status := status_of(connection))
                if status and status >= 500:
                    wrong.append(f"{words} got {status}")
        check(not wrong, "; ".join(wrong))
        self.look("odd requests")
        return f"{len(requests)} requests: {sorted(filter(None, statuses))}"


def status_of(connection):
    """The status of the answer, None where none comes."""
    try:
        answer = connection.recv(LARGEST)
    except (TimeoutError, ConnectionError):
        return None
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500, help="so many texts, besides what is always sent: 500")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other frames")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("a+") as log:
        settings = settings_in(folder)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=os.environ | settings, check=True)
        with servers(1, log=log, **settings) as [server]:
            fuzz = Fuzz(server)
            before = server.memory()
            for done in (
                lambda: fuzz.frames(Random(options.seed), options.frames),
                fuzz.wire,
                fuzz.flood,
                lambda: fuzz.requests(HANDSHAKES),
                lambda: fuzz.requests(REQUESTS),
            ):
                tell(f"ok  {done()}")
            growth = (server.memory() - before) / 1e6
            check(growth < MOST_GROWTH, f"The server has grown by {growth:.0f} MB")
        told = [words for words in LINE.split(Path(folder, "log").read_text()) if "Traceback" in words]
        told = [words for words in told if "DisallowedHost" not in words]  # which Django tells so
        check(not told, f"The log has a traceback:\n{''.join(told)[:5000]}")
    tell(f"ok  no traceback; the server has grown by {growth:.1f} MB; that took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
