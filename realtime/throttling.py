"""The limits of sockets by address: asked in threads of their own, so that a cache that hangs stops no event loop."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from asgiref.sync import sync_to_async

from tickethub import throttling

threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="throttle")


async def take(scope, who):
    """Count one more, as `tickethub.throttling.take` does; raises Throttled like it."""
    await ask(throttling.take, scope, who)


async def look(scope, who):
    await ask(throttling.look, scope, who)


async def ask(act, scope, who):
    if throttling.is_limited(scope):
        await sync_to_async(act, thread_sensitive=False, executor=threads)(scope, who)


def address_of(connection):
    """Where a connection, given by its scope, comes from: told as of a request."""
    forwarded = [value.decode("latin-1") for name, value in connection["headers"] if name == b"x-forwarded-for"]
    client = connection.get("client")
    return throttling.address_of(
        SimpleNamespace(
            headers={"x-forwarded-for": ",".join(forwarded)} if forwarded else {},
            META={"REMOTE_ADDR": client[0] if client else None},
        )
    )
