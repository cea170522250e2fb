"""Whatever is sent to the tasks' endpoints, no answer is a 5xx, and a refusal changes nothing."""

import json

import pytest

from tasks.tests.factories import TaskFactory

TASKS = "/api/v1/tasks/"

VALUES = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "a negative": -1,
    "a float": 1.5,
    "31 digits": 10**30,
    "past 128 bits": 2**130,
    "a big float": 1e308,
    "nothing": "",
    "a blank": " ",
    "a word": "word",
    "a digit": "1",
    "a key": "PROJ-1",
    "30 February": "2030-02-30",
    "year 0": "0000-01-01",
    "year 10000": "10000-01-01",
    "a moment": "2030-01-01T00:00:00Z",
    "an emoji": "🎟️",
    "right to left": "\u202eשלום",
    "a long text": "x" * 150_000,
    "a list": [],
    "a list of null": [None],
    "a list of words": ["word", ""],
    "a list of numbers": [1, 2.5, True],
    "a list of lists": [[]],
    "a list of objects": [{}],
    "an object": {},
    "an object of something": {"id": "x", "pk": 1},
    "nobody's uuid": "0192f0c0-0000-7000-8000-00000000dead",
    "a list of nobody's uuid": ["0192f0c0-0000-7000-8000-00000000dead"],
}
# What a text field takes: words, and numbers, which it writes out.
TEXT = {
    *("zero", "a negative", "a float", "31 digits", "past 128 bits", "a big float", "a word", "a digit", "a key"),
    *("30 February", "year 0", "year 10000", "a moment", "an emoji", "right to left", "nobody's uuid"),
}
TAKEN = {
    "title": TEXT,
    "description": TEXT | {"nothing", "a blank"},
    "status": set(),
    "priority": set(),
    "assignees": {"a list"},
    "labels": {"a list"},
    "parent": {"null"},
    "due_date": {"null"},
    "project": set(),
    "id": {"nobody's uuid"},
}


def is_well_told(answer, field):
    body = answer.json()
    return (
        set(body) == {"detail", "code", "errors"}
        and body["code"] == "invalid"
        and field in {name.partition(".")[0] for name in body["errors"]}
    )


@pytest.mark.parametrize("field", TAKEN)
def test_a_new_task_takes_what_fits_and_refuses_the_rest(api, project, task, field):
    taken = set()
    for name, value in VALUES.items():
        answer = api.post(TASKS, {"project": str(project.pk), "title": "A task", field: value})
        assert answer.status_code == 201 or (answer.status_code == 400 and is_well_told(answer, field)), name
        if answer.status_code == 201:
            taken.add(name)
    assert taken == TAKEN[field]
    assert project.tasks.count() == len(taken) + 1


@pytest.mark.parametrize("field", sorted(TAKEN.keys() - {"id"}))
def test_a_change_takes_what_fits_and_refuses_the_rest(api, project, task, member, field, nothing_changes):
    for name in VALUES.keys() - TAKEN[field]:
        with nothing_changes():
            answer = api.patch(f"{TASKS}{task.pk}/", {field: VALUES[name]})
        assert answer.status_code == 400, name
        assert is_well_told(answer, field), name
    for name in TAKEN[field]:
        assert api.patch(f"{TASKS}{task.pk}/", {field: VALUES[name]}).status_code == 200, name


@pytest.mark.parametrize("day", ["0001-01-01", "1582-10-10", "2032-02-29", "9999-12-31"])
def test_any_day_of_the_calendar_is_a_due_date(api, task, day):
    assert api.patch(f"{TASKS}{task.pk}/", {"due_date": day}).json()["due_date"] == day
    assert api.get(TASKS, {"due_before": day}).json()["count"] == 0
    assert api.get(TASKS, {"ordering": "-due_date"}).json()["results"][0]["due_date"] == day


RAW = {
    "an escaped NUL": rb'{"title": "a\u0000b"}',
    "a raw NUL": b'{"title": "a\x00b"}',
    "a lone surrogate": rb'{"title": "a\ud800b"}',
    "a lone low surrogate in a description": rb'{"description": "\udfff"}',
    "surrogates the wrong way round": rb'{"title": "\ude00\ud83d"}',
    "a NUL in a name": rb'{"ti\u0000tle": "x"}',
    "a NUL in a list": rb'{"labels": ["\u0000"]}',
    "a surrogate as an id": rb'{"parent": "\ud800"}',
    "a NUL as a status": rb'{"status": "\u0000"}',
    "bytes that are no UTF-8": b'{"title": "\xff\xfe"}',
    "a surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "a name twice": b'{"title": "a", "title": "b"}',
    "half of an object": b'{"title": "a"',
    "nothing": b"",
    "blanks": b"   ",
    "no JSON": b"title=a",
    "two values": b'{"title": "a"} {}',
    "NaN": b'{"title": NaN}',
    "infinity": b'{"due_date": -Infinity}',
    "an integer of 10000 digits": b'{"title": ' + b"9" * 10_000 + b"}",
    "lists 5000 deep": b'{"labels": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "objects 100000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a list": b'[{"title": "a"}]',
    "a string": b'"title"',
    "a number": b"7",
    "null": b"null",
    "true": b"true",
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_a_body_that_cannot_be_kept_is_refused_everywhere(api, project, task, nothing_changes, raw):
    rest = b'"project": "%s"' % str(project.pk).encode()
    with nothing_changes():
        answers = [
            api.post(TASKS, raw, content_type="application/json"),
            api.post(TASKS, raw.replace(b"{", b"{" + rest + b", ", 1), content_type="application/json"),
            api.patch(f"{TASKS}{task.pk}/", raw, content_type="application/json"),
            api.post(f"{TASKS}{task.pk}/move/", raw, content_type="application/json"),
            api.post(f"{TASKS}bulk/", raw, content_type="application/json"),
            api.post("/api/v1/relations/", raw, content_type="application/json"),
        ]
    if raw.strip():
        assert {answer.status_code for answer in answers} == {400}
    else:  # a PATCH of nothing is a PATCH that names nothing
        assert {answer.status_code for answer in answers} <= {200, 400}
    for answer in answers:
        assert answer.status_code == 200 or set(answer.json()) >= {"detail", "code"}


def test_paired_surrogates_are_one_emoji(api, project):
    body = rb'{"project": "%s", "title": "\ud83c\udf9f\ufe0f"}' % str(project.pk).encode()
    answer = api.post(TASKS, body, content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (201, "🎟️")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x"])
def test_what_is_not_json_is_415(api, task, nothing_changes, content_type):
    body = json.dumps({"title": "New"})
    with nothing_changes():
        answer = api.patch(f"{TASKS}{task.pk}/", body, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_past_the_limit_is_413(api, task, nothing_changes):
    with nothing_changes():
        answer = api.patch(f"{TASKS}{task.pk}/", {"description": "x" * 3_000_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_names_that_are_no_fields_are_left_alone(api, project):
    answer = api.post(TASKS, {"project": str(project.pk), "title": "A task", "no_such": {"deep": [1]}, "": 0})
    assert answer.status_code == 201
    assert "no_such" not in answer.json()


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", " 1", "1e3", "²", "9" * 5000])
@pytest.mark.parametrize("path", [TASKS, "/api/v1/relations/"])
def test_limits_and_offsets_that_are_no_numbers_are_refused(api, project, path, limit):
    TaskFactory(project=project)
    for name in ("limit", "offset"):
        answer = api.get(path, {name: limit})
        fine = limit == "9" * 5000 or (name, limit) == ("offset", "0")
        assert answer.status_code == (200 if fine else 400)
