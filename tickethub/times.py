"""How times come from PostgreSQL: by psycopg's compiled loader, in a fifth of the time that Django's takes.

Django's, which is written in Python, may put them in any time zone. Here connections speak UTC, and so do the times.
"""

from datetime import UTC

import psycopg
from django.conf import settings
from django.db.backends.postgresql.base import TIMESTAMPTZ_OID
from django.db.backends.postgresql.psycopg_any import get_adapters_template
from psycopg.adapt import Loader
from psycopg.pq import Format


class UTCLoader(Loader):
    timezone = UTC  # Django asks for it, and brings a loader of its own if it is another one

    def __init__(self, oid, context):
        super().__init__(oid, context)
        self.load = psycopg.adapters.get_loader(TIMESTAMPTZ_OID, Format.TEXT)(oid, context).load

    def load(self, data):
        """In place of this each loader has the compiled one."""


def load_compiled():
    """Have the connections that are made from now on load times so."""
    get_adapters_template(settings.USE_TZ, UTC).register_loader("timestamptz", UTCLoader)
