"""What the pool of connections to PostgreSQL asks of a connection before it gives it to a request."""

import select

from psycopg_pool import ConnectionPool


def check(connection):
    """Raises OperationalError where the server has ended the connection meanwhile: its farewell is there to be read.

    Where there is nothing to read the server is not asked, which would cost every request a round trip.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)
