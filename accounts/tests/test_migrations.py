"""What the migrations take away."""

from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations import RunSQL

from accounts.models import User
from accounts.tests.factories import UserFactory

OUTSTANDING, BLACKLISTED = "token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken"


@pytest.mark.django_db
@pytest.mark.parametrize("was_there", [True, False])
def test_tables_of_refresh_tokens_go_and_sessions_of_before_end(was_there):
    migration = import_module("accounts.migrations.0003_session_is_a_family").Migration
    user, uuid = UserFactory(), User._meta.pk.db_type(connection)
    session = user.sessions.create()
    with connection.cursor() as cursor:
        if was_there:
            cursor.execute(f"CREATE TABLE {OUTSTANDING} (id integer PRIMARY KEY, who {uuid} REFERENCES accounts_user)")
            cursor.execute(f"CREATE TABLE {BLACKLISTED} (token integer REFERENCES {OUTSTANDING})")
            pk = User._meta.pk.get_db_prep_value(user.pk, connection)
            cursor.execute(f"INSERT INTO {OUTSTANDING} VALUES (1, %s)", [pk])  # noqa: S608
            cursor.execute(f"INSERT INTO {BLACKLISTED} VALUES (1)")  # noqa: S608
        for operation in migration.operations:
            if isinstance(operation, RunSQL):
                cursor.execute(operation.sql)
        assert not {OUTSTANDING, BLACKLISTED} & set(connection.introspection.table_names(cursor))
    session.refresh_from_db()
    assert session.ended_at is not None
    assert not session.is_open
    user.delete()
