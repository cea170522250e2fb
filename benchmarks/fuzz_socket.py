"""Send a served TicketHub what no client should: frames, handshakes and requests that are broken in all ways.

    uv run python benchmarks/fuzz_socket.py
    uv run python benchmarks/fuzz_socket.py --frames 20000 --seed 7

A process of our own is spoken to over the wire. It ends with exit code 1 where the log has a traceback, where a line
does not answer after a frame that leaves it open, where an answer is of 500 or more, where another line misses an
event, or where the server has grown. Some frames are made by chance, of which `--seed` decides.
"""

import argparse
import json
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
from processes import servers
from rawclients import Line, frame, text_frame
from serving import ROOT

PERSON = {"email": "fuzz@example.org", "username": "fuzz", "password": secrets.token_urlsafe()}
KIB = 1024
LARGEST = 64 * KIB
MOST_GROWTH = 40  # MB
FRAMES_A_LINE = 150  # with the questions between them less than the 600 that a line may send in a minute
PATIENCE = 10  # seconds for an answer
LINE = re.compile(r"^(?=\d{4}-\d\d-\d\d )", re.MULTILINE)  # where one of the log begins

# --- Frames -------------------------------------------------------------------------------------------------------

TYPES = ["authenticate", "subscribe", "unsubscribe", "pong"]
FIELDS = ["type", "token", "project", "after", "ref", "seq", "code", "__class__", ""]
ODD = [
    *[
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e308",
        "1e999",
        "NaN",
        "-Infinity",
        "9" * 400,
        "9" * 5000,
        "{}",
        "[]",
    ],
    *[
        '""',
        '" "',
        '"x"',
        r'"\u0000"',
        r'"\ud800"',
        r'"\udc00\ud800"',
        r'"\u202e"',
        '"\u0661"',
        '"🎟"',
        '"\\x"',
        '"' + "x" * 5000 + '"',
    ],
    *[
        '["x"]',
        '{"a": {"b": []}}',
        "[" * 50 + "]" * 50,
        "[" * 900 + "]" * 900,
        '"118.9f3a1c02"',
        '"99999999999999999999.00000000"',
    ],
    *['"-1.00000000"', '"%00"', '"\'; DROP TABLE x; --"', '"01900000-0000-7000-8000-000000000000"', '"FUZZ"', "x", ""],
]
BROKEN = [
    *[
        "",
        " ",
        "x",
        "{",
        "}",
        "[]",
        "1",
        '"x"',
        "nul",
        "{}",
        '{"type"}',
        '{"type": "pong",}',
        "{'type': 'pong'}",
        "\ufeff{}",
    ],
    *["[" * 30_000, "[" * 30_000 + "]" * 30_000, '{"a":' * 12_000, '{"a":' * 12_000 + "1" + "}" * 12_000],
    *[
        '{"type": "pong", "type": "pong"}',
        '{"type": "pong"} {"type": "pong"}',
        '{"ref": ' + "9" * 5000 + "}",
        "\0",
        "\x7f" * 50,
    ],
    '{"type": "subscribe", "project": "' + "x" * (LARGEST - 100) + '"}',
]


def frames(chance, count):
    """Payloads of text frames: what is broken, then each field of each type with each odd value, and by chance.

    Of the latter two `count` in all, half of each.
    """
    yield from BROKEN
    grid = [
        members([("type", f'"{kind}"'), ("project", '"FUZZ"'), (name, value)])
        for kind in TYPES
        for name in FIELDS
        for value in ODD
    ]
    yield from chance.sample(grid, min(len(grid), count // 2))
    for _ in range(count // 2):
        pairs = [(chance.choice(FIELDS), chance.choice(ODD)) for _ in range(chance.randrange(5))]
        text = members([("type", f'"{chance.choice(TYPES)}"'), *pairs])
        place = chance.randrange(len(text))
        piece = chance.choice(["", "\0", '"', "\\", "}", "é", chr(chance.randrange(32, 0xD7FF)), text[place]])
        yield text[:place] + piece + text[place + 1 :]


def members(pairs):
    """An object, of whose names each is told once: the last time."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in dict(pairs).items()) + "}"


def head(first, second, *rest):
    return bytes([first, second, *rest])


def long_frame(opcode, payload):
    return head(0x80 | opcode, 0xFF, *len(payload).to_bytes(8)) + MASK + payload


MASK = bytes(4)
PING = head(0x89, 0x80) + MASK
# What breaks RFC 6455, and with which code a line may be closed for it; None: it stays.
WIRE = {
    "a binary frame": (frame(2, b"\xff\0"), None),
    "a binary frame of JSON": (frame(2, b'{"type": "pong"}'), None),
    "a binary frame as large as may be": (frame(2, bytes(LARGEST - 1)), None),
    "an empty binary frame": (frame(2, b""), None),
    "a text in three pieces": (
        head(1, 0x81) + MASK + b"{" + head(0, 0x80) + MASK + head(0x80, 0x81) + MASK + b"}",
        None,
    ),
    "a ping between pieces": (head(1, 0x81) + MASK + b"{" + PING + head(0x80, 0x81) + MASK + b"}", None),
    "a pong that nobody asked for": (head(0x8A, 0x81) + MASK + b"x", None),
    "invalid UTF-8": (frame(1, b'{"type": "\xff"}'), {1007}),
    "a surrogate in UTF-8": (frame(1, b"\xed\xa0\x80"), {1007}),
    "an overlong NUL": (frame(1, b"\xc0\x80"), {1007}),
    "half a letter": (frame(1, b"\xf0\x9f"), {1007}),
    "a piece of nothing": (head(0x80, 0x81) + MASK + b"x", {1002}),
    "a text within a text": (head(1, 0x81) + MASK + b"{" + frame(1, b"{}"), {1002}),
    "a ping in pieces": (head(9, 0x80) + MASK, {1002}),
    "a ping too large": (head(0x89, 0xFE, 0, 126) + MASK + bytes(126), {1002}),
    "a frame without a mask": (head(0x81, 2) + b"{}", {1002}),
    "a length of 63 bits": (head(0x81, 0xFF, 0x7F, *[0xFF] * 7) + MASK, {1009, 1002}),
    "a length of 64 bits": (head(0x81, 0xFF, *[0xFF] * 8) + MASK, {1009, 1002}),
    "a length told too long": (head(0x81, 0xFE, 0, 5) + MASK + b"12345", {1002}),
    "a close without a reason": (head(0x88, 0x80) + MASK, {1000, 1005}),
    "a close of one byte": (frame(8, b"\x03"), {1002, 1006}),
    "a close with a code that is none": (frame(8, b"\x00\x05"), {1002, 1006}),
    "a close with a broken reason": (frame(8, b"\x03\xe8\xff"), {1007, 1002, 1006}),
    "a byte too many": (long_frame(1, b"x" * (LARGEST + 1)), {1009}),
    "a binary byte too many": (long_frame(2, bytes(LARGEST + 1)), {1009}),
    "pieces that are too many bytes": (
        head(1, 0xFE, 0xEA, 0x60) + MASK + b"x" * 60000 + head(0x80, 0xFE, 0xEA, 0x60) + MASK + b"x" * 60000,
        {1009},
    ),
    **{f"the reserved opcode {code}": (frame(code, b""), {1002}) for code in (3, 7, 11, 15)},
    **{f"the reserved bit {bit:x}": (head(0x81 | bit, 0x80) + MASK, {1002}) for bit in (0x40, 0x20, 0x10)},
}

# --- Requests -----------------------------------------------------------------------------------------------------

UPGRADE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def request(line, fields=None, body=b""):
    """The bytes of a request; a field of None is left out."""
    told = {"Host": "127.0.0.1", **(fields or {})}
    lines = [line, *(f"{name}: {value}" for name, value in told.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


HANDSHAKES = {
    "an HTTP request to the socket's address": request("GET /ws/v1/ HTTP/1.1"),
    "a POST to the socket's address": request("POST /ws/v1/ HTTP/1.1", {"Content-Length": "2"}, b"{}"),
    **{
        f"a socket at {path!r}": request(f"GET {path} HTTP/1.1", UPGRADE)
        for path in [
            "/",
            "/ws/v1",
            "/ws/v1//",
            "/ws/v2/",
            "/ws/v1/x",
            "/api/v1/tasks/",
            "/ws/v1/%00",
            "/ws/v1/%ff",
            "/ws/%",
            "/ws/v1/?token=x",
            "/ws/v1/?%00=%ff",
            "*",
            "http://x/ws/v1/",
            "/ws/v1/" + "x" * 9000,
            "/../ws/v1/",
            "/ÿ",
        ]
    },
    **{
        f"{name}: {value!r}": request("GET /ws/v1/ HTTP/1.1", {**UPGRADE, name: value})
        for name, values in {
            "Origin": [
                "null",
                "",
                "http://",
                "http://evil.example",
                "http://[",
                "\xff",
                "x" * 5000,
                "http://127.0.0.1:99999",
            ],
            "Host": ["", "evil.example", "\xff", "[", "127.0.0.1:x", None],
            "Sec-WebSocket-Key": ["", "x", "\xff", None],
            "Sec-WebSocket-Version": ["", "0", "8", "14", "x", "-1", None],
            "Sec-WebSocket-Protocol": ["", ",", "x", "x" * 5000, "\xff", "a, a"],
            "Sec-WebSocket-Extensions": [
                "",
                "permessage-deflate",
                "permessage-deflate; server_max_window_bits=99",
                "x;;=",
                "\xff",
            ],
            "Upgrade": ["", "x", "h2c", "websocket, websocket", "\xff"],
            "Connection": ["", "close", "x", "keep-alive"],
            "Cookie": ["sessionid=\xff", "\xff=" * 500],
            "Content-Length": ["5", "-1", "x", "99999999999999999999"],
        }.items()
        for value in values
    },
}
PROJECTS = "POST /api/v1/projects/ HTTP/1.1"
JSON = {"Content-Type": "application/json"}
ODD_FIELDS = {
    "X-Request-ID": ["", "\xff", "x" * 5000, "a b", "a\tb", "\x01", "../x"],
    "Authorization": [
        "",
        "Bearer",
        "Bearer ",
        "Bearer \xff",
        "Bearer a b",
        "Bearer " + "x" * 9000,
        "Basic \xff",
        "\xff",
        "Bearer a.b.c",
    ],
    "If-Match": ["", "*", "\xff", '"', 'W/"1"', '"1", "', "x" * 5000],
    "Content-Type": [
        "",
        ";",
        "application/json; charset=nonsense",
        "application/json; charset=utf-16",
        "\xff",
        "a/b/c",
        "multipart/form-data",
    ],
    "Accept": ["", "nonsense", "*/*;q=x", "text/html", "\xff", ",", "application/json; indent=99999999999"],
    "Accept-Language": ["\xff", "x" * 5000],
    "Content-Encoding": ["gzip", "\xff"],
    "Content-Length": ["", "x", "-1", "1.5", "1e3", "99999999999999999999", "0"],
    "Transfer-Encoding": ["chunked", "x", "gzip, chunked"],
    "Expect": ["100-continue", "x"],
    "Host": ["", "\xff", "a b", "evil.example", "[", "127.0.0.1:x"],
    "Range": ["bytes=-1", "\xff"],
    "X-Forwarded-For": ["\xff", "x" * 5000, "::1"],
    "Access-Control-Request-Method": ["\xff", "x"],
    "Origin": ["\xff", "null", "http://["],
}
REQUESTS = {
    **{
        f"{name}: {value[:40]!r}": request(PROJECTS, {**JSON, "Content-Length": "2", name: value}, b"{}")
        for name, values in ODD_FIELDS.items()
        for value in values
    },
    **{
        f"GET {path[:60]!r}": request(f"GET {path} HTTP/1.1", {"Authorization": "Bearer {token}"})
        for path in [
            *[
                "/%",
                "/%zz",
                "/%00",
                "/%ff",
                "/\xff",
                "//",
                "/../..",
                "*",
                "/?%",
                "/api/v1/tasks/%00/",
                "/api/v1/tasks/%ff/",
            ],
            *[
                "/api/v1/tasks/%ed%a0%80/",
                "/api/v1/projects/A%00B/",
                "/api/v1/tasks/" + "x" * 9000,
                "/api/v1/tasks/A-" + "9" * 400 + "/",
            ],
            *(
                f"/api/v1/tasks/?{query}"
                for query in [
                    "%",
                    "%00=1",
                    "limit=%00",
                    "limit=-1",
                    "limit=1e9",
                    "limit=" + "9" * 500,
                    "offset=" + "9" * 500,
                    "limit=%D9%A1%D9%A2",
                    "search=%00",
                    "search=%ed%a0%80",
                    "search=%ff",
                    "project=%00",
                    "=",
                    "&&&",
                    "limit=1&limit=x",
                    "created_after=0000-01-01",
                    "created_after=9999-12-31T23:59:59-23:59",
                    "created_after=0001-01-01T00:00:00%2B23:59",
                    "due_before=10000-01-01",
                    "ordering=" + "number," * 500,
                    "assignee=" + "me&assignee=" * 500 + "me",
                    "x" * 5000,
                ]
            ),
        ]
    },
    **{
        f"the body {words}": request(
            PROJECTS, {**JSON, "Content-Length": str(len(body)), "Authorization": "Bearer {token}"}, body
        )
        for words, body in {
            "of NULs": bytes(100),
            "in gzip": b"\x1f\x8b\x08\0\0\0\0\0",
            "in UTF-16": '{"key": "A"}'.encode("utf-16"),
            "too deep": b"[" * 100_000,
            "too large": b'{"key": "' + b"x" * 2_700_000 + b'"}',
        }.items()
    },
    "a body that never comes": request(PROJECTS, {**JSON, "Content-Length": "500"}, b"{"),
    "chunks that are none": request(PROJECTS, {**JSON, "Transfer-Encoding": "chunked"}, b"zz\r\n{}\r\n0\r\n\r\n"),
    "a line that is none": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
    "a method that is none": request("\xff / HTTP/1.1"),
    "a version that is none": request("GET / HTTP/9.9"),
    "no version": b"GET /\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    "a NUL in a field": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    "a field too long": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    "fields too many": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
}

# --- What is done with them ---------------------------------------------------------------------------------------


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
                chunk = self.socket.recv(64 * KIB)
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
        answer = connection.recv(KIB)
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
        environment = {
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/db.sqlite3",
            "DEBUG": "true",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "THROTTLING": "off",
        }
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=os.environ | environment, check=True
        )
        with servers(1, log=log, **environment) as [server]:
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
