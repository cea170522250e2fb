"""What tests take for granted: that `nothing_changes` and the client notice what a refusal must not leave behind."""

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection, models, transaction
from django.http import JsonResponse
from django.urls import path

from accounts.tests.checks import WatchfulClient, everything, nothing_changes
from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.models import Project
from projects.tests.factories import InvitationFactory, LabelFactory
from realtime.models import Event, Stream
from tasks.models import Task
from tasks.tests.factories import TaskRelationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def task():
    relation = TaskRelationFactory()
    CommentFactory(task=relation.source)
    InvitationFactory(project=relation.project)
    relation.source.labels.add(LabelFactory(project=relation.project))
    relation.source.assignees.add(UserFactory())
    return relation.source


def send_mail():
    mail.send_mail("Hello", "there", None, ["ada@example.org"])


CHANGES = {
    "a row made": lambda task: UserFactory(),
    "a row deleted, with its event": lambda task: task.relations_from.get().delete(),
    "one column of a row": lambda task: models.QuerySet(Task).filter(pk=task.pk).update(position="1"),
    "a relation between rows": lambda task: task.labels.through.objects.all().delete(),
    "an event alone": lambda task: Event.objects.filter(object_id=task.pk).update(changes={"title": ["a", "b"]}),
    "the counter of events": lambda task: Stream.take_number(task.project_id),
    "a mail": lambda task: send_mail(),
    "a mail after the commit": lambda task: transaction.on_commit(send_mail),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_changes_notices(task, change):
    with pytest.raises(AssertionError), nothing_changes():
        change(task)


def test_it_looks_at_every_table_that_there_is(task):
    rows, _ = everything()
    looked_at = {apps.get_model(label)._meta.db_table for label in rows}
    assert looked_at == set(connection.introspection.table_names()) - {"django_migrations"}


@pytest.fixture
def refusing(settings):
    """A client whose requests are refused after a change."""

    def request(change):
        urls = type("urls", (), {"urlpatterns": [path("api/", lambda request: (change(), refusal())[1])]})
        settings.ROOT_URLCONF = urls
        return WatchfulClient().get("/api/")

    return request


def refusal():
    return JsonResponse({}, status=400)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_client_notices_what_a_refusal_leaves_behind(task, refusing, change):
    with pytest.raises(AssertionError):
        refusing(lambda: change(task))


def test_the_client_does_not_mind_what_was_taken_back(refusing):
    def change():
        with transaction.atomic():
            Project.objects.create(key="GONE", name="Gone")
            transaction.set_rollback(True)

    assert refusing(change).status_code == 400
