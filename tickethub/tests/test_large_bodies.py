"""Bodies of many values: refused before each of these is looked at, and in few words."""

import json
from functools import partial
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db.models.sql import Query
from rest_framework import serializers

import tickethub.urls  # noqa: F401 with which every serializer is there
from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.tests.factories import ProjectFactory
from realtime.serializers import EventSerializer, PageOfEventsSerializer
from tasks.serializers import InProjectField
from tasks.tests.factories import TaskFactory
from tickethub.serializers import CountedMixin, OneRowMixin
from tickethub.transfer.serializers import ImportReportSerializer

pytestmark = pytest.mark.django_db
API = "/api/v1/"
MANY = 100_000
ANSWERS = {EventSerializer, PageOfEventsSerializer, ImportReportSerializer}  # which nobody sends
OURS = ("accounts.", "projects.", "tasks.", "comments.", "realtime.", "tickethub.transfer.")
OF_MANY = (serializers.ListField, serializers.DictField, serializers.ManyRelatedField, serializers.ListSerializer)
LARGE = {
    "lists": [[]] * MANY,
    "texts": ["x"] * MANY,
    "lists in an object": {"x": [[]] * MANY},
    "a text": "x" * MANY,
    "control characters": "\x01" * MANY,
}
UNBOUNDED = (serializers.JSONField, serializers.MultipleChoiceField)


@pytest.fixture
def task():
    return TaskFactory(project=ProjectFactory(key="MAIN"))


@pytest.fixture
def client(as_user, task):
    user = UserFactory()
    task.project.memberships.create(user=user, role="owner")
    client = as_user(user)
    client.raise_request_exception = False
    return client


def written_fields():
    """`(serializer, field)` of all that a client may send."""
    rest = [serializers.Serializer]
    while rest:
        found = rest.pop()
        rest += found.__subclasses__()
        is_ours = found.__module__.startswith(OURS) and ".tests." not in found.__module__
        if is_ours and found not in ANSWERS:
            yield from ((found, field) for field in found().fields.values() if not field.read_only)


def test_every_field_of_many_is_counted_first_and_every_other_relation_takes_a_list_for_a_word():
    found = list(written_fields())
    assert len(found) > 60
    for serializer, field in found:
        where = f"{serializer.__name__}.{field.field_name}"
        assert not isinstance(field, UNBOUNDED), where
        if isinstance(field, OF_MANY):
            assert isinstance(field, CountedMixin), where
            assert field.max_length <= 1000, where
        elif isinstance(field, serializers.RelatedField):
            assert isinstance(field, OneRowMixin), where


@pytest.mark.parametrize("value", [[], 0, "x", {}], ids=str)
def test_many_ids_are_not_looked_at(client, task, value):
    for path, body, field in [
        ("tasks/bulk/", {"ids": [value] * MANY, "delete": True}, "ids"),
        ("tasks/bulk/", {"ids": [str(task.pk)], "set": {"labels": [value] * MANY}}, "set.labels"),
        ("tasks/", {"project": "MAIN", "title": "x", "assignees": [value] * MANY}, "assignees"),
    ]:
        body = body | ({"project": str(task.project_id)} if "project" in body else {})
        looked_at = patch.object(serializers.UUIDField, "to_internal_value", side_effect=UUID)
        with nothing_changes(), looked_at, patch.object(InProjectField, "to_internal_value", None):
            errors = refused(client.post(f"{API}{path}", body), 400)["errors"]
        assert [each["code"] for each in errors[field]] == ["max_length"]


def test_a_hundred_and_one_ids_are_refused_in_the_words_of_ever(client):
    errors = refused(client.post(f"{API}tasks/bulk/", {"ids": [0] * 101, "delete": True}), 400)["errors"]
    assert errors == {"ids": [{"detail": "Ensure this field has no more than 100 elements.", "code": "max_length"}]}


@pytest.mark.parametrize("name", ["people", "statuses"])
def test_an_import_takes_a_thousand_words(client, name):
    send = partial(client.post, f"{API}projects/MAIN/import/")
    meaning = {"people": client.get(f"{API}users/me/").json()["username"], "statuses": "todo"}[name]
    with nothing_changes():
        refused(send({"data": "x", name: {str(n): [] for n in range(1001)}}), 400, errors={name: "max_length"})
    body = {"data": json.dumps([{"number": 1, "title": "x"}]), name: {str(n): meaning for n in range(1000)}}
    assert send(body).status_code == 200


def test_what_cannot_be_set_is_counted_first(client, task):
    body = {"ids": [str(task.pk)], "set": dict.fromkeys(map(str, range(MANY)), 0)}
    with nothing_changes():
        refused(client.post(f"{API}tasks/bulk/", body), 400, errors={"set": "max_length"})


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        *[("PATCH", "tasks/MAIN-1/", field) for field in ("status", "priority", "parent", "project")],
        *[("POST", "tasks/", "project"), ("POST", "comments/", "task"), ("POST", "relations/", "source")],
        *[("POST", "relations/", "type"), ("POST", "invitations/", "role"), ("POST", "tasks/MAIN-1/move/", "before")],
        ("POST", "projects/MAIN/import/", "format"),
    ],
)
def test_one_large_value_is_not_repeated_in_the_answer(client, method, path, field, value):
    with nothing_changes(), patch.object(Query, "resolve_lookup_value", resolving):
        answer = client.generic(method, f"{API}{path}", json.dumps({field: value}), content_type="application/json")
    [error] = refused(answer, 400)["errors"][field]
    assert len(error["detail"]) <= 301
    assert error["detail"].endswith((" is not a valid UUID.", " does not exist.", " is not a valid choice."))


resolve = Query.resolve_lookup_value


def resolving(query, value, *args, **kwargs):
    assert not isinstance(value, (list, dict)) or len(value) < 10, "Django looks into each of what is in it"
    return resolve(query, value, *args, **kwargs)
