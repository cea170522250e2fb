"""The hub: what reaches whom, also when the bell does not ring."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Session
from projects.models import Membership, Role
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import bell, reader
from realtime.frames import Place
from realtime.models import Event, Stream
from realtime.tests.conftest import newest, open_line, token_of
from realtime.tests.described import check_told
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


async def test_everybody_who_follows_hears_each_event_once(hub, project, ada, bob):
    async with open_line(ada, project="AB") as first, open_line(bob, project="AB") as second:
        await in_db(LabelFactory)(project=project)
        heard = [await line.hear() for line in (first, second)]
        assert heard[0] == heard[1]
        assert heard[0]["event"] == "label.created"
        assert await first.hears_nothing()


async def test_another_projects_events_stay_there(hub, project, ada):
    other = await in_db(ProjectFactory)(key="ZZ")
    async with open_line(ada, project="AB") as line:
        await in_db(TaskFactory)(project=other, title="secret")
        assert await line.hears_nothing()


async def test_what_is_rolled_back_is_never_heard(hub, project, ada):
    def fail():
        with transaction.atomic():
            LabelFactory(project=project, name="never")
            raise ValueError("after all not")

    async with open_line(ada, project="AB") as line:
        with pytest.raises(ValueError, match="after all not"):
            await in_db(fail)()
        await in_db(LabelFactory)(project=project, name="after")
        assert (await line.hear())["object"]["name"] == "after"


async def test_a_database_that_is_away_for_a_moment_loses_nothing(hub, project, ada, monkeypatch):
    async def away(*args):
        raise OperationalError("away")

    async with open_line(ada, project="AB") as line:
        with monkeypatch.context() as patch:
            for name in ("events_after", "heads", "valid"):
                patch.setattr(reader, name, away)
            await in_db(LabelFactory)(project=project)
            assert await line.hears_nothing(1.2)
        assert (await line.hear(timeout=2.5))["event"] == "label.created"


async def test_the_removed_members_last_event_is_their_removal(hub, project, ada, bob):
    async with open_line(bob, project="AB") as line, open_line(ada, project="AB") as witness:
        membership = await in_db(Membership.objects.get)(user=bob)
        pk = str(membership.pk)
        await in_db(membership.delete)()
        await in_db(LabelFactory)(project=project)
        last, end = await line.hear_all(2)
        assert (last["event"], last["id"], last["object"]) == ("membership.deleted", pk, None)
        assert end == {"type": "unsubscribed", "project": str(project.pk), "reason": "access_revoked"}
        assert await line.hears_nothing()
        assert [frame["event"] for frame in await witness.hear_all(2)] == ["membership.deleted", "label.created"]


async def test_a_member_removed_while_catching_up_gets_nothing_after_it(hub, project, bob, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 3)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 4_000}
    cursor = (await in_db(newest)(project)).cursor
    for _ in range(10):
        await in_db(TaskFactory)(project=project, description="x" * 500)
    async with open_line(bob, project="AB", after=cursor) as line:
        first = await line.hear()  # the window is small: the catching up waits for pongs
        await in_db(Membership.objects.filter(user=bob).delete)()
        await in_db(LabelFactory)(project=project)
        frames = [first, *await line.hear_all(11)]
        assert [frame.get("event") for frame in frames] == ["task.created"] * 10 + ["membership.deleted", None]
        assert frames[-1]["reason"] == "access_revoked"
        assert await line.hears_nothing()


async def test_a_deleted_project_ends_the_subscription(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        pk = str(project.pk)
        await in_db(project.delete)()
        last, end = await line.hear_all(2)
    assert (last["event"], last["id"]) == ("project.deleted", pk)
    assert end == {"type": "unsubscribed", "project": pk, "reason": "deleted"}
    assert not hub.feeds


def log_out(user):
    for session in user.sessions.all():
        session.end()


def use_a_spent_token(user):
    spent = user.sessions.get().refresh_token()
    answers = [APIClient().post("/api/v1/auth/token/refresh/", {"refresh": str(spent)}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 401]


CREDENTIALS_END = {
    "logging out": log_out,
    "a refresh token used twice": use_a_spent_token,
    "an expired session": lambda user: user.sessions.update(expires_at=timezone.now()),
    "deactivation": lambda user: user.deactivate(),
    "a new password": lambda user: [user.set_password("another long word"), user.save(update_fields=["password"])],
}


@pytest.mark.parametrize("how", CREDENTIALS_END)
@pytest.mark.parametrize("rings", [True, False])
async def test_ended_credentials_close_the_line(how, rings, hub, project, ada, bob, monkeypatch):
    if not rings:
        monkeypatch.setattr(bell, "ring", lambda **news: None)
    async with open_line(ada, project="AB") as line, open_line(bob, project="AB") as other:
        await in_db(CREDENTIALS_END[how])(ada)
        assert (await line.hear(timeout=2.5))["code"] == "token_revoked"
        assert await line.closed_with() == 4401
        assert await other.hears_nothing()


async def test_logging_out_leaves_the_lines_of_other_logins(hub, project, ada):
    async with open_line(ada, project="AB"):
        [stays] = hub.lines
        async with open_line(ada, project="AB") as goes:
            [session] = [line.person.session for line in hub.lines if line is not stays]
            await in_db(lambda: Session.objects.get(pk=session).end())()
            assert (await goes.hear())["code"] == "token_revoked"
            await hub.check_people({str(ada.pk)})
            assert not stays.is_closing


async def test_a_token_of_an_ended_session_opens_no_line(hub, ada):
    token = await in_db(token_of)(ada)
    await in_db(log_out)(ada)
    async with open_line() as line:
        assert (await line.ask(type="authenticate", token=token))["code"] == "token_not_valid"
        assert await line.closed_with() == 4401


async def test_ended_credentials_close_a_line_that_is_catching_up(hub, project, ada, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 3)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 4_000}
    cursor = (await in_db(newest)(project)).cursor
    for _ in range(10):
        await in_db(TaskFactory)(project=project, description="x" * 500)
    async with open_line(ada, project="AB", after=cursor) as line:
        await line.hear()
        [consumer] = hub.lines
        await in_db(log_out)(ada)
        async with asyncio.timeout(3):
            while not consumer.is_closing:  # nobody answers a ping meanwhile
                await asyncio.sleep(0.01)
        heard = [await line.hear()]
        while heard[-1]["type"] == "event":
            heard.append(await line.hear())
        assert heard[-1]["code"] == "token_revoked"
        assert len(heard) < 10
        assert await line.closed_with() == 4401


async def test_an_archived_project_is_followed_on(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        for moment in (timezone.now(), None):
            project.archived_at = moment
            await in_db(project.save)()
            heard = await line.hear()
            assert (heard["event"], bool(heard["object"]["archived_at"])) == ("project.updated", bool(moment))


async def test_a_burst_of_returning_clients_shares_the_reads_of_the_log(hub, project, ada, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 8)
    cursors = []
    for _ in range(30):
        await in_db(LabelFactory)(project=project)
        cursors.append((await in_db(newest)(project)).cursor)
    reads, read = [], reader.events_after

    async def counted(project_id, seq):
        reads.append(seq)
        return await read(project_id, seq)

    monkeypatch.setattr(reader, "events_after", counted)
    async with AsyncExitStack() as stack:
        places = [n % 3 for n in range(15)]
        lines = [
            await stack.enter_async_context(open_line(ada, project="AB", after=cursors[place])) for place in places
        ]
        for line, place in zip(lines, places, strict=True):
            assert [frame["seq"] for frame in await line.hear_all(29 - place)] == list(range(11 + place, 40))
    assert len(reads) < 20


async def test_a_slow_client_who_catches_up_does_not_delay_the_others(hub, project, ada, bob, settings, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 2)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 4_000}
    cursor = (await in_db(newest)(project)).cursor
    for _ in range(10):
        await in_db(TaskFactory)(project=project, description="x" * 500)
    async with open_line(ada, project="AB", after=cursor), open_line(bob, project="AB", after=cursor) as quick:
        assert [frame["seq"] for frame in await quick.hear_all(10)] == list(range(10, 20))  # the other answers no ping
        await in_db(LabelFactory)(project=project)
        assert (await quick.hear())["event"] == "label.created"


async def test_a_person_may_have_only_so_many_lines(hub, ada, bob, settings):
    settings.WEBSOCKET = settings.WEBSOCKET | {"MAX_LINES": 2}
    async with open_line(ada) as first, open_line(ada), open_line(bob), open_line() as third:
        token = await in_db(token_of)(ada)
        assert (await third.ask(type="authenticate", token=token))["code"] == "too_many_lines"
        assert await third.closed_with() == 4429
        assert (await first.ask(type="authenticate", token=token))["type"] == "authenticated"
    async with open_line(ada):
        assert len(hub.people) == 1


async def test_a_server_that_drains_sends_its_lines_away(hub, project, ada):
    async with open_line(ada, project="AB") as line:
        for _ in range(2):
            await hub.send_away()
        assert await line.closed_with() == 1012
        await in_db(LabelFactory)(project=project)
        assert await line.hears_nothing()
        assert not hub.feeds


async def test_a_change_of_name_closes_no_line(hub, project, ada):
    def rename():
        ada.first_name = "Augusta"
        ada.save()

    async with open_line(ada, project="AB") as line:
        await in_db(rename)()
        assert (await line.hear())["event"] == "membership.updated"
        assert await line.hears_nothing(1.2)


async def test_a_demoted_member_goes_on_reading(hub, project, bob):
    def demote():
        Membership.objects.filter(user=bob).update(role=Role.VIEWER)
        LabelFactory(project=project)

    async with open_line(bob, project="AB") as line:
        await in_db(demote)()
        assert [frame["event"] for frame in await line.hear_all(2)] == ["membership.updated", "label.created"]


async def test_feeds_live_as_long_as_somebody_follows(hub, project, ada, bob):
    async with open_line(ada, project="AB"):
        async with open_line(bob, project="AB"):
            assert len(hub.lines) == 2
            [feed] = hub.feeds.values()
        assert list(hub.feeds.values()) == [feed]
    assert not hub.feeds
    assert not hub.lines


async def test_a_restored_backup_sends_everybody_to_load_anew(hub, project, ada):
    def restore():
        Event.objects.filter(project_id=project.pk, seq__gt=5).delete()
        Stream.objects.filter(pk=project.pk).update(head=5)

    async with open_line(ada, project="AB") as line:
        await in_db(restore)()
        told = await line.hear(timeout=2.5)
    assert told == {"type": "resync", "project": str(project.pk)}
    check_told(told)


async def test_events_pruned_before_they_were_read_mean_loading_anew(hub, project, ada, monkeypatch):
    @transaction.atomic
    def write_and_prune():
        LabelFactory(project=project)
        LabelFactory(project=project)
        Event.objects.filter(project_id=project.pk, seq=10).delete()

    monkeypatch.setattr(bell, "ring", lambda **news: None)
    async with open_line(ada, project="AB") as line:
        await in_db(write_and_prune)()
        assert (await line.hear(timeout=2.5))["type"] == "resync"


async def test_a_database_that_is_away_while_catching_up_is_waited_for(hub, project, ada, monkeypatch):
    async def away(*args):
        raise OperationalError("away")

    cursor = (await in_db(newest)(project)).cursor
    await in_db(LabelFactory)(project=project)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "events_after", away)
        patch.setattr(reader, "heads", away)
        async with open_line(ada, project="AB", after=cursor) as line:
            assert await line.hears_nothing(1.2)
            patch.undo()
            assert (await line.hear(timeout=2.5))["event"] == "label.created"


async def test_a_line_that_cannot_take_an_event_takes_none_from_the_others(hub, project, ada, bob, monkeypatch):
    async with open_line(ada, project="AB") as first, open_line(bob, project="AB") as second:
        [broken] = [line for line in hub.lines if line.person.id == str(ada.pk)]

        async def fails(batch):
            raise ValueError("too large for the line")

        monkeypatch.setattr(broken, "send_batch", fails)
        await in_db(LabelFactory)(project=project)
        await in_db(LabelFactory)(project=project)
        assert [frame["seq"] for frame in await second.hear_all(2)] == [10, 11]
        assert (await first.hear())["code"] == "internal"
        assert await first.closed_with() == 1011


async def test_the_longest_text_fits_into_a_frame(hub, project, ada, as_user):
    worst = "\x01" * 50_000
    client = await in_db(as_user)(ada)
    task = (await in_db(client.post)("/api/v1/tasks/", {"project": str(project.pk), "title": "Long"})).json()
    last = await in_db(newest)(project)
    for text in (worst, worst[:-1] + "\x02"):
        answer = await in_db(client.patch)(f"/api/v1/tasks/{task['id']}/", {"description": text})
        assert answer.status_code == 200
    first = await reader.events_after(project.pk, Place(last.seq, last.nonce))
    batch = await reader.events_after(project.pk, first.last)
    assert 800_000 < len(batch.texts[-1].encode()) < 1024 * 1024
