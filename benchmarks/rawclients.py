"""Thousands of WebSocket clients in one process, as cheap as Python has them, so that the server is what is measured.

One process with an epoll loop reads frame headers by hand. Of an event it looks at `seq` alone; a TicketHub `ping` it
answers, so that the window stays open. `Clients` is the handle that other processes command it by.
"""

import gc
import json
import re
import select
import socket
import time
from array import array
from dataclasses import dataclass

from client import Failure, check
from processes import FORKSERVER

CHUNK = 256 * 1024
PATIENCE = 30  # seconds that an answer may take


def frame(opcode, payload):
    """A client's frame. Its mask is zero, which the standard allows and costs nothing."""
    size = len(payload)
    head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes([0x80 | opcode]) + head + bytes(4) + payload


def text_frame(**message):
    return frame(1, json.dumps(message).encode())


PONG = text_frame(type="pong")


class Line:
    """One socket. `seq` and `last` are of the newest event; `code` is that of its close, 1006 for a cut."""

    __slots__ = ("answers", "code", "events", "last", "rest", "seq", "size", "socket", "wrong")

    def __init__(self, port, path, headers=""):
        self.rest, self.answers, self.last = b"", [], b""
        self.seq = self.code = None
        self.events = self.wrong = self.size = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = self.socket.recv(CHUNK)
            check(chunk, f"No WebSocket: {answer[:200]}")
            answer += chunk
        head, _, rest = answer.partition(b"\r\n\r\n")
        check(b" 101 " in head, f"No WebSocket: {head[:200]}")
        self.take(rest)

    def ask(self, expected, **message):
        """Send a message and wait for its answer, before the loop has this socket."""
        self.socket.sendall(text_frame(**message))
        while not self.answers:
            chunk = self.socket.recv(CHUNK)
            check(chunk, f"The line broke at {message['type']}")
            self.take(chunk)
        answer = self.answers.pop(0)
        check(answer["type"] == expected, f"{message['type']} gave {answer}")
        return answer

    def take(self, data):
        """Read the frames in what came; give how many events they were."""
        if self.rest:
            data = self.rest + data
        events, position, end = self.events, 0, len(data)
        while end - position >= 2:
            size, start = data[position + 1], position + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if start > end:
                    break
                size = int.from_bytes(data[position + 2 : start])
            if start + size > end:
                break
            self.handle(data[position] & 15, data, start, start + size)
            position = start + size
        self.rest = data[position:]
        return self.events - events

    def handle(self, opcode, data, start, end):
        if opcode == 1 and data.find(b'"event"', start, start + 20) > 0:
            self.on_event(data, start, end)
        elif opcode == 1:
            self.on_answer(json.loads(data[start:end]))
        elif opcode == 8:
            self.code = int.from_bytes(data[start : start + 2])
        elif opcode == 9:
            self.socket.send(frame(10, data[start:end]))

    def on_event(self, data, start, end):
        place = data.find(b'"seq":', start) + 6
        seq = int(data[place : data.find(b",", place)])
        if self.seq is not None and seq != self.seq + 1:
            self.wrong += 1
        self.seq = seq
        self.events += 1
        self.size += end - start
        self.last = data[start:end]

    def on_answer(self, message):
        if message["type"] == "ping":
            self.socket.send(PONG)
        else:
            self.answers.append(message)


@dataclass
class Seen:
    """What one socket has seen: `wrong` counts the events that did not follow the one before, `size` is in bytes."""

    seq: int | None
    cursor: str | None
    events: int
    size: int
    wrong: int
    code: int | None
    answers: list


class Loop:
    """The process of the clients: does the commands that come over a pipe, and reads all sockets between them."""

    def __init__(self, pipe, delivered):
        self.pipe, self.delivered = pipe, delivered
        self.lines, self.subscribed_at = {}, {}
        self.poll = select.epoll()
        self.poll.register(pipe.fileno(), select.EPOLLIN)
        self.is_recording = False
        self.seqs, self.times = array("q"), array("d")

    def run(self):
        while True:
            delivered = 0
            for number, _ in self.poll.poll():
                if number != self.pipe.fileno():
                    delivered += self.read(number)
                elif not self.obey():
                    return
            self.delivered.value += delivered

    def obey(self):
        try:
            name, arguments = self.pipe.recv()
        except EOFError:
            return False
        try:
            self.pipe.send((getattr(self, name)(*arguments), None))
        except (Failure, OSError) as error:
            self.pipe.send((None, repr(error)))
        return True

    def read(self, number):
        line = self.lines[number]
        try:
            data = line.socket.recv(CHUNK)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            line.code = line.code or 1006
            self.poll.unregister(number)
            return 0
        before = line.seq
        events = line.take(data)
        if self.is_recording and events:
            now = time.monotonic()
            self.seqs.extend(range(line.seq - events + 1, line.seq + 1) if before is not None else [line.seq])
            self.times.extend([now] * events)
        return events

    # --- Commands ---

    def open(self, ports, tokens, count, path="/ws/v1/"):
        """Open so many sockets, spread over the ports and the tokens; without tokens nobody authenticates."""
        for number in range(count):
            line = Line(ports[number % len(ports)], path)
            if tokens:
                line.ask("authenticated", type="authenticate", token=tokens[number % len(tokens)])
            self.lines[line.socket.fileno()] = line
            line.socket.setblocking(False)
            self.poll.register(line.socket.fileno(), select.EPOLLIN)

    def subscribe(self, project, after=None):
        """Let every socket follow a project, from a cursor on or from now on; give the cursor."""
        for line in self.lines.values():
            line.socket.setblocking(True)
            line.socket.settimeout(PATIENCE)
            place = {"after": after} if after else {}
            answer = line.ask("subscribed", type="subscribe", project=project, **place)
            line.seq = line.seq or int(answer["cursor"].partition(".")[0])
            line.socket.setblocking(False)
            self.subscribed_at[line.socket.fileno()] = answer["cursor"]
        return answer["cursor"]

    def stall(self):
        """Read no more, not even of an end."""
        for number in self.lines:
            self.poll.unregister(number)

    def resume(self):
        for number in self.lines:
            self.poll.register(number, select.EPOLLIN)

    def record(self):
        """Note from now on when each event comes."""
        self.is_recording = True
        self.seqs, self.times = array("q"), array("d")

    def recorded(self):
        """The numbers of the events that came since `record`, and when each did, by time.monotonic()."""
        return self.seqs, self.times

    def seen(self):
        return [self.seen_by(number, line) for number, line in self.lines.items()]

    def seen_by(self, number, line):
        match = re.search(rb'"cursor": ?"([^"]+)"', line.last)
        cursor = match[1].decode() if match else self.subscribed_at.get(number)
        return Seen(line.seq, cursor, line.events, line.size, line.wrong, line.code, line.answers)

    def sample(self):
        """The text of an event as it came."""
        return next(line.last for line in self.lines.values() if line.last).decode()

    def close(self):
        for line in self.lines.values():
            line.socket.close()  # which the poll notices
        self.lines.clear()


def serve(pipe, delivered):
    gc.disable()  # nothing here goes in circles, and a collection would look like latency
    Loop(pipe, delivered).run()


class Clients:
    """A process of clients. Every command of Loop is a method here, and raises Failure where it failed there."""

    def __init__(self, name="clients"):
        self.delivered = FORKSERVER.Value("Q", 0, lock=False)
        self.pipe, theirs = FORKSERVER.Pipe()
        self.process = FORKSERVER.Process(target=serve, args=(theirs, self.delivered), name=name, daemon=True)
        self.process.start()
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()

    def __getattr__(self, name):
        def command(*arguments):
            self.pipe.send((name, arguments))
            answer, error = self.pipe.recv()
            check(error is None, f"{name}: {error}")
            return answer

        return command

    def wait_for(self, count, seconds=PATIENCE):
        """Wait until so many events came to all sockets together; False when they did not in time."""
        deadline = time.monotonic() + seconds
        while self.delivered.value < count and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.delivered.value >= count
