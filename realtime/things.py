"""What the log tells of: each tracked model, its name in event types, and how the API shows it."""

from functools import cached_property
from operator import attrgetter

import orjson

from comments.models import Comment
from comments.serializers import CommentSerializer
from projects.models import Label, Membership, Project, Status
from projects.serializers import LabelSerializer, MembershipSerializer, ProjectSerializer, StatusSerializer
from tasks.models import Task, TaskRelation
from tasks.serializers import TaskRelationSerializer, TaskSerializer
from tickethub.prepared import Prepared
from tickethub.projections import Projection, as_json


class SharedProjectSerializer(ProjectSerializer):
    """A project as everybody in it sees it: `role` is each caller's own."""

    class Meta(ProjectSerializer.Meta):
        fields = [name for name in ProjectSerializer.Meta.fields if name != "role"]


class Thing:
    """How one model is told of. `paths` lead from a row to what it concerns, by the column of an event that has it."""

    def __init__(self, model, serializer, project_id="project_id", *, name=None, rows=None, **others):
        self.name = name or model._meta.model_name
        self.rows = model.objects.all() if rows is None else rows
        self.serializer = serializer
        self.paths = {column: attrgetter(path) for column, path in {"project_id": project_id, **others}.items()}

    def show(self, pk):
        """What GET gives for the row that the database holds now, None if there is none."""
        row = self.columns.first(pk)
        return row and orjson.loads(as_json(self.projection.show(row)))

    @cached_property
    def columns(self):
        return Prepared(lambda pk: self.projection.read(self.rows.filter(pk=pk).order_by()))

    @property
    def projection(self):
        return Projection.of(self.serializer)

    def picture(self, row):
        """What GET gives for a row, read with all that it shows."""
        return orjson.loads(as_json(self.projection.picture(row)))

    def about(self, row):
        """The columns of an event that say whom or what it concerns, its project among them."""
        return {column: get(row) for column, get in self.paths.items()}


THINGS = {
    Project: Thing(Project, SharedProjectSerializer, "pk"),
    Membership: Thing(
        Membership, MembershipSerializer, rows=Membership.objects.select_related("user"), user_id="user_id"
    ),
    Status: Thing(Status, StatusSerializer),
    Label: Thing(Label, LabelSerializer),
    Task: Thing(Task, TaskSerializer, rows=Task.objects.with_all_shown(), task_id="pk"),
    TaskRelation: Thing(
        TaskRelation,
        TaskRelationSerializer,
        "source.project_id",
        name="relation",
        task_id="source_id",
        other_task_id="target_id",
    ),
    Comment: Thing(Comment, CommentSerializer, "task.project_id", task_id="task_id"),
}
