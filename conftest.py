"""What tests of all apps share: a client of the API for any person."""

from unittest.mock import patch

import pytest
from rest_framework.test import APIClient

from accounts.tests.factories import log_in


def client_of(user=None, **headers):
    """A client of the API with a real access token of `user`, or none."""
    client = APIClient(headers=headers)
    if user:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {log_in(user).access_token}")
    return client


@pytest.fixture
def as_user():
    return client_of


@pytest.fixture
def anonymous():
    return client_of()


@pytest.fixture(scope="session", autouse=True)
def quick_flush():
    """Empty the tables after tests that commit by deleting the few rows they left.

    Django truncates all tables, and makes the content types and permissions anew: both cost more than most tests.
    """
    kept = {"django_content_type", "auth_permission", "django_migrations"}

    def sql_flush(style, connection, **kwargs):
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables if table not in kept]  # noqa: S608

    flush = "django.core.management.commands.flush"
    with patch(f"{flush}.sql_flush", sql_flush), patch(f"{flush}.emit_post_migrate_signal"):
        yield
