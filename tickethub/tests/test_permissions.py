"""The table of permissions holds, and lacks no route, no method, and no id that a query or a body takes."""

from urllib.parse import parse_qsl

import django_filters
import pytest
from django.urls import URLPattern, get_resolver, resolve
from django_filters.filters import QuerySetRequestMixin
from rest_framework import serializers

from accounts.tests.checks import nothing_changes, refused, undone
from projects.models import Role
from realtime.serializers import EventQuerySerializer
from realtime.views import EventsView
from tasks.serializers import BulkChangeSerializer, BulkSerializer, MoveSerializer
from tickethub.filters import DayFilter, MomentFilter, TrueOrFalseFilter
from tickethub.tests.permission_table import LISTED, ROLES, TABLE, columns
from tickethub.tests.world import API, INSIDE, NAME, filled

pytestmark = pytest.mark.django_db
LISTS = [path for _, path, _, seen in TABLE if seen == LISTED and path.count("/") == 1 and "?" not in path]
SEARCHES = [path for method, path, *_ in TABLE if method == "GET" and "=" in path.removeprefix("events/?project=")]


@pytest.mark.parametrize(("method", "path", "body", "expected"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_who_may_do_what(world, method, path, body, expected):
    wrong = {}
    for role, status in columns(expected).items():
        call = [role, method, *filled(path, body, world.names(role))]
        with undone():
            if status < 400:
                response = world.request(*call)
            else:
                with nothing_changes():
                    response = world.request(*call)
        if response.status_code != status:
            wrong[role] = (response.status_code, response.content[:300])
        elif status >= 400:
            refused(response, status)
            assert world.main.word.encode() not in response.content
    assert wrong == {}


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_what_is_there_for_those_inside_alone(world, path):
    for role in ROLES[1:]:
        response, inside = world.request(role, "GET", path, None), role in INSIDE
        assert (response.json()["count"] > (path == "users/")) == inside  # oneself is there in any case
        assert (world.main.word in response.text) == (inside and path != "relations/")
        assert world.dark.word not in response.text


@pytest.mark.parametrize("path", SEARCHES)
def test_filters_find_what_is_there_for_those_inside(world, path):
    """Or what the table says of who is outside would say nothing."""
    for role in Role.values:
        assert world.request(role, "GET", *filled(path, None, world.names(role))).json()["results"]


# --- That the table lacks nothing ---


def walk(resolver, prefix=""):
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route, entry.callback
        else:
            yield from walk(entry, route)


def offered():
    """Every route of the API with its view and each method that it answers, HEAD and OPTIONS aside."""
    for route, callback in walk(get_resolver()):
        if not route.startswith(API[1:]):
            continue
        view = callback.cls  # whatever stands there is a view of Django REST framework's
        actions = getattr(callback, "actions", None) or dict.fromkeys(dir(view))
        for method in set(actions) & set(view.http_method_names) - {"head", "options"}:
            yield route, method.upper(), view, actions[method]


def route_of(path):
    address = NAME.sub("01900000-0000-7000-8000-000000000000", path.partition("?")[0])
    return resolve(API + address).route


def test_the_table_lacks_no_route_and_method_and_has_no_other():
    in_table = {(route_of(path), method) for method, path, *_ in TABLE}
    assert in_table == {(route, method) for route, method, *_ in offered()}
    assert len(in_table) > 40


# What takes no id, whatever is sent. All else has to be in the table, what is new and of another kind too.
PLAIN_FILTERS = (
    django_filters.ChoiceFilter,
    django_filters.MultipleChoiceFilter,
    django_filters.OrderingFilter,
    DayFilter,
    MomentFilter,
    TrueOrFalseFilter,
)
PLAIN_FIELDS = (
    serializers.BooleanField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.EmailField,
    serializers.IntegerField,
)
PLAIN_TEXTS = {"title", "description", "name", "color", "slug", "body", "username", "first_name", "last_name"}
PLAIN_TEXTS |= {"password", "current_password", "new_password", "idempotency_key"}
PLAIN_TEXTS |= {"data"}  # a file to import: test_import.py has hidden ids in it
BODIES = {"move": MoveSerializer, "bulk": BulkSerializer}  # of actions with another serializer than their view's
KEY_OF_NEW = ("projects/", "POST", "key")  # unique, so one that is taken is refused, whoever took it


def takes_no_id(field, name):
    if isinstance(field, QuerySetRequestMixin | serializers.RelatedField):
        return False
    if isinstance(field, PLAIN_FILTERS + PLAIN_FIELDS):
        return True
    return isinstance(field, serializers.CharField) and name in PLAIN_TEXTS


def fields_of(view, action):
    """What a body may name, that of `set` in bulk as `set.title`."""
    if action in BODIES:
        serializer = BODIES[action]()
    else:
        maker = view(action=action, request=None)
        maker.request = type("Request", (), {"method": "POST"})
        serializer = maker.get_serializer_class()()
    for name, field in serializer.fields.items():
        if isinstance(serializer, BulkSerializer) and isinstance(field, serializers.DictField):
            yield from ((f"{name}.{inner}", each) for inner, each in BulkChangeSerializer().fields.items())
        elif not field.read_only:
            yield name, field


def ids_taken():
    """`(route, method, name)` of each query parameter and each field of a body that may name what is hidden."""
    for route, method, view, action in offered():
        if view is EventsView:
            fields = EventQuerySerializer().fields.items()
        elif method == "GET":
            fields = view.filterset_class.base_filters.items() if action == "list" else []
        else:
            fields = fields_of(view, action) if method in {"POST", "PATCH"} else []
        yield from ((route, method, name) for name, field in fields if not takes_no_id(field, name.split(".")[-1]))


def named(body, prefix=""):
    """The fields of a body, inner ones dotted, that hold a name of the table."""
    for name, value in (body or {}).items():
        if isinstance(value, dict):
            yield from named(value, f"{prefix}{name}.")
        if NAME.search(str(value)):
            yield prefix + name


def test_the_table_lacks_no_id_that_a_query_or_a_body_takes():
    in_table = {(route_of(KEY_OF_NEW[0]), *KEY_OF_NEW[1:])}
    for method, path, body, _ in TABLE:
        query = [name for name, value in parse_qsl(path.partition("?")[2]) if NAME.search(value)]
        in_table |= {(route_of(path), method, name) for name in [*query, *named(body)]}
    taken = set(ids_taken())
    assert taken - in_table == set()
    assert len(taken) > 50
