"""How many queries every route and method takes, whatever filter or body the table of permissions has for it."""

from collections import defaultdict

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.checks import undone
from tickethub.tests.permission_table import TABLE, columns
from tickethub.tests.test_permissions import route_of
from tickethub.tests.world import API, filled

pytestmark = pytest.mark.django_db
SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK")  # in the place of a transaction, which the test is in already

# As an owner, or whoever else is let through. The check of the token is one of them. PostgreSQL takes more where it has
# tasks locked before they are read.
MOST = {
    "GET ": 0,
    "GET schema/": 0,
    "POST auth/register/": 4,
    "POST auth/token/": 4,
    "POST auth/token/refresh/": 2,
    "POST auth/token/blacklist/": 2,
    "POST auth/password/change/": 4,
    "POST auth/password/reset/": 1,
    "POST auth/password/reset/confirm/": 4,
    "GET users/me/": 1,
    "PATCH users/me/": 10,
    "DELETE users/me/": 9,
    "GET users/": 3,
    "GET users/<uuid:pk>/": 2,
    "GET projects/": 3,
    "POST projects/": 15,
    "GET projects/<str:pk>/": 2,
    "PATCH projects/<str:pk>/": 10,
    "DELETE projects/<str:pk>/": 36,
    "POST projects/<str:pk>/import/": 17,
    "GET projects/<str:pk>/export/": 3,
    "GET memberships/": 3,
    "PATCH memberships/<uuid:pk>/": 11,
    "DELETE memberships/<uuid:pk>/": 14,
    "GET invitations/": 3,
    "POST invitations/": 8,
    "DELETE invitations/<uuid:pk>/": 5,
    "POST invitations/accept/": 11,
    "GET statuses/": 3,
    "POST statuses/": 8,
    "GET statuses/<uuid:pk>/": 2,
    "PATCH statuses/<uuid:pk>/": 11,
    "DELETE statuses/<uuid:pk>/": 11,
    "GET labels/": 3,
    "POST labels/": 8,
    "GET labels/<uuid:pk>/": 2,
    "PATCH labels/<uuid:pk>/": 12,
    "DELETE labels/<uuid:pk>/": 16,
    "GET tasks/": 4,
    "POST tasks/": 14,
    "GET tasks/<str:pk>/": 2,
    "PATCH tasks/<str:pk>/": 14,
    "DELETE tasks/<str:pk>/": 23,
    "POST tasks/<str:pk>/move/": 10,
    "POST tasks/bulk/": 24,
    "GET relations/": 4,
    "POST relations/": 11,
    "DELETE relations/<uuid:pk>/": 8,
    "GET comments/": 4,
    "POST comments/": 8,
    "GET comments/<uuid:pk>/": 2,
    "PATCH comments/<uuid:pk>/": 10,
    "DELETE comments/<uuid:pk>/": 8,
    "GET events/": 4,
}
ON_POSTGRESQL = {
    "PATCH users/me/": 11,
    "POST projects/": 16,
    "DELETE projects/<str:pk>/": 44,
    "POST projects/<str:pk>/import/": 18,
    "DELETE memberships/<uuid:pk>/": 15,
    "POST invitations/accept/": 12,
    "DELETE labels/<uuid:pk>/": 17,
    "POST tasks/": 15,
    "PATCH tasks/<str:pk>/": 15,
    "DELETE tasks/<str:pk>/": 27,
    "POST tasks/bulk/": 29,
}


def measure(world):
    found = defaultdict(set)
    for method, path, body, expected in TABLE:
        role = next(role for role, status in reversed(columns(expected).items()) if status < 400 or role == "anonymous")
        with undone(), CaptureQueriesContext(connection) as queries:
            response = world.request(role, method, *filled(path, body, world.names(role)))
        assert response.status_code == columns(expected)[role]
        found[f"{method} {route_of(path).removeprefix(API[1:])}"].add(
            sum(not query["sql"].startswith(SAVEPOINTS) for query in queries)
        )
    return {name: max(counts) for name, counts in found.items()}


def test_no_route_takes_more_queries_than_the_table_has(world):
    assert measure(world) == MOST | (ON_POSTGRESQL if connection.vendor == "postgresql" else {})
