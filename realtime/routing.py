"""Where the socket is, and from where browsers may open it."""

from channels.exceptions import DenyConnection
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime.consumers import LineConsumer


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
        own = {f"http://{host}", f"https://{host}"}
        allowed = not origin or origin in own or origin in settings.CORS_ALLOWED_ORIGINS
        return await (self.application if allowed else NoSuchSocket.as_asgi())(scope, receive, send)


websocket = OriginCheck(URLRouter([path("ws/v1/", LineConsumer.as_asgi()), re_path(r"", NoSuchSocket.as_asgi())]))
