"""TicketHub as it is, but with a doorbell that fails. `python -m tickethub.server chaotic:application` serves it.

The environment says how: BELLS_LOST is the share of bells that are not rung, HEAL_EVERY the seconds between two looks
at the heads.
"""

import os
import random

from channels_redis.pubsub import RedisPubSubLoopLayer
from django.conf import settings

from tickethub.asgi import application

__all__ = ["application", "spoil"]
group_send = RedisPubSubLoopLayer.group_send


def spoil(bells_lost, heal_every=None):
    """Lose bells in this process, and look at the heads more seldom."""

    async def lossy_group_send(self, group, message):
        if random.random() >= bells_lost:
            await group_send(self, group, message)

    RedisPubSubLoopLayer.group_send = lossy_group_send
    settings.WEBSOCKET["HEAL_EVERY"] = heal_every or settings.WEBSOCKET["HEAL_EVERY"]


if "BELLS_LOST" in os.environ:
    spoil(float(os.environ["BELLS_LOST"]), float(os.environ["HEAL_EVERY"]))
