"""The WebSocket's protocol: what a client may say, and what it hears."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tests.factories import UserFactory, log_in
from projects.models import Membership
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import consumers, reader
from realtime.models import Event
from realtime.tests.conftest import newest, open_line, token_of
from tasks.tests.factories import TaskFactory
from tickethub.asgi import application

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("hub")]

in_db = database_sync_to_async


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="AB", owner=ada)


async def test_a_token_opens_the_line_and_says_until_when(ada):
    token = await in_db(token_of)(ada)
    async with open_line() as line:
        answer = await line.ask(type="authenticate", token=token, ref=7)
    assert answer["type"] == "authenticated"
    assert (answer["user"], answer["ref"]) == (str(ada.pk), 7)
    assert answer["expires_at"].endswith("Z")


def expired(user):
    token = log_in(user).access_token
    token.set_exp(lifetime=-timedelta(seconds=1))
    return str(token)


BAD_TOKENS = {
    "nonsense": lambda user: "nonsense",
    "expired": expired,
    "a refresh token": lambda user: str(log_in(user)),
    "not printable": lambda user: "a\0b",
    "of somebody deactivated": lambda user: [token_of(user), user.deactivate()][0],
    "from before a password change": lambda user: [token_of(user), user.set_password("x"), user.save()][0],
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_closes_the_line(kind, ada):
    token = await in_db(BAD_TOKENS[kind])(ada)
    async with open_line() as line:
        answer = await line.ask(type="authenticate", token=token)
        assert answer["type"] == "error"
        if kind == "not printable":
            assert answer["code"] == "invalid"
        else:
            assert answer["code"] == "token_not_valid"
            assert await line.closed_with() == 4401


async def test_nothing_but_a_token_is_heard_first(project):
    async with open_line() as line:
        for frame in ({"type": "subscribe", "project": "AB"}, {"type": "unsubscribe", "project": "AB"}):
            assert (await line.ask(**frame))["code"] == "not_authenticated"


async def test_without_a_token_the_line_closes_soon(hub, settings):
    async with open_line() as line:
        [consumer] = hub.lines
        await consumer.tick(consumer.opened_at + settings.WEBSOCKET["AUTHENTICATE_WITHIN"] + 0.1)
        assert (await line.hear())["code"] == "not_authenticated"
        assert await line.closed_with() == 4401


async def test_an_expired_token_closes_the_line_after_a_grace_and_a_new_one_in_time_extends_it(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        [consumer] = hub.lines
        first_end = consumer.person.expires_at
        assert 0 < consumer.limits["EXPIRY_GRACE"] <= 24  # and a second until the next tick
        await consumer.tick(first_end + consumer.limits["EXPIRY_GRACE"] - 1)
        token = (await in_db(log_in)(ada)).access_token
        token.set_exp(lifetime=timedelta(hours=1))
        assert (await line.ask(type="authenticate", token=str(token)))["type"] == "authenticated"
        await consumer.tick(first_end + 60)
        await in_db(TaskFactory)(project=project)
        assert (await line.hear())["event"] == "task.created"
        await consumer.tick(consumer.person.expires_at + consumer.limits["EXPIRY_GRACE"])
        assert (await line.hear())["code"] == "token_expired"
        assert await line.closed_with() == 4401


async def test_in_the_grace_of_an_expired_token_nothing_more_is_subscribed(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        [consumer] = hub.lines
        consumer.person = replace(consumer.person, expires_at=int(time.time()))
        assert (await line.ask(type="subscribe", project="AB"))["code"] == "token_expired"
        await in_db(TaskFactory)(project=project)
        assert (await line.hear())["event"] == "task.created"


async def test_another_persons_token_is_refused_on_the_same_line(project, ada):
    bob = await in_db(UserFactory)()
    token = await in_db(token_of)(bob)
    async with open_line(ada) as line:
        assert (await line.ask(type="authenticate", token=token))["code"] == "other_user"
        assert (await line.ask(type="subscribe", project="AB"))["type"] == "subscribed"


MALFORMED = [
    *[" ", "nonsense", "[]", '"text"', "1", "null", "{", "[" * 30_000, '{"a":' * 10_000, "9" * 5_000],
    # What an answer that repeats the `ref` could not say, and what is no JSON.
    *[f'{{"ref": {ref}, "type": "subscribe"}}' for ref in ["NaN", "-Infinity", "1e999"]],
    *['{"ref": ' + "[" * depth + "]" * depth + ', "type": "subscribe"}' for depth in (20, 900, 5_000)],
    '{"ref": 1, "ref": 2, "type": "subscribe"}',
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: text[:20])
async def test_a_malformed_frame_is_answered_and_the_line_stays(text, project, ada):
    async with open_line(ada) as line:
        await line.communicator.send_to(text_data=text)
        assert (await line.hear())["code"] == "malformed"
        assert (await line.ask(type="subscribe", project="AB"))["type"] == "subscribed"


async def test_a_binary_frame_is_malformed(ada):
    async with open_line(ada) as line:
        await line.communicator.send_to(bytes_data=b"\xff\x00")
        assert (await line.hear())["code"] == "malformed"


@pytest.mark.parametrize("kind", [None, 1, [], {}, "", "event", "__class__", "Subscribe"])
async def test_an_unknown_type_is_answered_with_the_ref(kind, ada):
    async with open_line(ada) as line:
        answer = await line.ask(type=kind, ref={"any": "thing"})
    assert (answer["code"], answer["ref"]) == ("unknown_type", {"any": "thing"})


@pytest.mark.parametrize("name", ["project", "after"])
@pytest.mark.parametrize("value", [1, [], {}, True, "", "\0", "\ud800", "x" * 5000])
async def test_nonsense_in_a_subscription_is_answered(name, value, project, ada):
    async with open_line(ada) as line:
        answer = await line.ask(**{"type": "subscribe", "project": "AB", name: value})
        assert answer["type"] == "error"
        assert answer["code"] in {"invalid", "not_found"}
        assert (await line.ask(type="subscribe", project="AB"))["type"] == "subscribed"


async def test_events_come_after_the_subscription_and_are_what_rest_gives(project, ada, as_user):
    client = await in_db(as_user)(ada)
    async with open_line(ada) as line:
        answer = await line.ask(type="subscribe", project="AB", ref="s")
        assert answer == {
            "type": "subscribed",
            "project": str(project.pk),
            "cursor": (await in_db(newest)(project)).cursor,
            "ref": "s",
        }
        made = await in_db(client.post)("/api/v1/tasks/", {"project": str(project.pk), "title": "Käse"})
        frame = await line.hear()
    listed = await in_db(client.get)(f"/api/v1/events/?project=AB&after={answer['cursor']}")
    [event] = listed.json()["results"]
    assert frame == {**event, "type": "event", "event": "task.created"}
    assert frame["object"] == made.json()
    assert frame["request_id"] == made["X-Request-ID"]
    assert frame["actor"] == str(ada.pk)


async def test_a_cursor_brings_what_was_missed_then_what_is_new(project, ada):
    cursor = (await in_db(newest)(project)).cursor
    missed = [await in_db(LabelFactory)(project=project) for _ in range(3)]
    async with open_line(ada) as line:
        assert (await line.ask(type="subscribe", project=str(project.pk), after=cursor))["cursor"] == cursor
        caught_up = await line.hear_all(3)
        fresh = await in_db(LabelFactory)(project=project)
        caught_up.append(await line.hear())
    assert [frame["id"] for frame in caught_up] == [str(label.pk) for label in [*missed, fresh]]
    assert [frame["seq"] for frame in caught_up] == list(range(8 + 1, 8 + 5))


async def test_a_long_log_comes_whole_and_in_order(project, ada, monkeypatch):
    monkeypatch.setattr("realtime.reader.BATCH", 7)
    cursor = (await in_db(newest)(project)).cursor
    for _ in range(30):
        await in_db(LabelFactory)(project=project)
    async with open_line(ada, project="AB", after=cursor) as line:
        assert [frame["seq"] for frame in await line.hear_all(30)] == list(range(9, 39))


CURSORS_ELSEWHERE = {
    "another history": lambda event: f"{event.seq}.00000000",
    "the future": lambda event: f"{event.seq + 1}.{event.nonce}",
    "before the first": lambda event: f"0.{event.nonce}",
}


@pytest.mark.parametrize("kind", CURSORS_ELSEWHERE)
async def test_a_cursor_that_cannot_be_served_is_told_to_load_anew(kind, project, ada):
    cursor = CURSORS_ELSEWHERE[kind](await in_db(newest)(project))
    async with open_line(ada) as line:
        answer = await line.ask(type="subscribe", project="AB", after=cursor, ref=1)
        assert answer == {"type": "resync", "project": str(project.pk), "ref": 1}
        await in_db(LabelFactory)(project=project)
        assert await line.hears_nothing()


async def test_a_pruned_cursor_is_told_to_load_anew(project, ada):
    cursor = (await in_db(newest)(project)).cursor
    await in_db(LabelFactory)(project=project)
    await in_db(Event.objects.filter(project_id=project.pk, seq__lte=8).delete)()
    async with open_line(ada) as line:
        assert (await line.ask(type="subscribe", project="AB", after=cursor))["type"] == "resync"


async def test_a_foreign_project_and_none_are_told_apart_by_nothing(project):
    eve = await in_db(UserFactory)()
    staff = await in_db(UserFactory)(is_staff=True, is_superuser=True)
    for person in (eve, staff):
        async with open_line(person) as line:
            foreign = await line.ask(type="subscribe", project="AB")
            missing = await line.ask(type="subscribe", project="ZZ")
            by_id = await line.ask(type="subscribe", project=str(project.pk))
        assert foreign == missing == by_id
        assert foreign["code"] == "not_found"


def test_a_foreign_project_is_looked_for_by_the_same_queries_as_none(project):
    """More of them would take longer, which can be measured."""

    def asked_for(name):
        with CaptureQueriesContext(connection) as queries:
            assert reader.grant.func(str(eve.pk), name, None) is None
        return [query["sql"].replace(name, "NAME").replace(name.replace("-", ""), "NAME") for query in queries]

    eve = UserFactory()
    assert asked_for("AB") == asked_for("ZZ")
    assert asked_for(str(project.pk)) == asked_for(str(uuid4()))


async def test_unsubscribing_ends_the_events(project, ada):
    async with open_line(ada, project="AB") as line:
        answer = await line.ask(type="unsubscribe", project="AB", ref=1)
        assert answer == {"type": "unsubscribed", "project": str(project.pk), "reason": "requested", "ref": 1}
        await in_db(LabelFactory)(project=project)
        assert await line.hears_nothing()
        assert (await line.ask(type="unsubscribe", project="AB"))["code"] == "not_subscribed"


async def test_subscribing_again_replaces_the_subscription(project, ada):
    cursor = (await in_db(newest)(project)).cursor
    async with open_line(ada, project="AB") as line:
        await in_db(LabelFactory)(project=project)
        first = await line.hear()
        assert (await line.ask(type="subscribe", project="AB", after=cursor))["type"] == "subscribed"
        assert await line.hear() == first
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["seq"] == first["seq"] + 1
        assert await line.hears_nothing()


async def test_a_line_may_follow_only_so_many_projects(ada, settings):
    settings.WEBSOCKET = settings.WEBSOCKET | {"MAX_SUBSCRIPTIONS": 1}
    for key in ("AA", "BB"):
        await in_db(ProjectFactory)(key=key, owner=ada)
    async with open_line(ada, project="AA") as line:
        assert (await line.ask(type="subscribe", project="BB"))["code"] == "too_many_subscriptions"
        assert (await line.ask(type="subscribe", project="AA"))["type"] == "subscribed"


async def test_too_many_messages_close_the_line(ada, settings):
    settings.WEBSOCKET = settings.WEBSOCKET | {"MAX_MESSAGES_PER_MINUTE": 5}
    async with open_line(ada) as line:
        for _ in range(5):
            await line.say(type="pong")
        assert (await line.hear())["code"] == "too_many_messages"
        assert await line.closed_with() == 4429


async def test_a_frame_over_the_limit_closes_the_line(ada):
    async with open_line(ada) as line:
        await line.communicator.send_to(text_data=json.dumps({"type": "pong", "ref": "x" * 64 * 1024}))
        assert await line.closed_with() == 1009
    async with open_line(ada) as line:
        await line.communicator.send_to(bytes_data=b"x" * (64 * 1024 + 1))
        assert await line.closed_with() == 1009


async def test_a_failure_of_ours_is_told_and_the_line_stays(ada, project, monkeypatch):
    async with open_line(ada) as line:
        with monkeypatch.context() as patch:
            patch.setattr(consumers.reader, "grant", None)
            assert (await line.ask(type="subscribe", project="AB", ref=1))["code"] == "internal"
        assert (await line.ask(type="subscribe", project="AB"))["type"] == "subscribed"


async def test_a_ping_comes_in_time(ada, hub, settings):
    async with open_line(ada) as line:
        [consumer] = hub.lines
        await consumer.tick(consumer.pinged_at + settings.WEBSOCKET["PING_EVERY"] - 1)
        assert await line.hears_nothing()
        await consumer.tick(consumer.pinged_at + settings.WEBSOCKET["PING_EVERY"])
        assert await line.communicator.receive_json_from() == {"type": "ping"}


async def test_without_a_token_the_line_closes_by_a_clock_that_was_set_back(hub, settings):
    async with open_line() as line:
        [consumer] = hub.lines
        hub.tasks[-1].cancel()  # which looks at the clock as it is
        earlier = consumer.pinged_at - 3600
        await consumer.tick(earlier)
        assert await line.hears_nothing()
        await consumer.tick(earlier + settings.WEBSOCKET["PING_EVERY"])
        assert await line.communicator.receive_json_from() == {"type": "error", "code": "not_authenticated"} | {
            "detail": "No token came in time."
        }
        assert await line.closed_with() == 4401


async def test_a_ping_comes_in_time_by_a_clock_that_was_set_back(ada, hub, settings):
    async with open_line(ada) as line:
        [consumer] = hub.lines
        hub.tasks[-1].cancel()  # which looks at the clock as it is
        earlier = consumer.pinged_at - 3600
        await consumer.tick(earlier)
        await consumer.tick(earlier + settings.WEBSOCKET["PING_EVERY"] - 1)
        assert await line.hears_nothing()
        await consumer.tick(earlier + settings.WEBSOCKET["PING_EVERY"])
        assert await line.communicator.receive_json_from() == {"type": "ping"}


ORIGINS = {
    b"http://testserver": True,
    b"https://app.example.org": True,
    b"https://evil.example": False,
    b"null": False,
    b"https://testserver.evil.example": False,
}


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_foreign_origin_is_refused(origin, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]
    communicator = WebsocketCommunicator(
        application, "/ws/v1/", headers=[(b"host", b"testserver"), (b"origin", origin)]
    )
    connected, _ = await communicator.connect()
    assert connected == ORIGINS[origin]
    await communicator.disconnect()


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1"])
async def test_a_page_is_not_ones_own_by_a_foreign_host(host, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    headers = [(b"host", host.encode()), (b"origin", f"http://{host}".encode())]
    communicator = WebsocketCommunicator(application, "/ws/v1/", headers=headers)
    assert not (await communicator.connect())[0]


async def test_a_page_of_this_machine_is_ones_own_where_one_develops(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, []
    headers = [(b"host", b"localhost:8000"), (b"origin", b"http://localhost:8000")]
    communicator = WebsocketCommunicator(application, "/ws/v1/", headers=headers)
    assert (await communicator.connect())[0]
    await communicator.disconnect()


async def test_there_is_no_other_socket():
    communicator = WebsocketCommunicator(application, "/ws/v2/")
    assert not (await communicator.connect())[0]


async def test_a_member_who_comes_back_is_not_cut_off_by_the_old_removal(project, ada):
    bob = await in_db(UserFactory)()
    cursor = (await in_db(newest)(project)).cursor

    def leave_and_return():
        Membership.objects.create(project=project, user=bob, role="member").delete()
        Membership.objects.create(project=project, user=bob, role="member")

    await in_db(leave_and_return)()
    async with open_line(bob, project="AB", after=cursor) as line:
        events = [frame["event"] for frame in await line.hear_all(3)]
        assert events == ["membership.created", "membership.deleted", "membership.created"]
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["event"] == "label.created"
