"""The connections to Redis."""

import asyncio

import pytest
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as Broken

from tickethub.redis import AliveConnection, AliveSSLConnection, redis_host


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://localhost:6379/0", AliveConnection),
        ("rediss://localhost:6379/0", AliveSSLConnection),
        ("unix:///run/redis.sock", UnixDomainSocketConnection),
    ],
)
def test_every_kind_of_address_gets_its_connection(url, kind):
    host = redis_host(url)
    assert host["connection_class"] is kind
    assert host["socket_timeout"] == host["socket_connect_timeout"] == 1
    assert issubclass(AliveSSLConnection, SSLConnection)


async def test_a_line_that_the_system_gave_up_is_told_and_is_not_waited_for():
    async def answer(reader, writer):
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = AliveConnection(host="127.0.0.1", port=port, protocol=2)
        connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
        connection._parser.on_connect(connection)
        assert await connection.read_response(timeout=0.05) is None  # no message yet
        connection._reader.set_exception(TimeoutError(110, "ETIMEDOUT"))
        with pytest.raises(Broken, match="ETIMEDOUT"):
            await connection.read_response(timeout=0.05)
        assert not connection.is_connected
