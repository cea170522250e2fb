"""manage.py prune_events: what goes, what stays, and that nobody who follows takes a gap for the whole log."""

import asyncio
from datetime import timedelta
from io import StringIO

import pytest
from channels.db import database_sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tests.factories import UserFactory
from projects.models import Label
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime import reader
from realtime.models import Event, Stream
from realtime.tests.conftest import open_line

pytestmark = pytest.mark.django_db(transaction=True)

in_db = database_sync_to_async
MADE_WITH_PROJECT = 8  # events: the project, its statuses, its owner


@pytest.fixture
def ada():
    return UserFactory(username="ada")


@pytest.fixture
def project(ada):
    return ProjectFactory(key="AB", owner=ada)


def prune(*arguments):
    out = StringIO()
    call_command("prune_events", *arguments, stdout=out)
    return out.getvalue()


def grow_older(project, days=31, *, up_to=10**6):
    """Let events of a project have happened so many days before they did."""
    Event.objects.of(project.pk).filter(seq__lte=up_to).update(at=F("at") - timedelta(days=days))


def numbers(project):
    return list(Event.objects.of(project.pk).values_list("seq", flat=True))


def labels(project, count):
    return [LabelFactory(project=project) for _ in range(count)]


def test_what_is_older_goes_and_what_is_younger_stays(project):
    labels(project, 4)
    grow_older(project, up_to=10)
    assert prune() == f"{project.pk}: 10\nDeleted 10 events older than 30 days.\n"
    assert numbers(project) == [11, 12]
    assert prune() == "Deleted 0 events older than 30 days.\n"
    LabelFactory(project=project)
    assert numbers(project) == [11, 12, 13]


@pytest.mark.parametrize(("days", "left"), [(5, 1), (6, 8), (7, 8)])
def test_the_age_may_be_named(project, days, left):
    grow_older(project, days=5.5)
    prune("--days", str(days))
    assert len(numbers(project)) == left


def test_the_age_is_a_setting(project, settings):
    settings.EVENT_RETENTION_DAYS = 5
    grow_older(project, days=6)
    assert "older than 5 days" in prune()
    assert numbers(project) == [MADE_WITH_PROJECT]


def test_the_newest_stays_however_old_it_is(project):
    grow_older(project, days=400)
    prune()
    assert numbers(project) == [MADE_WITH_PROJECT]
    assert Stream.objects.get(pk=project.pk).head == MADE_WITH_PROJECT
    prune()
    assert numbers(project) == [MADE_WITH_PROJECT]


def test_it_cuts_at_the_first_that_is_younger_even_if_older_ones_follow(project):
    grow_older(project)
    Event.objects.of(project.pk).filter(seq=4).update(at=timezone.now())
    prune("--batch", "2")
    assert numbers(project) == [4, 5, 6, 7, 8]


def test_a_batch_is_a_transaction_of_its_own(project):
    labels(project, 3)
    grow_older(project)
    with CaptureQueriesContext(connection) as queries:
        prune("--batch", "4")
    said = [query["sql"].split()[0] for query in queries if query["sql"].split()[0] in {"BEGIN", "DELETE", "COMMIT"}]
    assert said == ["BEGIN", "DELETE", "COMMIT"] * 3  # 4, 4 and 2 of the 10 that go
    assert numbers(project) == [11]


def test_a_batch_that_was_done_stays_done_when_the_next_one_fails(project):
    deletions = []

    def fail_the_second_time(execute, sql, *args):
        deletions.extend(["one"] * sql.startswith("DELETE"))
        if len(deletions) == 2:
            raise OperationalError("the database was switched off")
        return execute(sql, *args)

    grow_older(project)
    with pytest.raises(OperationalError), connection.execute_wrapper(fail_the_second_time):
        prune("--batch", "3")
    assert numbers(project) == [4, 5, 6, 7, 8]


def test_each_project_is_looked_at_alone(project):
    other = ProjectFactory()
    grow_older(project)
    young = numbers(other)
    prune()
    assert (numbers(project), numbers(other)) == ([MADE_WITH_PROJECT], young)


def test_the_log_of_a_deleted_project_is_pruned_down_to_its_end(project):
    pk = project.pk
    project.delete()
    project.pk = pk
    grow_older(project)
    prune()
    assert [event.type for event in Event.objects.of(pk)] == ["project.deleted"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--days", "0"],
        ["--days", "-1"],
        ["--days", "1.5"],
        ["--days", "many"],
        ["--days", "100001"],
        ["--days", str(10**30)],
        ["--batch", "0"],
        ["--batch", "-5"],
        ["--batch", "100001"],
        ["--batch", "x"],
        ["--projects", "AB"],
        ["AB"],
    ],
    ids=" ".join,
)
def test_bad_arguments_are_refused_and_nothing_goes(project, arguments):
    grow_older(project, days=400)
    with pytest.raises(CommandError):
        prune(*arguments)
    assert len(numbers(project)) == MADE_WITH_PROJECT


def test_the_longest_age_is_one(project):
    assert prune("--days", "100000") == "Deleted 0 events older than 100000 days.\n"


# --- Who comes back, and who is there all the while ---


def cursors(project):
    return {event.seq: event.cursor for event in Event.objects.of(project.pk)}


def another_history(project):
    """The log as it may have gone on from a backup: the same numbers, other nonces."""
    Event.objects.of(project.pk).update(nonce="00000000")


@pytest.mark.parametrize("seq", [1, 5, MADE_WITH_PROJECT - 1])
@pytest.mark.parametrize("change", ["pruned", "another history"])
def test_a_cursor_that_is_no_more_gets_410(as_user, ada, project, change, seq):
    cursor = cursors(project)[seq]
    if change == "pruned":
        grow_older(project)
        prune()
    else:
        another_history(project)
    answer = as_user(ada).get("/api/v1/events/", {"project": "AB", "after": cursor})
    assert (answer.status_code, answer.json()["code"]) == (410, "resync")


def test_the_cursor_of_what_stays_is_good_after_as_before(as_user, ada, project):
    cursor = cursors(project)[MADE_WITH_PROJECT]
    grow_older(project)
    prune()
    [label] = labels(project, 1)
    answer = as_user(ada).get("/api/v1/events/", {"project": "AB", "after": cursor})
    assert [event["id"] for event in answer.json()["results"]] == [str(label.pk)]


@pytest.mark.parametrize("seq", [1, MADE_WITH_PROJECT - 1])
@pytest.mark.parametrize("change", ["pruned", "another history"])
async def test_a_cursor_that_is_no_more_gets_resync_on_the_socket(hub, ada, project, change, seq):
    cursor = (await in_db(cursors)(project))[seq]
    await in_db(grow_older)(project)
    await in_db(prune if change == "pruned" else another_history)(*[project] * (change != "pruned"))
    async with open_line(ada) as line:
        answer = await line.ask(type="subscribe", project="AB", after=cursor, ref=1)
        assert answer == {"type": "resync", "project": str(project.pk), "ref": 1}
        anew = await line.ask(type="subscribe", project="AB")
        await in_db(LabelFactory)(project=project)
        heard = await line.hear()
    assert anew["cursor"].startswith(f"{MADE_WITH_PROJECT}.")
    assert heard["seq"] == MADE_WITH_PROJECT + 1


async def test_a_live_subscription_goes_on_unharmed(hub, ada, project):
    async with open_line(ada, project="AB") as line:
        await in_db(labels)(project, 3)
        first = [frame["seq"] for frame in await line.hear_all(3)]
        await in_db(grow_older)(project)
        await in_db(prune)("--batch", "2")
        await in_db(labels)(project, 2)
        assert first + [frame["seq"] for frame in await line.hear_all(2)] == [9, 10, 11, 12, 13]
        assert await line.hears_nothing(1.2)  # a healing of the hub finds nothing wrong either


@pytest.mark.parametrize("heard_before", [0, 1, 4, 9])
async def test_who_is_catching_up_gets_resync_or_everything(hub, ada, project, settings, monkeypatch, heard_before):
    monkeypatch.setattr(reader, "BATCH", 3)
    settings.WEBSOCKET = settings.WEBSOCKET | {"WINDOW": 4_000}  # so that it waits for pongs
    start = (await in_db(cursors)(project))[MADE_WITH_PROJECT]
    await in_db(make_long_events)(project, 20)
    async with open_line(ada, project="AB", after=start) as line:
        heard = await line.hear_all(heard_before)
        await in_db(grow_older)(project)
        await in_db(prune)()
        heard += await hear_to_the_end(line, last=MADE_WITH_PROJECT + 20)
    events = [frame["seq"] for frame in heard if frame["type"] == "event"]
    assert events == [MADE_WITH_PROJECT + 1 + n for n in range(len(events))]
    assert len(events) < 20  # the window held it back
    assert heard[-1] == {"type": "resync", "project": str(project.pk)}


def make_long_events(project, count):
    for n in range(count):
        Label.objects.create(project=project, name=f"label {n}")
        Event.objects.of(project.pk).filter(seq=MADE_WITH_PROJECT + 1 + n).update(changes={"filler": "x" * 500})


async def hear_to_the_end(line, last):
    """What a line hears until it has the last event, or is told that it cannot."""
    heard = []
    async with asyncio.timeout(10):
        while not heard or (heard[-1]["type"] == "event" and heard[-1]["seq"] < last):
            heard.append(await line.hear())
    return heard
