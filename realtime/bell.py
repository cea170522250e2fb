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
    begin(attempt, news(projects, users))


def check():
    """Raise whatever the channel layer raises when it is not there."""
    if sending := begin(send, news()):
        sending.result()


def begin(send, message):
    """Have the event loop that waits for this thread send a message, and give the future of that; or else send it."""
    if loop := attending_loop():
        return asyncio.run_coroutine_threadsafe(send(message), loop)
    return async_to_sync(send)(message)


def news(projects=(), users=()):
    return {"type": "news", "projects": [str(pk) for pk in projects], "users": [str(pk) for pk in users]}


async def attempt(message):
    try:
        await send(message)
    except Exception as error:  # whatever a channel layer raises: what was committed has succeeded
        UNRUNG.inc()
        logger.warning("The bell did not ring, the log is read a moment later: %s", error or type(error).__name__)


async def send(message):
    try:
        async with asyncio.timeout(PATIENCE):
            await get_channel_layer().group_send(GROUP, message)
    except TimeoutError:  # which has no words
        raise TimeoutError(f"no answer within {PATIENCE} s") from None
