"""The application: HTTP by Django, WebSockets by Channels. `python -m tickethub.server` serves it."""

import os

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tickethub.settings")
django.setup(set_prefix=False)

from realtime import wire  # noqa: E402 needs the apps that the line above sets up
from realtime.routing import websocket  # noqa: E402
from tickethub.http import Handler  # noqa: E402
from tickethub.pool import bound  # noqa: E402

bound()
wire.allow()
application = ProtocolTypeRouter({"http": Handler(), "websocket": websocket})
