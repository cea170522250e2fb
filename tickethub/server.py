"""The server: Daphne, with an end that cuts nothing off. `python -m tickethub.server` takes Daphne's own options.

On SIGTERM or SIGINT it takes no more connections, sends the WebSockets away with 1012, answers the requests that are
under way, and ends: as soon as that is done, and within END_WITHIN seconds. A second signal ends it at once.

On a Unix socket (`-u`) this cuts off nobody: the socket first loses its name, so that whoever comes goes elsewhere,
and whoever had come by then is still let in. A TCP port has no name to lose: what reaches it as it closes is reset.
"""

import asyncio
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

import daphne.server
from daphne.cli import CommandLineInterface
from daphne.server import Server as Daphne
from daphne.server import twisted_loop
from daphne.ws_protocol import WebSocketProtocol
from django.apps import apps
from django.conf import settings
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from twisted.internet import reactor

from realtime.wire import DENIAL, WRITE, deny, unsent
from tickethub import intake
from tickethub.cores import stay_on
from tickethub.intake import CUT_OFF

DRAIN_WITHIN = 20  # seconds for the requests under way
END_WITHIN = 24  # seconds, also if a thread of a request never ends
ASK_WITHIN = 5  # seconds for the first request of a connection that was made just before the end
BACKLOG = 1024  # connections that wait to be taken; more than Twisted's 50, since all come back at once after a restart


class Server(Daphne):
    """Daphne, which on a signal would cut off whatever it is doing."""

    def __init__(self, *args, endpoints, **kwargs):
        endpoints = [with_backlog(endpoint) for endpoint in endpoints]
        # Its own log of requests, and Twisted's, would tell whole addresses. The application knows the secrets.
        super().__init__(*args, endpoints=endpoints, **kwargs | {"action_logger": None, "verbosity": 0})
        self.ports = []
        self.is_draining = self.is_hurried = self.is_over = False
        self.last_resort = None

    def run(self):
        from tickethub.threads import threads, writers  # the application has read the settings by now

        load_templates()
        # What a start leaves is there to stay: to look through all of it for garbage would hold everybody up for long.
        gc.collect()
        gc.freeze()
        if settings.SERVER_CORE:
            stay_on(settings.SERVER_CORE)
        daphne.server.HTTPFactory = intake.Factory  # Daphne takes it from there
        self.signal_handlers = False  # Twisted's; ours are below
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.hear)
        super().run()
        self.is_over = True
        if not self.is_hurried:
            for pool in (threads, writers):
                pool.wait()  # a request that could not be answered any more may still do what it was asked

    def hear(self, *_):
        """Take a signal: see to it that this ends, even if the event loop hangs, and leave in order if it does not."""
        if self.is_over:  # and some thread alone is waited for
            os._exit(1)
        if self.last_resort is None:
            self.last_resort = threading.Timer(END_WITHIN, os._exit, [1])
            self.last_resort.daemon = True
            self.last_resort.start()
        reactor.callFromThread(self.leave)

    def listen_success(self, port):
        super().listen_success(port)
        self.ports.append(port)
        self.ws_factory.failByDrop = False  # who breaks the protocol is told so: 1002, 1007, 1009

    def protocol_connected(self, protocol):
        super().protocol_connected(protocol)
        if channel := getattr(protocol, "channel", None):
            channel.has_asked = True

    def protocol_disconnected(self, protocol):
        if protocol in self.connections:  # else it was answered, and is forgotten
            super().protocol_disconnected(protocol)

    def create_application(self, protocol, scope):
        """Give the application a way to write bytes to a WebSocket, and let it know whether the server is to end."""
        scope["state"] = {"is_draining": self.is_draining}
        if isinstance(protocol, WebSocketProtocol):
            scope["extensions"] = {WRITE: Writer(protocol), DENIAL: {}}
        queue = super().create_application(protocol, scope)
        if details := self.connections.get(protocol):
            details["application_instance"].add_done_callback(lambda done: self.forget(protocol, done))
        return queue

    def forget(self, protocol, done):
        """Let go of a request that is answered. Daphne does so once a second, and all wait while it lets go of many."""
        if "disconnected" in self.connections.get(protocol, ()) and not done.cancelled() and not done.exception():
            del self.connections[protocol]

    async def handle_reply(self, protocol, message):
        if self.is_draining and message["type"] == "http.response.start":
            protocol.setHeader(b"connection", b"close")
            if protocol.channel:  # else the client has gone
                protocol.channel.persistent = False
        if message["type"] == f"{DENIAL}.start":
            deny(protocol, message["status"], message["headers"])
        elif message["type"] == CUT_OFF:
            protocol.cut_off()
        elif message["type"] != f"{DENIAL}.body":  # ours has none
            await super().handle_reply(protocol, message)
        if message["type"] == "http.response.body" and message.get("more_body") and protocol in self.connections:
            await protocol.room()

    def leave(self):
        """End, in order; at once when told a second time."""
        from tickethub.threads import ending  # as in `run`

        if self.is_draining:
            self.is_hurried = True
            self.stop()
            return
        self.is_draining = True
        ending.set()
        self.drained = twisted_loop.create_task(self.drain())

    async def drain(self):
        from realtime.hub import Hub  # the application has set up Django by now

        began = twisted_loop.time()
        for port in self.ports:
            hide(port)
        await asyncio.sleep(0.1)  # whoever has read the name is there by then
        for port in self.ports:
            close(port)
        while (elapsed := twisted_loop.time() - began) < DRAIN_WITHIN and self.is_busy(elapsed):
            await Hub.current().send_away()
            await asyncio.sleep(0.1)
        self.stop()

    def is_busy(self, elapsed):
        """Whether a request has no answer yet, a WebSocket is open, something that was written has not been sent, or
        a request may be about to come: what a proxy connects for, it sends.
        """
        return (
            reactor.getWriters()
            or any("disconnected" not in details for details in self.connections.values())
            or (elapsed < ASK_WITHIN and any(has_yet_to_ask(reader) for reader in reactor.getReaders()))
        )

    def kill_all_applications(self):
        self.connections = {
            protocol: details for protocol, details in self.connections.items() if "application_instance" in details
        }  # Daphne trips over the others
        return super().kill_all_applications()


def load_templates():
    """Load the pages of TicketHub and of the admin. An upgrade puts others in their place while this process still
    runs, and those name static files that it does not know.
    """
    for app in apps.get_app_configs():
        folder = Path(app.path, "templates")
        if folder.parent.parent == settings.BASE_DIR or app.label == "admin":
            for path in folder.rglob("*.html"):
                name = str(path.relative_to(folder))
                page = get_template(name).template
                with suppress(TemplateDoesNotExist):
                    page.engine.find_template(name, skip=[page.origin])  # which ours extends


def with_backlog(endpoint):
    """A description of where to listen, as Twisted reads it. A Unix socket that a crash left behind is taken away."""
    if not endpoint.startswith("unix:"):
        return f"{endpoint}:backlog={BACKLOG}" if endpoint.startswith("tcp:") else endpoint
    path = endpoint.split(":")[1]
    with socket.socket(socket.AF_UNIX) as probe, suppress(FileNotFoundError):
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
    # Twisted's lock holds the number of a process, which in a container that starts anew is another's, or its own.
    return f"{endpoint}:lockfile=0:backlog={BACKLOG}"


def hide(port):
    """Take the name off a Unix socket; it goes on taking those who found it before."""
    if path := getattr(port, "_bindPath", None):
        port._bindPath = path + b".closing"  # which Twisted removes in the end
        with suppress(FileNotFoundError):
            os.rename(path, port._bindPath)


def close(port):
    """Let in whoever waits, and nobody else."""
    while select.select([port], [], [], 0)[0]:
        port.doRead()
    port.stopListening()


def has_yet_to_ask(reader):
    """Whether this is a connection on which no request has come yet."""
    channel = getattr(getattr(reader, "protocol", None), "_channel", None)
    return channel is not None and not hasattr(channel, "has_asked")


class Writer:
    """Writes ready frames to an open WebSocket. Daphne would frame them for each socket anew."""

    def __init__(self, protocol):
        self.protocol = protocol

    def __call__(self, data):
        if self.protocol.state == self.protocol.STATE_OPEN:
            self.protocol.transport.write(data)

    def unsent(self):
        return unsent(self.protocol.transport)


class CommandLine(CommandLineInterface):
    description = "TicketHub's server: Daphne, which ends in order"
    server_class = Server

    def __init__(self):
        super().__init__()
        # A reader that stalls is to be told so by its line (4408 within a minute), not cut by the server before that.
        self.parser.set_defaults(ping_timeout=90)


if __name__ == "__main__":
    logging.captureWarnings(True)
    CommandLine().run(sys.argv[1:])
