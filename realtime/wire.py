"""What ASGI has no word for: close codes of RFC 6455, and bytes that are made once and written to many sockets."""

import json
from http import HTTPStatus

from autobahn.websocket.protocol import PreparedMessage
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet.abstract import FileDescriptor

TOO_LARGE, INTERNAL, RESTARTING = 1009, 1011, 1012
TOO_MANY = {"code": "too_many_messages", "detail": "Too many messages. Wait a minute."}
WRITE = "tickethub.write"  # the extension in the scope of a server that takes bytes
DENIAL = "websocket.http.response"  # ASGI's extension for an answer in place of a handshake, which Daphne lacks

GOODBYE = 20  # seconds for a reader that stalls to find out why its line ends, before it is cut

daphne_connect, daphne_close = WebSocketProtocol.onConnect, WebSocketProtocol.serverClose
daphne_hear, autobahn_gather = WebSocketProtocol.onMessage, WebSocketProtocol.onMessageFrame


def framed(text):
    """A text frame as it goes over the wire. It is the same for every socket: a server's frames have no mask."""
    return PreparedMessage(text.encode(), isBinary=False, applyMask=False, doNotCompress=True).payloadHybi


def connect(self, request):
    """Take a handshake without subprotocols that are not ASCII: Daphne would fail, and none is spoken here anyway."""
    if not request.headers.get("sec-websocket-protocol", "").isascii():
        del request.headers["sec-websocket-protocol"]
    return daphne_connect(self, request)


def close(self, code=None):
    """Close with any of ours; the library's check is for those between 3000 and 4999."""
    if code != RESTARTING:  # else the whole server would wait for it
        self.closeHandshakeTimeout = GOODBYE
    if code in {TOO_LARGE, INTERNAL, RESTARTING}:
        self.sendCloseFrame(code=code)
    else:
        daphne_close(self, code)


def hear(self, payload, is_binary):
    """Take a message, if the line stays. The consumer refuses what is too large or too many; whoever sends faster than
    it reads would fill the server with that before.
    """
    limits = settings.WEBSOCKET
    if self.state != self.STATE_OPEN:
        return
    if len(payload) > limits["MAX_FRAME"]:
        self.serverClose(TOO_LARGE)
    elif self.application_queue.qsize() > limits["MAX_MESSAGES_PER_MINUTE"]:
        self.sendMessage(json.dumps({"type": "error"} | TOO_MANY).encode())
        self.serverClose(4429)
    else:
        daphne_hear(self, payload, is_binary)


def gather(self, pieces):
    """Keep pieces of a message. Empty ones, which nothing else counts, would have no end."""
    if len(self.message_data) > settings.WEBSOCKET["MAX_FRAME"]:
        self._fail_connection(TOO_LARGE, "Too many pieces")
    autobahn_gather(self, pieces)


def answer_ping(self, payload):
    """Answer a ping of the protocol, unless answers lie unread: kept for a reader that stalls, they would fill the
    server. Its line hears of it with the next tick.
    """
    if unsent(self.transport) <= settings.WEBSOCKET["WINDOW"]:
        self.sendPong(payload)


def unsent(transport):
    """The bytes that were written and that the system has not taken yet; 0 where Daphne itself ends TLS."""
    if not isinstance(transport, FileDescriptor):
        return 0
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen


def deny(protocol, status, headers):
    """Answer a handshake with an HTTP status, as Daphne does with its one 403. Headers are pairs of bytes."""
    protocol.failHandshake(HTTPStatus(status).phrase, status, [(a.decode(), b.decode()) for a, b in headers])
    del protocol.handshake_deferred
    protocol.server.protocol_disconnected(protocol)


def allow():
    """Let applications use the close codes, and clients send anything however fast."""
    WebSocketProtocol.onConnect = connect
    WebSocketProtocol.serverClose = close
    WebSocketProtocol.onMessage, WebSocketProtocol.onMessageFrame = hear, gather
    WebSocketProtocol.onPing = answer_ping
