"""The hub: what reaches whom, also when the bell does not ring."""

import asyncio

import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError, transaction

from accounts.tests.factories import UserFactory
from projects.models import Membership, Role
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import bell, reader
from realtime.models import Event, Stream
from realtime.tests.conftest import open_line
from tasks.tests.factories import TaskFactory

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def bob():
    return UserFactory(username="bob")


@pytest.fixture
def project(ada, bob):
    return ProjectFactory(key="AB", owner=ada, member=bob)


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


async def test_a_lost_bell_costs_a_second_and_no_event(hub, project, ada, monkeypatch):
    monkeypatch.setattr(bell, "ring", lambda **news: None)
    async with open_line(ada, project="AB") as line:
        await in_db(LabelFactory)(project=project)
        assert (await line.hear(timeout=2.5))["event"] == "label.created"


async def test_a_channel_layer_that_fails_costs_no_write(hub, project, ada, monkeypatch, caplog):
    async def broken(message):
        raise ConnectionError("no Redis")

    monkeypatch.setattr(bell, "send", broken)
    async with open_line(ada, project="AB") as line:
        caplog.set_level("WARNING")
        await in_db(LabelFactory)(project=project)
        assert (await line.hear(timeout=2.5))["event"] == "label.created"
    assert "The bell did not ring" in caplog.text


async def test_a_channel_layer_that_hangs_costs_a_write_at_most_a_moment(hub, project, monkeypatch):
    class Hanging:
        async def group_send(self, group, message):
            await asyncio.sleep(60)

    monkeypatch.setattr(bell, "get_channel_layer", Hanging)
    monkeypatch.setattr(bell, "PATIENCE", 0.05)
    async with asyncio.timeout(5):
        await in_db(LabelFactory)(project=project)


async def test_the_doorbell_is_repaired(hub, project, ada, monkeypatch):
    """A message that the hub cannot read ends its listening; it listens again a second later."""
    async with open_line(ada, project="AB") as line:
        await asyncio.sleep(0.1)
        await bell.send({"type": "news"})
        await asyncio.sleep(1.5)
        monkeypatch.setattr(hub, "check_heads", lambda: asyncio.sleep(0))  # so that only the bell can tell
        await in_db(LabelFactory)(project=project)
        assert (await line.hear())["event"] == "label.created"


async def test_a_database_that_is_away_for_a_moment_loses_nothing(hub, project, ada, monkeypatch):
    async def away(*args):
        raise OperationalError("away")

    async with open_line(ada, project="AB") as line:
        with monkeypatch.context() as patch:
            for name in ("events_after", "heads", "fingerprints"):
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
    cursor = (await in_db(Event.objects.newest)(project.pk)).cursor
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


CREDENTIALS_END = {
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
        assert await line.hear(timeout=2.5) == {"type": "resync", "project": str(project.pk)}


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


async def test_a_log_that_cannot_be_read_while_catching_up_closes_the_line(hub, project, ada, monkeypatch):
    async def away(*args):
        raise OperationalError("away")

    cursor = (await in_db(Event.objects.newest)(project.pk)).cursor
    await in_db(LabelFactory)(project=project)
    monkeypatch.setattr(reader, "events_after", away)
    async with open_line(ada, project="AB", after=cursor) as line:
        assert (await line.hear())["code"] == "internal"
        assert await line.closed_with() == 1011


async def test_a_line_that_cannot_take_an_event_takes_none_from_the_others(hub, project, ada, bob, monkeypatch):
    async with open_line(ada, project="AB") as first, open_line(bob, project="AB") as second:
        [broken] = [line for line in hub.lines if line.person.id == str(ada.pk)]
        whole = broken.send_text

        async def fails_on_events(text):
            if '"event"' in text:
                raise ValueError("too large for the line")
            await whole(text)

        monkeypatch.setattr(broken, "send_text", fails_on_events)
        await in_db(LabelFactory)(project=project)
        await in_db(LabelFactory)(project=project)
        assert [frame["seq"] for frame in await second.hear_all(2)] == [10, 11]
        assert (await first.hear())["code"] == "internal"
        assert await first.closed_with() == 1011


async def test_the_longest_text_fits_into_a_frame(hub, project, ada, as_user):
    worst = "\x01" * 50_000
    client = await in_db(as_user)(ada)
    task = (await in_db(client.post)("/api/v1/tasks/", {"project": str(project.pk), "title": "Long"})).json()
    cursor = (await in_db(Event.objects.newest)(project.pk)).cursor
    for text in (worst, worst[:-1] + "\x02"):
        answer = await in_db(client.patch)(f"/api/v1/tasks/{task['id']}/", {"description": text})
        assert answer.status_code == 200
    frames = await reader.events_after(project.pk, int(cursor.split(".")[0]))
    assert 800_000 < len(frames[-1].text.encode()) < 1024 * 1024
