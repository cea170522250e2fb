"""What the connections to PostgreSQL are like that requests are answered with."""

import select

from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg_pool import ConnectionPool

# What the connections of a server begin with: nobody waits longer for what another one has locked, or for an answer.
BOUNDS = "-c lock_timeout=1s -c statement_timeout=30s"
# And what a transaction may have in place of them.
HURRIED = {"lock_timeout": "250ms"}
ANY_LENGTH = {"statement_timeout": "0"}  # of one that may change a million rows by one statement
PATIENT = {**ANY_LENGTH, "lock_timeout": "10s"}  # of one that would do much in vain; nobody waits for it to begin


def check(connection):
    """Raises OperationalError where the server has ended the connection meanwhile: its farewell is there to be read.

    Where there is nothing to read the server is not asked, which would cost every request a round trip.
    """
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        ConnectionPool.check_connection(connection)


def bound():
    """Have the connections of this process, which serves, begin with BOUNDS, at no cost: they are made with them.

    What DATABASE_URL says of these wins. Commands, such as a migration, wait and take as long as they need.
    """
    options = connections.settings[DEFAULT_DB_ALIAS].get("OPTIONS", {})
    if "pool" in options:
        options["options"] = f"{BOUNDS} {options.get('options', '')}".rstrip()


def set_bounds(bounds):
    """Give the transaction under way other bounds, until it ends, if it has any."""
    if BOUNDS in connection.settings_dict["OPTIONS"].get("options", ""):
        with connection.cursor() as cursor:  # one statement, since several cannot be prepared
            settings = ", ".join(["set_config(%s, %s, true)"] * len(bounds))
            cursor.execute(f"SELECT {settings}", [each for pair in bounds.items() for each in pair])
