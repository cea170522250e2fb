"""Close codes of RFC 6455 that a server has to send, and that Daphne's WebSocket library refuses to an application."""

from daphne.ws_protocol import WebSocketProtocol

TOO_LARGE, INTERNAL, RESTARTING = 1009, 1011, 1012

daphne_close = WebSocketProtocol.serverClose


def close(self, code=None):
    """Close with any of ours; the library's check is for those between 3000 and 4999."""
    if code in {TOO_LARGE, INTERNAL, RESTARTING}:
        self.sendCloseFrame(code=code)
    else:
        daphne_close(self, code)


def allow():
    WebSocketProtocol.serverClose = close
