"""How databases are connected to, beyond what DATABASE_URL says of one."""

from tickethub.env import BASE_DIR
from tickethub.pool import check


def tuned(database, pool_size):
    """A database as Django's DATABASES has it, with what SQLite or PostgreSQL needs under many requests at once."""
    return database | (of_sqlite() if "sqlite" in database["ENGINE"] else of_postgresql(database, pool_size))


def of_sqlite():
    """What SQLite needs. Without it, two writers at once end in "database is locked": a transaction that starts as a
    reader cannot become a writer, and readers and writers shut each other out.
    """
    # The cache is each thread's own. In SQLite's 2 MB a list of many rows finds none of those that it needs again.
    pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;"
    return {
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": pragmas},
        "CONN_MAX_AGE": None,  # each thread that answers requests keeps its own
        "TEST": {"NAME": BASE_DIR / "test.sqlite3"},  # a file, since WebSocket tests read it from several threads
    }


def of_postgresql(database, pool_size):
    """What PostgreSQL needs. More threads wait than there are connections: they are of a pool of `pool_size`, and a
    thread has one while it is at work.
    """
    return {
        "OPTIONS": {
            # A database whose machine is gone without a word fails within seconds, not after many minutes.
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,  # milliseconds
            **database.get("OPTIONS", {}),
            "pool": {
                "check": check,
                "min_size": 1,
                "max_size": pool_size,
                # While the database is away, whoever asks looks for it. A pool left to itself looks ever more seldom.
                "timeout": 3,
                "reconnect_timeout": 1,
            },
        }
    }
