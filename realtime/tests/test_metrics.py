"""What Prometheus is told of live updates."""

import asyncio

import pytest
from channels.db import database_sync_to_async as in_db
from prometheus_client import REGISTRY

from projects.tests.factories import LabelFactory
from realtime import bell, reader
from realtime.frames import Place
from realtime.tests.conftest import newest, open_line

pytestmark = pytest.mark.django_db(transaction=True)


class Numbers:
    """How much each number has grown since this was made."""

    def __init__(self):
        self.before = self.now()

    @staticmethod
    def now():
        samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}

    def grown(self, name, *labels):
        key = (f"tickethub_{name}", *labels)
        return self.now().get(key, 0) - self.before.get(key, 0)


async def test_sockets_and_what_they_follow_are_counted_while_they_are_there(hub, project, ada, bob):
    numbers = Numbers()
    async with open_line(ada, project="AB"), open_line(bob, project="AB"), open_line():
        names = ("sockets", "sockets_authenticated", "subscriptions", "feeds")
        assert [numbers.grown(name) for name in names] == [3, 2, 2, 1]
    assert [numbers.grown(name) for name in names] == [0, 0, 0, 0]


async def test_deliveries_are_counted_and_their_lag(hub, project, ada, bob):
    async with open_line(ada, project="AB") as first, open_line(bob, project="AB") as second:
        numbers = Numbers()
        await in_db(LabelFactory)(project=project)
        for line in (first, second):
            assert (await line.hear())["event"] == "label.created"
        await in_db(LabelFactory)(project=project)  # by its arrival the first is done with
        await first.hear()

        assert numbers.grown("events_delivered_total") >= 3
        assert numbers.grown("log_batches_total") >= 1
        assert numbers.grown("socket_sent_bytes_total") > 500
        assert numbers.grown("delivery_lag_seconds_count") >= 1
        assert numbers.grown("bells_heard_total") >= 1


class Unread:
    """A feed in which nobody reads on."""

    def __init__(self, project_id):
        self.project_id, self.place, self.news, self.recent = project_id, Place(3, "a"), asyncio.Event(), []


async def test_events_that_no_bell_told_of_are_counted_once_by_the_look_at_the_heads(hub, monkeypatch):
    async def heads(project_ids):
        return {"one": Place(5, "b"), "two": Place(3, "a")}

    monkeypatch.setattr(reader, "heads", heads)
    numbers = Numbers()
    hub.feeds |= {name: Unread(name) for name in ("one", "two")}
    for _ in range(2):
        await hub.check_heads()

    assert numbers.grown("bells_missed_total") == 2
    assert hub.feeds["one"].news.is_set()


def test_a_bell_that_cannot_be_rung_is_counted(project, monkeypatch):
    async def fail(message):
        raise ConnectionError

    monkeypatch.setattr(bell, "send", fail)
    numbers = Numbers()
    LabelFactory(project=project)

    assert numbers.grown("bells_failed_total") == 1


async def test_closes_are_counted_by_codes_that_are_known(hub):
    numbers = Numbers()
    async with open_line() as line:
        await line.say(type="authenticate", token="nonsense")
        assert await line.closed_with() == 4401
    async with open_line() as line:
        await line.communicator.disconnect(code=3999)

    assert numbers.grown("sockets_closed_total", "4401") == 1
    assert numbers.grown("sockets_closed_total", "other") == 1


async def test_who_is_sent_back_to_load_anew_is_counted(hub, project, ada):
    last = await in_db(newest)(project)
    async with open_line(ada) as line:
        numbers = Numbers()
        heard = await line.ask(type="subscribe", project="AB", after=f"{last.seq}.00000000")

        assert heard["type"] == "resync"
        assert numbers.grown("resyncs_total") == 1
