"""How the server takes requests in and gives answers out: Daphne's way, but for what lets one client hold up others."""

import asyncio
import re
from http import HTTPStatus
from uuid import uuid4

import orjson
from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.web.http import HTTPChannel

IMPORT = re.compile(rb"/api/v1/projects/[^/?]+/import/(\?.*)?")  # what may bring a file
STALLED = 60  # seconds in which a client takes in nothing of an answer, after which it is cut off
CUT_OFF = "tickethub.http.response.cut_off"  # the message that ends a connection in the middle of an answer
MOST_UNREAD = 128 * 1024**2  # bytes of the answers that those together have who do not keep up
LINGER = 5  # seconds for a sender to read that it was refused; one that is cut off while it sends may never


class Factory(HTTPFactory):
    def buildProtocol(self, addr):
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol

    def log(self, request):
        """Nothing: `tickethub.access` tells of every request. Twisted's line would be made, and read by nobody."""


class Request(WebRequest):
    """A request whose body is not looked into: Twisted would read forms on the event loop, for nobody.

    Of a body that is too large nothing is kept. The application refuses it as soon as it shows to be so: by the length
    that it has, or the one that has come.
    """

    received = 0
    is_refused = False
    flow = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs, parsePOSTFormSubmission=False)

    def process(self):
        """Take no address of the application from a client, as Daphne does, be it for a request or for a WebSocket."""
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def gotLength(self, length):
        self.most = largest(self.channel)
        if (length or 0) > self.most:
            self.refuse()
            self.channel.length = length = 0  # nothing to wait for
        super().gotLength(length)

    def handleContentChunk(self, data):
        self.received += len(data)
        if self.is_refused:
            return
        if self.received <= self.most:
            super().handleContentChunk(data)
            return
        self.refuse()
        self.content.truncate(0)
        self.requestHeaders.setRawHeaders(b"content-length", [b"%d" % self.received])  # which the application minds
        channel = self.channel
        channel.allContentReceived()
        channel.allContentReceived = lambda: None  # should the end have come in the same piece

    async def room(self):
        """Wait until the client has taken in what was written, or has gone: Daphne would hold all of it in memory."""
        if self.finished or self.channel is None:
            return
        if self.flow is None:
            self.flow = Flow()
            self.registerProducer(self.flow, True)
        if self.flow.has_room.is_set():
            return
        unread[self] = int(self.responseHeaders.getRawHeaders(b"content-length", [0])[0])
        cut_off_the_worst()
        try:
            await asyncio.wait_for(self.flow.has_room.wait(), STALLED)
        except TimeoutError:
            self.cut_off()
        finally:
            unread.pop(self, None)

    def cut_off(self):
        if self.channel:
            self.channel.transport.abortConnection()

    def finish(self):
        if self.flow and self.channel:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason):
        if self.flow:
            self.flow.has_room.set()
        super().connectionLost(reason)

    def refuse(self):
        """Make this the last request of its connection, and ignore whatever else comes."""
        self.is_refused = True
        self.requestHeaders.removeHeader(b"expect")  # or it would be told to go on
        self.setHeader(b"connection", b"close")
        channel = self.channel
        channel.persistent = False
        channel.rawDataReceived = lambda data: None
        channel.loseConnection = lambda: linger(channel)


unread = {}  # requests whose clients do not keep up: the bytes of their answers, which are held until all is sent


def cut_off_the_worst():
    """Cut off those with the largest answers, or whoever asks for many and reads none would fill the server."""
    while sum(unread.values()) > MOST_UNREAD:
        worst = max(unread, key=unread.get)
        del unread[worst]
        worst.cut_off()


def largest(channel):
    """How many bytes the body may have of the request whose first line has come."""
    is_import = IMPORT.fullmatch(channel._path)  # the request itself is told it with its end
    return settings.IMPORT_MAX_SIZE if is_import else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def refuse_head(channel, line=b""):
    """Refuse what is too long for Twisted, a line or all of them, or no HTTP: it would answer next to nothing."""
    if not line and channel._receivedHeaderSize <= channel.totalHeadersSize:
        status, code, detail = HTTPStatus.BAD_REQUEST, "bad_request", "This is no request that can be read."
    elif channel._HTTPChannel__first_line:
        status, code, detail = HTTPStatus.REQUEST_URI_TOO_LONG, "uri_too_long", "The address is too long."
    else:
        status, code = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"
        detail = "The headers are too long."
    body = orjson.dumps({"detail": detail, "code": code})
    head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    channel.transport.write(f"{head}X-Request-ID: {uuid4()}\r\nConnection: close\r\n\r\n".encode() + body)
    channel.clearLineBuffer()
    channel.dataReceived = lambda data: None
    linger(channel)


HTTPChannel.lineLengthExceeded = HTTPChannel._respondToBadRequestAndDisconnect = refuse_head


class Flow:
    """What Twisted tells whether the client keeps up."""

    def __init__(self):
        self.has_room = asyncio.Event()
        self.has_room.set()

    def pauseProducing(self):
        self.has_room.clear()

    def resumeProducing(self):
        self.has_room.set()

    stopProducing = resumeProducing


def linger(channel):
    channel.transport.loseWriteConnection()
    channel.callLater(LINGER, channel.transport.abortConnection)
