"""GET events/: the log by REST."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime.models import Event, EventQuerySet, Stream
from realtime.views import EventsView
from tasks.tests.factories import TaskFactory, TaskRelationFactory

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/events/"


@pytest.fixture
def ada():
    return UserFactory()


@pytest.fixture
def project(ada):
    return ProjectFactory(key="AB", viewer=ada)


@pytest.fixture
def client(as_user, ada):
    return as_user(ada)


def get(client, **query):
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_without_a_cursor_only_the_cursor_of_now_is_given(client, project):
    now = Event.objects.of(project.pk).last().cursor
    assert get(client, project="AB") == {"results": [], "cursor": now, "has_more": False}


def test_a_cursor_gives_what_came_after_it(client, project):
    start = get(client, project=str(project.pk))["cursor"]
    label = LabelFactory(project=project)
    page = get(client, project="AB", after=start)
    [event] = page["results"]
    assert event == {
        "project": str(project.pk),
        "seq": 9,
        "cursor": page["cursor"],
        "type": "label.created",
        "id": str(label.pk),
        "at": event["at"],
        "actor": None,
        "request_id": None,
        "changes": {},
        "object": client.get(f"/api/v1/labels/{label.pk}/").json(),
    }
    assert get(client, project="AB", after=page["cursor"]) == {
        "results": [],
        "cursor": page["cursor"],
        "has_more": False,
    }


def test_pages_give_the_whole_log_in_order(client, project):
    cursor = get(client, project="AB")["cursor"]
    labels = [LabelFactory(project=project) for _ in range(7)]
    found, more = [], True
    while more:
        page = get(client, project="AB", after=cursor, limit=3)
        found += [event["id"] for event in page["results"]]
        cursor, more = page["cursor"], page["has_more"]
        assert len(page["results"]) <= 3
    assert found == [str(label.pk) for label in labels]


def test_a_page_of_large_events_is_short_and_more_follow(client, project, django_assert_num_queries):
    start = get(client, project="AB")["cursor"]
    task = TaskFactory(project=project)
    for number in range(6):
        task.description = f"{number}" + "\x01" * 49_999  # each of which JSON tells in six letters
        task.save(update_fields=["description"])
    LabelFactory(project=project)
    for query, types in [
        ({"after": start}, ["task.created", *["task.updated"] * 6, "label.created"]),
        ({"task": task.key}, ["task.created", *["task.updated"] * 6]),
    ]:
        found, pages, more = [], 0, True
        while more:
            with django_assert_num_queries(5 if "task" in query and "after" in query else 4):
                answer = client.get(URL, {"project": "AB", "limit": 100, **query})
            assert len(answer.content) < 2 * 1024 * 1024
            page = answer.json()
            assert page["results"]
            assert not page["has_more"] or page["cursor"] == page["results"][-1]["cursor"]
            found, pages = found + page["results"], pages + 1
            query["after"], more = page["cursor"], page["has_more"]
        assert pages > 2
        assert [event["type"] for event in found] == types
        assert [event["changes"]["description"][1][0] for event in found[1:7]] == list("012345")
        assert page["cursor"] == get(client, project="AB")["cursor"]


def test_an_event_comes_however_large_it_is(client, project):
    start = get(client, project="AB")["cursor"]
    large, _ = LabelFactory(project=project), LabelFactory(project=project)
    Event.objects.filter(object_id=large.pk).update(object={"text": "\x01" * 200_000})
    page = get(client, project="AB", after=start)
    assert [event["id"] for event in page["results"]] == [str(large.pk)]
    assert (page["cursor"], page["has_more"]) == (page["results"][0]["cursor"], True)
    rest = get(client, project="AB", after=page["cursor"])
    assert (len(rest["results"]), rest["has_more"]) == (1, False)


def test_a_tasks_history_is_given_from_its_start(client, project):
    task, other = TaskFactory(project=project), TaskFactory(project=project)
    CommentFactory(task=task)
    CommentFactory(task=other)
    TaskRelationFactory(source=other, target=task)
    task.move(status=project.statuses.get(slug="done"))
    page = get(client, project="AB", task=task.key)
    assert [event["type"] for event in page["results"]] == [
        "task.created",
        "comment.created",
        "relation.created",
        "task.updated",
    ]
    assert page["results"][-1]["changes"]["status"] == ["todo", "done"]
    assert page["cursor"] == get(client, project="AB")["cursor"]
    assert get(client, project="AB", task=str(task.pk), limit=1)["cursor"] == page["results"][0]["cursor"]
    CommentFactory(task=task)
    assert len(get(client, project="AB", task=task.key, after=page["cursor"])["results"]) == 1


def test_the_log_of_a_deleted_task_can_be_read_on(client, project):
    task = TaskFactory(project=project)
    cursor = get(client, project="AB")["cursor"]
    pk = str(task.pk)
    task.delete()
    [event] = get(client, project="AB", after=cursor)["results"]
    assert (event["type"], event["id"], event["object"]) == ("task.deleted", pk, None)


def test_limit_is_cut_to_the_maximum(client, project):
    cursor = get(client, project="AB")["cursor"]
    for _ in range(101):
        LabelFactory(project=project)
    page = get(client, project="AB", after=cursor, limit=10**30)
    assert (len(page["results"]), page["has_more"]) == (100, True)


@pytest.mark.parametrize("cursor", ["7.00000000", "999.{nonce}", "0.{nonce}", "99999999999999999999.{nonce}"])
def test_a_cursor_of_another_history_gets_410(client, project, cursor):
    answer = client.get(URL, {"project": "AB", "after": cursor.format(nonce=Event.objects.of(project.pk).last().nonce)})
    if cursor.startswith("9999999999"):
        assert answer.status_code == 400
        return
    assert (answer.status_code, answer.json()["code"]) == (410, "resync")


def test_a_pruned_cursor_gets_410(client, project):
    cursor = get(client, project="AB")["cursor"]
    LabelFactory(project=project)
    Event.objects.filter(project_id=project.pk, seq__lt=9).delete()
    assert client.get(URL, {"project": "AB", "after": cursor}).status_code == 410


BAD = [
    {},
    {"project": ""},
    {"project": "AB", "after": "nonsense"},
    {"project": "AB", "after": "1"},
    {"project": "AB", "after": "-1.abc"},
    {"project": "AB", "after": "١.abc"},
    {"project": "AB", "after": ""},
    {"project": "AB", "limit": "0"},
    {"project": "AB", "limit": "-1"},
    {"project": "AB", "limit": "many"},
    {"project": "AB", "task": "AB-99"},
    {"project": "AB", "task": "nonsense"},
    {"project": "AB", "offset": "1"},
    {"project": "AB", "type": "task.created"},
    {"project": "AB", "after": "1.\0"},
]


@pytest.mark.parametrize("query", BAD, ids=str)
def test_bad_queries_get_400(client, project, query):
    answer = client.get(URL, query)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"


def test_a_task_of_another_project_is_as_one_that_does_not_exist(client, project, ada):
    hidden, own = (
        TaskFactory(project=ProjectFactory(key="ZZ")),
        TaskFactory(project=ProjectFactory(key="CC", owner=ada)),
    )
    answers = {
        client.get(URL, {"project": "AB", "task": name}).content
        for name in (hidden.key, str(hidden.pk), own.key, "AB-77", str(project.pk))
    }
    assert len(answers) == 1


@pytest.mark.parametrize(("where", "name"), [(EventsView, "find_task"), (EventQuerySet, "at_cursor")])
def test_pruning_at_the_very_moment_hides_no_gap(client, project, monkeypatch, where, name):
    """Before the events are read, and after that. One that comes after the head of then lets all up to it go."""
    start, find = get(client, project="AB")["cursor"], getattr(where, name)
    LabelFactory.create_batch(5, project=project)

    def prune_and_find(*args):
        LabelFactory(project=project)
        Event.objects.prune(project.pk, timezone.now() + timedelta(1), 100)
        return find(*args)

    monkeypatch.setattr(where, name, staticmethod(prune_and_find) if where is EventsView else prune_and_find)
    answer = client.get(URL, {"project": "AB", "after": start})
    assert (answer.status_code, answer.json()["code"]) == (410, "resync")


def test_who_is_removed_at_the_very_moment_is_told_nothing_of_after_that(client, project, ada, monkeypatch):
    start, find = get(client, project="AB")["cursor"], EventsView.find_task
    LabelFactory(project=project, name="before")

    def remove_and_find(*args):
        project.memberships.get(user=ada).delete()
        LabelFactory(project=project, name="after")
        return find(*args)

    monkeypatch.setattr(EventsView, "find_task", staticmethod(remove_and_find))
    page = get(client, project="AB", after=start)
    assert [event["object"]["name"] for event in page["results"]] == ["before"]
    assert page["cursor"] == page["results"][-1]["cursor"]


def test_an_outsider_gets_404_as_for_what_does_not_exist(as_user, project):
    for person in (UserFactory(), UserFactory(is_staff=True, is_superuser=True)):
        client = as_user(person)
        answers = [client.get(URL, {"project": name}) for name in ("AB", str(project.pk), "ZZ", "nonsense", "A\0B"[:1])]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("query", [{}, {"after": "1.x"}, {"task": "AB-1"}])
def test_a_project_that_was_made_past_the_application_has_no_log_to_read(client, project, query):
    TaskFactory(project=project)
    Event.objects.all().delete()
    Stream.objects.all().delete()
    assert client.get(URL, {"project": project.pk, **query}).status_code == 404


def test_nobody_reads_it_without_a_token(anonymous, project):
    assert anonymous.get(URL, {"project": "AB"}).status_code == 401


def test_as_many_queries_for_many_events_as_for_one(client, project, django_assert_num_queries):
    cursor = get(client, project="AB")["cursor"]
    LabelFactory(project=project)
    with django_assert_num_queries(4):
        get(client, project="AB", after=cursor)
    for _ in range(29):
        LabelFactory(project=project)
    with django_assert_num_queries(4):
        assert len(get(client, project="AB", after=cursor)["results"]) == 30
