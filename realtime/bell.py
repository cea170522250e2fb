"""The doorbell: tells every process that there is news. It may be lost, repeated or late; the log is the truth."""

import asyncio
import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from realtime.metrics import UNRUNG
from tickethub.threads import attending_loop

logger = logging.getLogger(__name__)

GROUP = "news"
PATIENCE = 1  # seconds until a channel layer that hangs is given up


def ring(projects=(), users=()):
    """Tell all processes that these projects have new events, or that these users' tokens may have ended.

    A request does not wait for that, which the event loop sees to that waits for it. Whoever has no event loop does.
    """
    message = news(projects, users)
    if loop := attending_loop():
        asyncio.run_coroutine_threadsafe(attempt(message), loop)
    else:
        async_to_sync(attempt)(message)


def check():
    """Raise whatever the channel layer raises when it is not there."""
    if loop := attending_loop():
        asyncio.run_coroutine_threadsafe(send(news()), loop).result()
    else:
        async_to_sync(send)(news())


def news(projects=(), users=()):
    return {"type": "news", "projects": [str(pk) for pk in projects], "users": [str(pk) for pk in users]}


async def attempt(message):
    try:
        await send(message)
    except Exception as error:  # whatever a channel layer raises: what was committed has succeeded
        UNRUNG.inc()
        logger.warning("The bell did not ring, the log is read a moment later: %s", error or type(error).__name__)


async def send(message):
    async with asyncio.timeout(PATIENCE):
        await get_channel_layer().group_send(GROUP, message)
