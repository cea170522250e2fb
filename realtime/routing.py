"""Where the socket is, and from where browsers may open it."""

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.urls import path, re_path
from rest_framework.exceptions import Throttled

from realtime import throttling
from realtime.consumers import LineConsumer
from realtime.wire import DENIAL


class NoSuchSocket(AsyncWebsocketConsumer):
    channel_layer_alias = LineConsumer.channel_layer_alias

    async def connect(self):
        raise DenyConnection


class OriginCheck:
    """Refuse browsers on a foreign page. Programs send no Origin and may come, since no cookie counts here."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        headers = dict(scope["headers"])
        origin, host = headers.get(b"origin", b"").decode("latin-1"), headers.get(b"host", b"").decode("latin-1")
        own = {f"http://{host}", f"https://{host}"} if is_ours(host) else ()
        allowed = not origin or origin in own or origin in settings.CORS_ALLOWED_ORIGINS
        return await (self.application if allowed else NoSuchSocket.as_asgi())(scope, receive, send)


def is_ours(host):
    """Whether Django would answer to this Host header."""
    request = HttpRequest()
    request.META["HTTP_HOST"] = host
    try:
        return bool(request.get_host())
    except DisallowedHost:
        return False


class ConnectLimit:
    """Refuse an address that connects too often: 429 where the server can say so in place of a handshake, else 403."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        try:
            await throttling.take("socket", throttling.address_of(scope))
        except Throttled as refusal:
            await refuse(scope, send, refusal.wait)
        else:
            await self.application(scope, receive, send)


async def refuse(scope, send, seconds):
    if DENIAL not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"retry-after", str(seconds).encode()), (b"content-length", b"0")]
    await send({"type": f"{DENIAL}.start", "status": 429, "headers": headers})
    await send({"type": f"{DENIAL}.body", "body": b""})


# The origin first: a foreign page must not use up what its readers' address may do.
lines = URLRouter([path("ws/v1/", LineConsumer.as_asgi()), re_path(r"", NoSuchSocket.as_asgi())])
websocket = OriginCheck(ConnectLimit(lines))
