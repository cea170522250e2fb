"""The doorbell: tells every process that there is news. It may be lost, repeated or late; the log is the truth."""

import asyncio
import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from realtime.metrics import UNRUNG

logger = logging.getLogger(__name__)

GROUP = "news"
PATIENCE = 1  # seconds that a request may lose to a channel layer that hangs


def ring(projects=(), users=()):
    """Tell all processes that these projects have new events, or that these users' tokens may have ended."""
    message = {"type": "news", "projects": [str(pk) for pk in projects], "users": [str(pk) for pk in users]}
    try:
        async_to_sync(send)(message)
    except Exception as error:  # whatever a channel layer raises: what was committed has succeeded
        UNRUNG.inc()
        logger.warning("The bell did not ring, the log is read a moment later: %s", error or type(error).__name__)


async def send(message):
    async with asyncio.timeout(PATIENCE):
        await get_channel_layer().group_send(GROUP, message)


def check():
    """Raise whatever the channel layer raises when it is not there."""
    async_to_sync(send)({"type": "news", "projects": [], "users": []})
