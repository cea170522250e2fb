"""What TicketHub's fan-out is compared with: the group consumer of the Channels documentation, and nothing else.

`python -m daphne stock:application` serves it. The environment names the channel layer: STOCK_LAYER.
"""

import os

from django.conf import settings
from django.utils.module_loading import import_string

LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}


def configuration(name):
    return {"hosts": [os.environ["REDIS_URL"]], "prefix": f"stock-{name}"}


def layer(name):
    """The layer that a server with this STOCK_LAYER has, for those who send to it."""
    return import_string(LAYERS[name])(**configuration(name))


if name := os.environ.get("STOCK_LAYER"):  # in its server alone: who sends has settings of their own
    settings.configure(CHANNEL_LAYERS={"default": {"BACKEND": LAYERS[name], "CONFIG": configuration(name)}})

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 needs the settings above

GROUP = "news"


class GroupConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def news(self, event):
        await self.send(text_data=event["text"])


application = GroupConsumer.as_asgi()
