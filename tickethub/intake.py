"""How the server takes a request in: Daphne's way, but for what lets one sender hold up all others."""

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

LINGER = 5  # seconds for a sender to read that it was refused; one that is cut off while it sends may never


class Factory(HTTPFactory):
    def buildProtocol(self, addr):
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class Request(WebRequest):
    """A request whose body is not looked into: Twisted would read forms on the event loop, for nobody.

    Of a body that is too large nothing is kept. The application refuses it as soon as it shows to be so: by the length
    that it has, or the one that has come.
    """

    received = 0
    is_refused = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs, parsePOSTFormSubmission=False)

    def gotLength(self, length):
        if (length or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            self.refuse()
            self.channel.length = length = 0  # nothing to wait for
        super().gotLength(length)

    def handleContentChunk(self, data):
        self.received += len(data)
        if self.is_refused:
            return
        if self.received <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            super().handleContentChunk(data)
            return
        self.refuse()
        self.content.truncate(0)
        self.requestHeaders.setRawHeaders(b"content-length", [b"%d" % self.received])  # which the application minds
        channel = self.channel
        channel.allContentReceived()
        channel.allContentReceived = lambda: None  # should the end have come in the same piece

    def refuse(self):
        """Make this the last request of its connection, and ignore whatever else comes."""
        self.is_refused = True
        self.requestHeaders.removeHeader(b"expect")  # or it would be told to go on
        self.setHeader(b"connection", b"close")
        channel = self.channel
        channel.persistent = False
        channel.rawDataReceived = lambda data: None
        channel.loseConnection = lambda: linger(channel)


def linger(channel):
    channel.transport.loseWriteConnection()
    channel.callLater(LINGER, channel.transport.abortConnection)
