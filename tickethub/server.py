"""The server: Daphne, with an end that cuts nothing off. `python -m tickethub.server` takes Daphne's own options.

On SIGTERM or SIGINT it takes no more connections, sends the WebSockets away with 1012, answers the requests that are
under way, and ends: as soon as that is done, and within END_WITHIN seconds. A second signal ends it at once.
"""

import asyncio
import os
import signal
import sys
import threading

from daphne.cli import CommandLineInterface
from daphne.server import Server as Daphne
from daphne.server import twisted_loop
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor
from twisted.internet.abstract import FileDescriptor

from realtime.wire import DENIAL, WRITE, deny

DRAIN_WITHIN = 20  # seconds for the requests under way
END_WITHIN = 24  # seconds, also if a thread of a request never ends


class Server(Daphne):
    """Daphne, which on a signal would cut off whatever it is doing."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = []
        self.is_draining = False
        self.last_resort = None

    def run(self):
        self.signal_handlers = False  # Twisted's; ours are below
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.hear)
        super().run()

    def hear(self, *_):
        """Take a signal: see to it that this ends, even if the event loop hangs, and leave in order if it does not."""
        if self.last_resort is None:
            self.last_resort = threading.Timer(END_WITHIN, os._exit, [1])
            self.last_resort.daemon = True
            self.last_resort.start()
        reactor.callFromThread(self.leave)

    def listen_success(self, port):
        super().listen_success(port)
        self.ports.append(port)

    def create_application(self, protocol, scope):
        """Give the application a way to write bytes to a WebSocket, and let it know whether the server is to end."""
        scope["state"] = {"is_draining": self.is_draining}
        if isinstance(protocol, WebSocketProtocol):
            scope["extensions"] = {WRITE: Writer(protocol), DENIAL: {}}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol, message):
        if self.is_draining and message["type"] == "http.response.start":
            protocol.setHeader(b"connection", b"close")
            if protocol.channel:  # else the client has gone
                protocol.channel.persistent = False
        if message["type"] == f"{DENIAL}.start":
            deny(protocol, message["status"], message["headers"])
        elif message["type"] != f"{DENIAL}.body":  # ours has none
            await super().handle_reply(protocol, message)

    def leave(self):
        """End, in order; at once when told a second time."""
        if self.is_draining:
            self.stop()
            return
        self.is_draining = True
        self.drained = twisted_loop.create_task(self.drain())

    async def drain(self):
        from realtime.hub import Hub  # the application has set up Django by now

        for port in self.ports:
            port.stopListening()
        deadline = twisted_loop.time() + DRAIN_WITHIN
        while twisted_loop.time() < deadline and self.is_busy():
            await Hub.current().send_away()
            await asyncio.sleep(0.1)
        self.stop()

    def is_busy(self):
        """Whether a request has no answer yet, a WebSocket is open, or something that was written has not been sent."""
        return reactor.getWriters() or any("disconnected" not in details for details in self.connections.values())

    def kill_all_applications(self):
        self.connections = {
            protocol: details for protocol, details in self.connections.items() if "application_instance" in details
        }  # Daphne trips over the others
        return super().kill_all_applications()


class Writer:
    """Writes ready frames to an open WebSocket. Daphne would frame them for each socket anew."""

    def __init__(self, protocol):
        self.protocol = protocol

    def __call__(self, data):
        if self.protocol.state == self.protocol.STATE_OPEN:
            self.protocol.transport.write(data)

    def unsent(self):
        """The bytes that were written and that the system has not taken yet; 0 where Daphne itself ends TLS."""
        transport = self.protocol.transport
        if not isinstance(transport, FileDescriptor):
            return 0
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


class CommandLine(CommandLineInterface):
    description = "TicketHub's server: Daphne, which ends in order"
    server_class = Server

    def __init__(self):
        super().__init__()
        # A reader that stalls is to be told so by its line (4408 within a minute), not cut by the server before that.
        self.parser.set_defaults(ping_timeout=90)


if __name__ == "__main__":
    CommandLine().run(sys.argv[1:])
