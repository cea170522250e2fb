"""Frames, handshakes and requests that are broken in all ways, for fuzz_socket.py."""

import json

from rawclients import frame

LARGEST = 64 * 1024  # bytes of a frame that a client may send

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
