"""What is read by columns is what the serializers' fields would show."""

import json

import pytest
from rest_framework.utils.encoders import JSONEncoder

from accounts.models import User
from accounts.serializers import UserSerializer
from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Invitation, Project
from projects.serializers import InvitationSerializer, ProjectSerializer
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime.models import Event
from realtime.serializers import EventSerializer
from realtime.things import THINGS
from tasks.models import Task, TaskRelation
from tasks.serializers import TaskSerializer
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.projections import JSONRenderer, Projection

pytestmark = pytest.mark.django_db
ROWS = {thing.name: (thing.rows, thing.serializer) for thing in THINGS.values()} | {
    "event": (Event.objects.all(), EventSerializer),
    "invitation": (Invitation.objects.all(), InvitationSerializer),
    "person": (User.objects.all(), UserSerializer),
}


@pytest.fixture
def user():
    return UserFactory(first_name="Ada \u2028 \U0001f980")


@pytest.fixture(autouse=True)
def rows(user):
    project = ProjectFactory(owner=user)
    project.invitations.create(email="grace@example.org", token_hash="x")
    parent = TaskFactory(project=project)
    task = TaskFactory(
        project=project, parent=parent, created_by=user, priority=Task.Priority.URGENT, due_date="2026-12-01"
    )
    task.assignees.add(user)
    task.labels.add(LabelFactory(project=project), LabelFactory(project=project))
    task.move(status=project.statuses.get(slug="done"))
    TaskRelationFactory(source=parent, target=task)
    CommentFactory(task=task, author=user)


@pytest.mark.parametrize("name", ROWS)
def test_columns_show_what_fields_would(name):
    rows, serializer = ROWS[name]
    projection = Projection.of(serializer)
    shown = [projection.show(row) for row in projection.read(rows.order_by("pk"))]
    by_fields = serializer(rows.order_by("pk"), many=True).data
    assert shown
    for way in (shown, [projection.picture(row) for row in rows.order_by("pk")]):
        assert json.loads(JSONRenderer().render(way)) == json.loads(json.dumps(by_fields, cls=JSONEncoder))


def test_a_project_is_shown_with_the_role_of_who_looks(user):
    projection = Projection.of(ProjectSerializer)
    shown = projection.show(projection.read(Project.objects.visible_to(user)).get())
    assert shown["role"] == "owner"
    assert "archived" not in shown


@pytest.mark.parametrize("name", ["task", "comment", "relation", "membership"])
def test_rows_are_read_in_one_query_however_many(name, django_assert_num_queries):
    rows, serializer = ROWS[name]
    with django_assert_num_queries(1):
        list(Projection.of(serializer).read(rows))


def test_of_what_is_written_those_fields_alone_are_made_that_are_sent_or_missed(user):
    task = Task.objects.first()
    sent = {"title": "Tea", "nonsense": 1}
    assert set(TaskSerializer(task, data=sent, partial=True).fields) == {"title", *TaskSerializer.Meta.fixed}
    assert set(TaskSerializer(task, data=["title"], partial=True).fields) == set(TaskSerializer.Meta.fields)
    assert set(TaskSerializer(data={"due_date": None}).fields) == {"project", "title", "due_date"}
    assert set(TaskSerializer(data=["title"]).fields) == set(TaskSerializer.Meta.fields)


def test_there_is_something_of_everything():
    assert all(model.objects.exists() for model in (Task, TaskRelation, Comment, Event))
