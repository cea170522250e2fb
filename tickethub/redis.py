"""How the channel layer connects to Redis: a Redis that hangs or is gone must hang nothing else."""

from redis.asyncio import connection
from redis.exceptions import ConnectionError as Broken

PATIENCE = {"socket_timeout": 1, "socket_connect_timeout": 1}  # seconds


class Alive:
    """A connection that tells when it broke.

    redis-py takes the TimeoutError of a line that the system gave up (ETIMEDOUT) for "no message yet". It reads again
    at once, fails at once, and never gives way to the rest of the process.
    """

    async def read_response(self, *args, **kwargs):
        if self._reader is not None and (error := self._reader.exception()):
            await self.disconnect(nowait=True)
            raise Broken(f"The line broke: {error}")
        return await super().read_response(*args, **kwargs)


class AliveConnection(Alive, connection.Connection):
    pass


class AliveSSLConnection(Alive, connection.SSLConnection):
    pass


ALIVE = {connection.Connection: AliveConnection, connection.SSLConnection: AliveSSLConnection}


def redis_host(url):
    """What Channels is told of a Redis at `redis://…`, `rediss://…` or `unix://…`."""
    options = connection.parse_url(url)
    usual = options.get("connection_class", connection.Connection)
    return PATIENCE | options | {"connection_class": ALIVE.get(usual, usual)}
