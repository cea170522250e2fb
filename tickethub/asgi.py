"""The application: HTTP by Django, WebSockets by Channels. `python -m tickethub.server` serves it."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tickethub.settings")
http = get_asgi_application()

from realtime import wire  # noqa: E402 needs the apps that the line above sets up
from realtime.routing import websocket  # noqa: E402

wire.allow()
application = ProtocolTypeRouter({"http": http, "websocket": websocket})
