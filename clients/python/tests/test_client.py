"""A client that follows projects, against a server that does what each test wants."""

import asyncio
import logging
import random
import time
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import tickethub_client
from fake import TASKS, USER, fake_server, hub_of, until
from tickethub_client import Change, Ended, TicketHub


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The attempts that were waited after; each wait is short."""
    attempts = []
    monkeypatch.setattr(tickethub_client, "backoff", lambda attempt: attempts.append(attempt) or 0.01)
    monkeypatch.setattr(tickethub_client, "SOON", 0.05)
    return attempts


@pytest.fixture
async def server():
    async with fake_server() as server:
        yield server


@pytest.fixture
async def hub(server):
    async with hub_of(server) as hub:
        yield hub


@pytest.fixture
async def replica(hub):
    replica = hub.follow("DEMO")
    await replica.ready()
    return replica


async def say(server, **frame):
    await server.say(server.lines[-1], **frame)


async def level(server, replica):
    """Wait until the replica is where the server is, and holds the same."""
    await until(lambda: replica.cursor == server.project.cursor)
    assert replica.objects == server.project.rows


# --- Keeping a replica ---


async def test_a_replica_is_loaded_and_then_kept_by_events(server, hub, replica):
    assert (replica.project, replica.cursor, replica.objects) == (server.project.id, "0.x", server.project.rows)
    assert (hub.user_id, hub.is_connected) == (USER, True)
    await server.emit("task.created", "t3", title="Three")
    await server.emit("task.updated", "t1", title="Uno")
    await server.emit("task.deleted", "t2")
    await level(server, replica)
    assert replica.seq == 3
    assert replica.objects["task"]["t1"] == {"id": "t1", "title": "Uno"}


async def test_events_are_held_back_and_pings_answered_while_loading(server, hub):
    server.loading.clear()
    events = []
    replica = hub.follow("DEMO", on_event=events.append)
    await until(lambda: server.project.lines)
    told = [await server.emit("task.deleted", "t1"), await server.emit("task.created", "t3")]
    await say(server, type="ping")
    await until(lambda: server.frames("pong"))
    assert (replica.cursor, replica.objects["task"], events) == (None, {}, [])
    server.loading.set()
    await replica.ready()
    await level(server, replica)
    assert events == told


async def test_deletions_take_along_what_hung_on_it(server, hub):
    rows = server.project.rows
    rows["comment"] = {key: {"id": key, "task": task} for key, task in (("c1", "t1"), ("c2", "t2"))}
    ends = (("t1", "t2"), ("t2", "t1"), ("t2", "t3"))
    rows["relation"] = {f"r{n}": {"id": f"r{n}", "source": s, "target": t} for n, (s, t) in enumerate(ends)}
    replica = hub.follow("DEMO")
    await replica.ready()
    await server.emit("task.deleted", "t1")
    await until(lambda: replica.seq == 1)
    assert [list(replica.objects[thing]) for thing in ("task", "comment", "relation")] == [["t2"], ["c2"], ["r2"]]
    await server.emit("project.deleted", server.project.id)
    await until(lambda: replica.seq == 2)
    assert not any(replica.objects.values())


async def test_only_the_wanted_things_are_loaded_and_kept(server, hub):
    replica = hub.follow("DEMO", things=("task",))
    await replica.ready()
    assert {request.url.path for request in server.requests} == {"/api/v1/tasks/"}
    await server.emit("comment.created", "c1", task="t1")
    await until(lambda: replica.seq == 1)
    assert replica.objects == {"task": TASKS}


async def test_the_application_may_load_in_its_own_way_and_is_asked_again_after_a_failure(server, hub, caplog):
    calls, shared = [], {"task": {"t9": {"id": "t9"}}, "comment": {}}

    async def load(*arguments):
        calls.append(arguments)
        assert len(calls) > 1, "the first time fails"
        return shared

    replica = hub.follow("DEMO", things=("task",), load=load)
    await replica.ready()
    assert calls == [(hub, server.project.id)] * 2
    await server.emit("task.created", "t3")
    await until(lambda: replica.seq == 1)
    assert (set(replica.objects["task"]), set(shared["task"])) == ({"t9", "t3"}, {"t9"})
    assert "the first time fails" in caplog.text


async def test_the_own_role_is_kept_and_follows_the_own_membership(server, replica):
    project = server.project.id
    await server.emit("project.updated", project, {"id": project, "name": "Renamed"})
    await server.emit("membership.updated", "m1", user={"id": USER}, role="admin")
    await server.emit("membership.updated", "m2", user={"id": "u2"}, role="viewer")
    await until(lambda: replica.seq == 3)
    assert replica.objects["project"] == {project: {"id": project, "name": "Renamed", "role": "admin"}}


async def test_the_own_role_follows_a_membership_that_is_not_kept(server, hub):
    project = server.project.id
    replica = hub.follow("DEMO", things=["project"])
    await replica.ready()
    await server.emit("membership.updated", "m1", user={"id": USER}, role="viewer")
    await until(lambda: replica.seq == 1)
    assert replica.objects["project"][project]["role"] == "viewer"
    assert list(replica.objects) == ["project"]


async def test_unknown_frames_and_fields_are_ignored(server, hub, replica):
    await say(server, type="weather", temperature=3)
    await say(server, type="error", code="strange", detail="No answer to anything.")
    await say(server, type="event", event="cat.adopted", project="id-of-nobody", seq=9, cursor="9.y", id="k", object={})
    server.project.rows["cat"] = {}
    await server.emit("cat.created", "k")
    del server.project.rows["cat"]
    await server.emit("task.created", "t3")
    await level(server, replica)
    assert (replica.seq, len(server.lines)) == (2, 1)


async def test_an_exception_of_the_application_is_logged_and_breaks_nothing(server, hub, caplog):
    def fail(event):
        raise RuntimeError("the application's own")

    replica = hub.follow("DEMO", on_event=fail)
    await replica.ready()
    await server.emit("task.created", "t3")
    await level(server, replica)
    assert "the application's own" in caplog.text
    assert len(server.lines) == 1


async def test_several_projects_share_one_line(server, hub, replica):
    other = hub.follow("OTHER")
    await other.ready()
    await server.emit("task.deleted", "t1", project=server.projects["OTHER"])
    await until(lambda: other.seq == 1)
    assert (len(server.lines), replica.seq, set(replica.objects["task"])) == (1, None, {"t1", "t2"})


# --- What the application is told ---


async def test_changes_tell_of_all_that_happens(server, hub):
    replica, told = hub.follow("DEMO"), []

    async def read():
        told.extend([change async for change in replica.changes()])

    reading = asyncio.create_task(read())
    await replica.ready()
    event = await server.emit("task.created", "t3")
    await level(server, replica)
    hub.cut()
    await until(lambda: replica.resumes)
    await replica.unfollow()
    await reading
    assert told == [Change("loaded"), Change("event", event), Change("resumed"), Change("ended", reason="requested")]
    assert [change async for change in replica.changes()] == told[-1:]


async def test_a_slow_reader_of_changes_gets_the_replica_in_place_of_a_backlog(server, hub, replica, monkeypatch):
    monkeypatch.setattr(tickethub_client, "BACKLOG", 3)
    changes = replica.changes()
    first = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    for number in range(6):
        await server.emit("task.created", f"n{number}")
    await level(server, replica)
    told = [await first]
    await replica.unfollow()
    told += [change async for change in changes]
    kinds = [(change.kind, change.reason) for change in told]
    assert ("loaded", "overflow") in kinds
    assert len(kinds) <= 5
    assert kinds[-1] == ("ended", "requested")


# --- Broken lines ---


async def test_after_a_cut_line_it_goes_on_at_the_cursor(server, hub, replica, waits):
    await server.emit("task.created", "t3")
    await level(server, replica)
    for key in ("t4", "t5"):
        hub.cut()
        await until(lambda: not server.project.lines)
        server.write("task.created", key)
        await until(lambda: server.project.lines)
        await level(server, replica)
    assert [frame.get("after") for _, frame in server.frames("subscribe")] == [None, "1.x", "2.x"]
    assert (replica.resumes, replica.gaps, replica.duplicates, replica.resyncs) == (2, 0, 0, 0)
    assert hub.closes == {1006: 2}
    assert waits == [0, 0], "each `subscribed` begins the count anew"


@pytest.mark.parametrize("code", [1000, 1011, 1012, 4408])
async def test_it_comes_back_after_the_server_closed(server, hub, replica, code):
    await server.lines[-1].close(code)
    await until(lambda: replica.resumes)
    await server.emit("task.created", "t3")
    await level(server, replica)
    assert hub.closes == {code: 1}


async def test_what_was_saved_can_be_gone_on_from(server, hub):
    server.write("task.deleted", "t1")
    replica = hub.follow("DEMO", cursor="0.x", objects={**server.project.rows, "task": TASKS})
    await replica.ready()
    await level(server, replica)
    assert (server.requests, replica.resumes, set(TASKS)) == ([], 1, {"t1", "t2"})


async def test_a_line_that_breaks_while_loading_does_not_begin_the_loading_anew(server, hub):
    server.loading.clear()
    replica = hub.follow("DEMO")
    await until(lambda: server.project.lines)
    await server.emit("task.created", "t3")
    await until(lambda: replica._held)
    hub.cut()
    await until(lambda: not server.project.lines)
    server.write("task.created", "t4")
    await until(lambda: server.project.lines)
    server.loading.set()
    await replica.ready()
    await level(server, replica)
    assert [frame.get("after") for _, frame in server.frames("subscribe")] == [None, "1.x"]
    assert sum(request.url.path == "/api/v1/tasks/" for request in server.requests) == 1


async def test_a_silent_line_is_dead(server, hub, replica, monkeypatch):
    monkeypatch.setattr(tickethub_client, "SILENCE", 0.2)
    hub.cut()
    await until(lambda: len(server.lines) == 4)
    assert hub.closes == {1006: 3}
    await server.emit("task.created", "t3")
    await level(server, replica)


async def test_a_line_that_is_spoken_to_is_not_silent(server, hub, replica, monkeypatch):
    monkeypatch.setattr(tickethub_client, "SILENCE", 0.3)
    hub.cut()
    await until(lambda: replica.resumes)
    for _ in range(8):
        await say(server, type="ping")
        await asyncio.sleep(0.1)
    assert len(server.lines) == 2


async def test_a_line_on_which_a_subscription_gets_no_answer_is_dead(server, hub, monkeypatch):
    monkeypatch.setattr(tickethub_client, "ANSWERING", 0.2)
    server.refusals.append({"type": "pondering"})
    replica = hub.follow("DEMO")
    await until(lambda: server.frames("subscribe"))
    for _ in range(4):
        assert len(server.lines) == 1
        await say(server, type="ping")
        await asyncio.sleep(0.04)
    await until(lambda: hub.closes == {1006: 1})
    await replica.ready()
    assert len(server.lines) == 2


async def test_a_line_on_which_each_subscription_was_answered_stays(server, hub, monkeypatch):
    monkeypatch.setattr(tickethub_client, "ANSWERING", 0.2)
    monkeypatch.setattr(tickethub_client, "backoff", lambda attempt: 0.01)
    server.refusals += [
        {"type": "error", "code": "internal", "detail": "Again."},
        {"type": "resync", "project": server.project.id},
    ]
    await hub.follow("DEMO").ready()
    await asyncio.sleep(0.3)
    assert len(server.lines) == 1


async def test_a_duplicate_is_counted_and_ignored(server, hub, replica):
    event = await server.emit("task.created", "t3", title="Three")
    await server.emit("task.updated", "t3", title="Drei")
    await server.tell(server.lines[-1], event)
    await server.emit("task.created", "t4")
    await level(server, replica)
    assert (replica.duplicates, replica.gaps, len(server.lines)) == (1, 0, 1)


async def test_a_gap_is_counted_and_healed_from_the_cursor(server, hub, replica):
    await server.emit("task.created", "t3")
    server.write("task.created", "t4")
    await server.emit("task.created", "t5")
    await server.emit("task.created", "t6")
    await until(lambda: replica.resumes)
    await level(server, replica)
    assert (replica.gaps, replica.duplicates, len(server.lines)) == (1, 0, 2)
    assert server.frames("subscribe")[-1][1]["after"] == "1.x"


async def test_a_frame_that_cannot_be_read_costs_the_line_and_nothing_else(server, hub, replica, caplog):
    await server.lines[-1].send("no JSON")
    await until(lambda: replica.resumes)
    await server.emit("task.created", "t3")
    await level(server, replica)
    assert "The line failed" in caplog.text


def test_the_wait_grows_by_chance_up_to_half_a_minute():
    with pytest.MonkeyPatch.context() as original:
        original.setattr(tickethub_client.random, "random", lambda: 1.0)
        assert [real_backoff(attempt) for attempt in (0, 1, 4, 9, 2000)] == [1, 1.5, 5.0625, 30, 30]


real_backoff = tickethub_client.backoff


# --- Resync ---


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_resync_loads_anew_and_swaps_when_ready(server, hub, replica, is_running):
    await server.emit("task.created", "t3")
    await level(server, replica)
    server.project.rows["task"] = {"t7": {"id": "t7"}}  # another history
    server.project.log.clear()
    server.write("task.created", "t8")
    server.loading.clear()
    resync = {"type": "resync", "project": server.project.id}
    if is_running:
        server.project.lines.clear()
        await say(server, **resync)
    else:
        server.refusals.append(resync)
        hub.cut()
    await until(lambda: len(server.requests) == 8)
    await server.emit("task.created", "t9")
    await until(lambda: replica._held)
    assert (replica.cursor, set(replica.objects["task"])) == ("1.x", {"t1", "t2", "t3"})
    server.loading.set()
    await level(server, replica)
    assert (replica.resyncs, replica.gaps, replica.duplicates, replica.seq) == (1, 0, 0, 2)
    assert "after" not in server.frames("subscribe")[-1][1]


async def test_a_cursor_that_never_was_one_is_forgotten(server, hub):
    server.refusals.append({"type": "error", "code": "invalid", "detail": "No cursor."})
    replica = hub.follow("DEMO", cursor="nonsense")
    await replica.ready()
    await level(server, replica)


# --- The end ---


@pytest.mark.parametrize("reason", ["access_revoked", "deleted"])
async def test_the_end_of_access_empties_the_replica_and_leaves_the_line(server, hub, replica, reason):
    other = hub.follow("OTHER")
    await other.ready()
    await say(server, type="unsubscribed", project=server.project.id, reason=reason)
    assert await replica.ended() == reason
    assert (replica.cursor, any(replica.objects.values())) == (None, False)
    await server.emit("task.deleted", "t1", project=server.projects["OTHER"])
    await until(lambda: other.seq == 1)
    assert len(server.lines) == 1


async def test_what_is_not_found_ends(server, hub):
    server.refusals.append({"type": "error", "code": "not_found", "detail": "There is no such project."})
    replica = hub.follow("DEMO")
    with pytest.raises(Ended) as end:
        await replica.ready()
    assert end.value.reason == await replica.ended() == "not_found"


async def test_an_end_while_loading_ends_the_loading(server, hub):
    server.loading.clear()
    replica = hub.follow("DEMO")
    await until(lambda: server.requests)
    await say(server, type="unsubscribed", project=server.project.id, reason="deleted")
    with pytest.raises(Ended):
        await replica.ready()
    await until(lambda: len(hub._tasks) == 1)


async def test_unfollowing_ends_the_subscription_and_keeps_the_objects(server, hub, replica):
    await replica.unfollow()
    assert await replica.ended() == "requested"
    await until(lambda: not server.project.lines)
    assert replica.objects == server.project.rows
    again = hub.follow("DEMO")
    await again.ready()
    await server.emit("task.created", "t3")
    await level(server, again)
    assert replica.seq is None


async def test_unfollowing_before_the_answer_unsubscribes(server, hub, replica):
    other = hub.follow("OTHER")
    await asyncio.sleep(0)
    await other.unfollow()
    await until(lambda: server.frames("unsubscribe") or len(server.frames("subscribe")) == 1)
    await asyncio.sleep(0.05)
    assert not server.projects["OTHER"].lines


async def test_a_project_is_followed_once(server, hub, replica):
    for name in ("DEMO", server.project.id):
        with pytest.raises(ValueError, match="already"):
            hub.follow(name)


async def test_a_second_name_of_a_project_that_is_followed_ends_as_a_duplicate(server, hub):
    first, second = hub.follow("DEMO"), hub.follow(server.project.id)
    assert await second.ended() == "duplicate"
    await first.ready()
    await server.emit("task.created", "t3")
    await level(server, first)


async def test_nothing_is_left_running(server):
    before = asyncio.all_tasks()
    async with hub_of(server) as hub:
        server.loading.clear()
        replica = hub.follow("DEMO")
        await until(lambda: server.requests)
    assert await replica.ended() == "requested"
    await until(lambda: server.lines[0].close_code)
    assert server.lines[0].close_code == 1000
    await until(lambda: asyncio.all_tasks() <= before)


async def test_leaving_does_not_wait_for_a_server_that_is_away(server):
    hub = TicketHub("http://127.0.0.1:9", access="a0")
    async with hub:
        replica = hub.follow("DEMO")
        await asyncio.sleep(0.05)
        assert not hub.is_connected
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert replica.reason == "requested"


# --- Tokens on the line ---


async def test_the_token_is_renewed_on_the_line_at_four_fifths_of_its_life(server, hub):
    server.lifetime = timedelta(seconds=0.5)
    began = time.monotonic()
    replica = hub.follow("DEMO")
    await until(lambda: len(server.frames("authenticate")) == 2)
    assert 0.38 < time.monotonic() - began < 0.8
    await until(lambda: len(server.frames("authenticate")) == 3)
    assert [frame["token"] for _, frame in server.frames("authenticate")] == ["a0", "a1", "a2"]
    assert (len(server.lines), len(server.frames("subscribe")), replica.resumes) == (1, 1, 0)


async def test_a_token_that_is_not_renewed_for_now_is_tried_again(server, hub):
    server.lifetime = timedelta(seconds=0.3)
    replica = hub.follow("DEMO")
    await replica.ready()
    server.answers += [tickethub_client.httpx.ReadError] * 2
    await until(lambda: len(server.frames("authenticate")) == 2)
    assert (len(server.lines), server.answers) == (1, [])


async def test_a_refused_token_is_refreshed_and_the_line_comes_back(server, hub, replica):
    server.valid.clear()
    await server.lines[-1].close(4401)
    await until(lambda: replica.resumes)
    assert [frame["token"] for _, frame in server.frames("authenticate")] == ["a0", "a1"]
    assert (hub.closes, server.issued) == ({4401: 1}, {"auth/token/refresh/": 1})


async def test_a_refused_refresh_token_is_followed_by_a_login(server):
    async with hub_of(server, access="old", refresh="old", email="ada@example.org", password="secret") as hub:
        replica = hub.follow("DEMO")
        await replica.ready()
    assert server.issued == {"auth/token/refresh/": 1, "auth/token/": 1}


async def test_the_first_token_comes_by_logging_in(server):
    tokens = []
    options = {"email": "ada@example.org", "password": "secret", "on_tokens": lambda *pair: tokens.append(pair)}
    async with TicketHub(server.url, http=server.client, **options) as hub:
        await hub.follow("DEMO").ready()
    assert tokens == [("a1", "r1")]
    assert server.issued == {"auth/token/": 1}


@pytest.mark.parametrize("credentials", [{}, {"email": "ada@example.org", "password": "wrong"}])
async def test_without_a_way_to_a_token_it_ends_signed_out(server, hub, replica, credentials):
    server.valid.clear()
    server.refreshes.clear()
    hub.credentials = credentials
    await server.lines[-1].close(4401)
    assert await replica.ended() == "signed_out"
    assert replica.objects == server.project.rows
    await asyncio.sleep(0.05)
    assert len(server.lines) == 1


async def test_a_renewal_that_is_refused_ends_signed_out_at_once(server, hub):
    server.lifetime = timedelta(seconds=0.2)
    replica = hub.follow("DEMO")
    await replica.ready()
    server.refreshes.clear()
    assert await replica.ended() == "signed_out"
    await until(lambda: server.lines[-1].close_code == 1000)
    assert len(server.lines) == 1


async def test_a_token_that_nothing_can_renew_is_used_to_its_end(server):
    server.lifetime = timedelta(seconds=0.1)
    async with hub_of(server, refresh=None) as hub:
        replica = hub.follow("DEMO")
        await replica.ready()
        await asyncio.sleep(0.2)
        assert replica.reason is None
        server.valid.clear()
        await server.lines[-1].close(4401)
        assert await replica.ended() == "signed_out"


async def test_a_server_that_refuses_every_token_is_not_asked_in_a_tight_loop(server, hub, waits):
    server.on_authenticate = lambda line, frame: line.close(4401)
    hub.follow("DEMO")
    await until(lambda: len(waits) >= 5)
    assert waits[:5] == [0, 1, 2, 3, 4]
    assert server.issued.total() <= len(waits)


async def test_after_too_many_messages_it_stays_away(server, hub, replica, monkeypatch, waits):
    monkeypatch.setattr(tickethub_client, "LIMITED_WAIT", 0.3)
    began = time.monotonic()
    await server.lines[-1].close(4429)
    await until(lambda: replica.resumes)
    assert time.monotonic() - began >= 0.3
    assert (hub.closes, waits) == ({4429: 1}, [])


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_handshake_is_tried_again_when_the_server_says(server, hub, status, waits):
    server.handshakes = [(status, {"Retry-After": "0.2"})] * 2
    began = time.monotonic()
    replica = hub.follow("DEMO")
    await replica.ready()
    assert time.monotonic() - began >= 0.4
    assert waits == [0, 1]
    await level(server, replica)


# --- Errors in answer to a subscription ---


async def test_an_internal_error_is_tried_again_without_disturbing_others(server, hub, replica, waits):
    server.refusals += [{"type": "error", "code": "internal", "detail": "The database is away."}] * 2
    other = hub.follow("OTHER")
    await other.ready()
    await server.emit("task.created", "t3")
    await level(server, replica)
    assert (len(server.lines), replica.resumes, waits) == (1, 0, [1, 2])


async def test_an_expired_token_is_renewed_before_subscribing_again(server, hub):
    server.refusals.append({"type": "error", "code": "token_expired", "detail": "Authenticate first."})
    await hub.follow("DEMO").ready()
    assert len(server.lines) == 1
    await until(lambda: [frame["token"] for _, frame in server.frames("authenticate")] == ["a0", "a1"])


# --- Several servers ---


async def test_a_server_that_is_away_is_left_for_another(server):
    async with hub_of(server) as hub:
        hub.urls = ["http://127.0.0.1:9", server.url]
        replica = hub.follow("DEMO")
        await replica.ready()
        for resumes in (1, 2, 3):
            hub.cut()
            await until(lambda resumes=resumes: replica.resumes == resumes)
        await level(server, replica)


async def test_the_log_of_the_client_says_no_token(server, hub, replica, caplog):
    caplog.set_level(logging.DEBUG, logger="tickethub")
    server.valid.clear()
    await server.lines[-1].close(4401)
    await until(lambda: replica.resumes)
    assert "4401" in caplog.text
    assert not any(token in caplog.text for token in ("a0", "a1", "r0", "r1"))


async def disturb(chance, server, hubs, replicas):
    """Do something bad, or nothing."""
    act, lines = chance.randrange(10), list(server.project.lines)
    if act == 0:
        chance.choice(hubs).cut()
    elif act == 1 and lines:
        await chance.choice(lines).close(chance.choice([1011, 1012, 4408]))
    elif act == 2:
        server.refusals.append({"type": "resync", "project": server.project.id})
    elif act == 3 and all(replica._last for replica in replicas):  # else nobody could see that it is missing
        server.write("task.updated", "t0", version=-1)
    elif act == 4 and lines and server.project.log:
        await server.tell(chance.choice(lines), chance.choice(server.project.log))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_line_does_the_replicas_are_right_in_the_end(server, seed):
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        hubs = [await stack.enter_async_context(hub_of(server)) for _ in range(10)]
        replicas = [hub.follow("DEMO") for hub in hubs]
        for number in range(300):
            await disturb(chance, server, hubs, replicas)
            key = f"t{chance.randrange(30)}"
            await server.emit(chance.choice(["task.updated", "task.deleted"]), key, version=number)
            await asyncio.sleep(0.005)
        server.refusals.clear()
        await server.emit("task.created", "last")
        await until(lambda: all(replica.cursor == server.project.cursor for replica in replicas))
        assert all(replica.objects == server.project.rows for replica in replicas)
        for name in ("gaps", "duplicates", "resyncs", "resumes"):
            assert sum(getattr(replica, name) for replica in replicas), name
