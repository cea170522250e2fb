"""Request bodies that are no sane JSON: refused with words, before anything looks at them."""

import json

import pytest

from accounts.models import User
from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory
from projects.models import Project
from projects.tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/projects/"
REGISTER = "/api/v1/auth/register/"


@pytest.fixture
def client(as_user):
    user = UserFactory()
    ProjectFactory(key="OLD", owner=user)
    client = as_user(user)
    client.raise_request_exception = False
    return client


def send(client, body, method="POST", path=URL, content_type="application/json"):
    return client.generic(method, path, body, content_type=content_type)


def nested(depth, opening="[", closing="]", inner=""):
    return opening * depth + inner + closing * depth


NO_JSON = {
    "cut off": '{"key": "NEW", "name": ',
    "nothing but blanks": "  ",
    "a comma too many": '{"key": "NEW", "name": "x",}',
    "single quotes": "{'key': 'NEW', 'name': 'x'}",
    "two documents": '{"key": "NEW", "name": "x"} {}',
    "a comment": '{"key": "NEW", "name": "x"} // x',
    "NaN": '{"key": "NEW", "name": NaN}',
    "Infinity": '{"key": "NEW", "name": Infinity}',
    "minus Infinity": '{"key": "NEW", "name": -Infinity}',
    "a number that is infinite": '{"key": "NEW", "name": "x", "other": 1e999}',
    "a number of 5,000 digits": '{"key": "NEW", "name": ' + "9" * 5000 + "}",
    "a name told twice": '{"key": "NEW", "name": "x", "name": "y"}',
    "a name told twice deeper down": '{"key": "NEW", "name": "x", "other": [{"a": 1, "a": 1}]}',
    "a raw NUL": b'{"key": "NEW", "name": "a\0b"}',
    "an escaped NUL": r'{"key": "NEW", "name": "a\u0000b"}',
    "an escaped NUL in a name": r'{"key": "NEW", "name": "x", "a\u0000": 1}',
    "an escaped NUL deeper down": r'{"key": "NEW", "name": "x", "other": {"a": ["\u0000"]}}',
    "a lone high surrogate": r'{"key": "NEW", "name": "a\ud800b"}',
    "a lone low surrogate": r'{"key": "NEW", "name": "a\udfff"}',
    "surrogates the wrong way round": r'{"key": "NEW", "name": "\ude00\ud83d"}',
    "a lone surrogate in a name": r'{"key": "NEW", "name": "x", "\ud800": 1}',
    "a surrogate in UTF-8": b'{"key": "NEW", "name": "\xed\xa0\x80"}',
    "Latin-1": '{"key": "NEW", "name": "é"}'.encode("latin-1"),
    "UTF-16": '{"key": "NEW", "name": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"key": "NEW", "name": "x"}',
    "an overlong NUL": b'{"key": "NEW", "name": "\xc0\x80"}',
    "a raw line break in a text": '{"key": "NEW", "name": "a\nb"}',
    "a bad escape": r'{"key": "NEW", "name": "\x41"}',
    "a form": "key=NEW&name=x",
    "lists, 100,000 deep": nested(100_000),
    "lists, never closed": "[" * 100_000,
    "objects, 100,000 deep": nested(100_000, '{"a":', "}", "1"),
    **{
        f"{depth} lists in a field": f'{{"key": "NEW", "name": "x", "description": {nested(depth)}}}'
        for depth in (20, 500, 990, 1000, 5000)
    },
}


@pytest.mark.parametrize("what", NO_JSON)
def test_what_is_no_sane_json_is_refused_and_changes_nothing(client, what):
    with nothing_changes():
        refused(send(client, NO_JSON[what]), 400, "parse_error")
        refused(send(client, NO_JSON[what], "PATCH", f"{URL}OLD/"), 400, "parse_error")


@pytest.mark.parametrize("what", NO_JSON)
def test_nor_may_somebody_unknown_send_it(anonymous, what):
    anonymous.raise_request_exception = False
    with nothing_changes():
        refused(send(anonymous, NO_JSON[what], path=REGISTER), 400, "parse_error")


@pytest.mark.parametrize("text", ["\U0001f980", r"\ud83e\udd80", "\ufffd", "a\u2028b", r"\u00e9", "\x7f"])
def test_text_of_all_the_world_comes_back_as_it_came(client, text):
    response = send(client, f'{{"key": "NEW", "name": "x", "description": "{text} "}}'.encode())
    assert response.status_code == 201
    assert response.json()["description"].strip() == json.loads(f'"{text}"').strip()


def test_json_nested_as_deep_as_the_api_needs_is_read(client):
    body = '{"key": "NEW", "name": "x", "other": ' + nested(10) + "}"
    assert send(client, body).status_code == 201


def test_a_body_as_long_as_the_limit_is_read_and_one_byte_more_is_not(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = '{"key": "NEW", "name": "x"}'
    with nothing_changes():
        refused(send(client, body.ljust(1001)), 413, "payload_too_large")
        refused(send(client, "x" * 5000, "PATCH", f"{URL}OLD/"), 413, "payload_too_large")
    assert send(client, body.ljust(1000)).status_code == 201


def test_a_body_over_the_default_limit_is_refused(client):
    with nothing_changes():
        refused(send(client, json.dumps({"key": "NEW", "name": "x" * 3_000_000})), 413, "payload_too_large")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application",
        "nonsense",
        "*/*x",
        "text/json; charset=utf-8",
    ],
)
def test_another_content_type_is_refused(client, content_type):
    body = '{"key": "NEW", "name": "x"}'
    with nothing_changes():
        refused(send(client, body, content_type=content_type), 415, "unsupported_media_type")
        refused(send(client, body, "PATCH", f"{URL}OLD/", content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;x"])
def test_json_may_be_called_so_in_several_ways(client, content_type):
    assert send(client, '{"key": "NEW", "name": "x"}', content_type=content_type).status_code == 201


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_no_body_at_all_lacks_what_is_needed(client, content_type):
    with nothing_changes():
        refused(send(client, "", content_type=content_type), 400, errors={"key": "required", "name": "required"})


def test_a_method_in_a_form_field_or_header_is_not_heeded(client):
    with nothing_changes():
        response = client.get(f"{URL}OLD/", headers={"X-HTTP-Method-Override": "DELETE"})
    assert response.status_code == 200
    assert Project.objects.filter(key="OLD").exists()


def test_unknown_names_in_a_body_are_left_alone(client):
    response = send(client, '{"key": "NEW", "name": "x", "owner": "me", "pk": 1, "__class__": "x", "": 0}')
    assert response.status_code == 201
    assert set(response.json()) == set(client.get(f"{URL}OLD/").json())


def test_a_refused_body_is_refused_before_a_token_is_looked_at_only_where_none_is_needed(anonymous):
    with nothing_changes():
        refused(send(anonymous, "nonsense"), 401, "not_authenticated")
    assert not User.objects.exists()
