"""The sessions of browsers, which the admin has. What names one in the database is of no use as a cookie."""

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends import db
from django.utils import timezone
from django.utils.crypto import salted_hmac


def name_of(session_key):
    """What the database has in place of the key that is in the cookie, and no longer than that."""
    return salted_hmac("tickethub.cookies", session_key, algorithm="sha256").hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's, but for the names of its rows."""

    def _get_session_from_db(self):
        rows = self.model.objects.filter(session_key=name_of(self.session_key), expire_date__gt=timezone.now())
        if (row := rows.first()) is None:
            self._session_key = None
        return row

    def create_model_instance(self, data):
        row = super().create_model_instance(data)
        row.session_key = name_of(row.session_key)
        return row

    def exists(self, session_key):
        return super().exists(name_of(session_key))

    def delete(self, session_key=None):
        if session_key := session_key or self.session_key:
            super().delete(name_of(session_key))

    async def _aget_session_from_db(self):
        return await sync_to_async(self._get_session_from_db)()

    async def acreate_model_instance(self, data):
        return await sync_to_async(self.create_model_instance)(data)

    async def aexists(self, session_key):
        return await sync_to_async(self.exists)(session_key)

    async def adelete(self, session_key=None):
        await sync_to_async(self.delete)(session_key)
