"""Tasks and relations, as the API shows and takes them."""

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.models import User
from projects.models import Label, Membership, Status
from projects.serializers import ProjectField
from tasks.board import Board
from tasks.bulk import IDS, change_all
from tasks.making import make
from tasks.models import Task, TaskRelation
from tickethub.models import as_uuid
from tickethub.projections import ComposedField
from tickethub.serializers import (
    ChangedFieldsSerializer,
    CountedDictField,
    CountedListField,
    CountedMixin,
    OneRowMixin,
)


class InProjectField(OneRowMixin, serializers.PrimaryKeyRelatedField):
    """A row of the project that the object being written is in; `path` leads from the row to its project."""

    def __init__(self, *args, path="project", **kwargs):
        self.path = path
        super().__init__(*args, **kwargs)

    @classmethod
    def many_init(cls, *args, ids, rows, name="pk", **kwargs):
        kwargs.pop("many", None)
        return InProjectListField(ids=ids, rows=rows, name=name, child_relation=cls(*args, **kwargs), required=False)

    def get_queryset(self):
        return super().get_queryset().filter(**{self.path: self.root.project})

    def run_validation(self, data=serializers.empty):
        if data == "":  # which Django REST framework takes for null
            self.fail("does_not_exist", pk_value=data)
        return super().run_validation(data)


class InProjectListField(CountedMixin, serializers.ManyRelatedField):
    """The ids of such rows. `ids` names where the object has them, as they are shown.

    `rows` are what has to stay until the transaction ends, and are locked; `name` is where they have the id.
    """

    max_length = 100
    default_error_messages = {"max_length": "At most {max_length} are taken."}

    def __init__(self, *, ids, rows, name, **kwargs):
        self.ids, self.rows, self.name = ids, rows, name
        self.columns = [ids]
        super().__init__(**kwargs)

    def to_internal_value(self, data):
        if not isinstance(data, list):  # or an object would count as the list of its names, an empty one as none
            self.fail("not_a_list", input_type=type(data).__name__)
        self.refuse_too_many(data)
        project = getattr(self.root.project, "pk", None)
        kept = self.context.get("kept", {}).get(self.field_name)
        kept = self.keep(data, [project]) if kept is None else kept
        ids = {as_uuid(value) for value in data}
        if missing := ids - {pk for of, pk in kept if of == project}:
            super().to_internal_value(data)  # which says what is wrong with the first that is
            self.child_relation.fail("does_not_exist", pk_value=missing.pop())  # or it was removed just now
        return sorted(map(str, ids))

    def keep(self, data, projects):
        """Keep what is named in these projects from going: of a label that goes, a task would lose it untold.

        Gives what is there, as pairs of its project and id.
        """
        rows = self.rows.filter(**{"project__in": projects, f"{self.name}__in": set(map(as_uuid, data))})
        return set(rows.locked().values_list("project_id", self.name))

    def get_attribute(self, instance):
        return getattr(instance, self.ids)

    def to_representation(self, ids):
        return ids


class StatusField(OneRowMixin, serializers.SlugRelatedField):
    """A status of the project, by its slug."""

    def get_queryset(self):
        return super().get_queryset().filter(project=self.root.project)


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    NAMES = {priority.value: priority.name.lower() for priority in Task.Priority}

    def __init__(self, **kwargs):
        super().__init__(choices=list(self.NAMES.values()), **kwargs)

    def to_internal_value(self, data):
        return Task.Priority[super().to_internal_value(data).upper()]

    def to_representation(self, value):
        return self.NAMES[value]


class NewIdField(serializers.UUIDField):
    """A UUID as text. A number is none: who sends `"id": 0` with all that is new would get their first task again."""

    def to_internal_value(self, data):
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class TaskSerializer(ChangedFieldsSerializer):
    id = NewIdField(
        required=False, help_text="May be made by the client, so that a POST can be sent again without making two."
    )
    key = ComposedField(
        columns=["project__key", "number"],
        compose=Task.key_of,
        help_text="Its name among people: the key of the project and its number.",
    )
    project = ProjectField()
    status = StatusField(
        slug_field="slug",
        queryset=Status.objects.all(),
        required=False,
        help_text="The slug of a status of the project.",
    )
    priority = PriorityField(required=False)
    assignees = InProjectField(
        many=True,
        ids="assignee_ids",
        rows=Membership.objects.all(),
        name="user_id",
        queryset=User.objects.all(),
        path="memberships__project",
    )
    labels = InProjectField(many=True, ids="label_ids", rows=Label.objects.all(), queryset=Label.objects.all())
    parent = InProjectField(queryset=Task.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Task
        fields = [
            "id",
            "key",
            "number",
            "project",
            "title",
            "description",
            "status",
            "priority",
            "assignees",
            "labels",
            "parent",
            "due_date",
            "position",
            "version",
            "created_by",
            "created_at",
            "updated_at",
            "completed_at",
        ]
        read_only_fields = ["number", "position", "version", "created_by", "completed_at"]
        extra_kwargs = {
            "description": {"trim_whitespace": False},  # Markdown is returned as it came
            "number": {"help_text": "Counts up in the project, without a gap; never given twice."},
            "position": {"help_text": "Its place on the board: a text that sorts by its characters."},
            "version": {"help_text": "Grows by one with each change."},
            "completed_at": {"help_text": "When it came to a status of the category `done`; null while it is in none."},
        }
        fixed = ["id", "project"]

    @property
    def tasks(self):
        """What is about to change: tasks of one project."""
        return [self.instance] if self.instance else []

    def to_internal_value(self, data):
        self.project = self.tasks[0].project if self.tasks else self.find_project(data)
        return super().to_internal_value(data)

    def find_project(self, data):
        """The project in a new task's data, None where it is not valid: its own field then says why."""
        try:
            return self.fields["project"].run_validation(data["project"])
        except (serializers.ValidationError, DjangoValidationError, KeyError, TypeError):
            return None

    def validate_parent(self, parent):
        if parent and self.tasks:
            Board.locked(self.project.pk)  # of two changes that together make a circle one must see the other
            if parent.descends_from(*self.tasks):
                raise serializers.ValidationError("A task cannot be below itself.", code="circle")
        return parent

    def create(self, validated_data):
        related = {ids: validated_data.pop(name, []) for name, ids in IDS.items()}
        return make(Task(**validated_data), **related)

    def update(self, instance, validated_data):
        [task] = change_all([instance], validated_data)
        return task


def keep_named(values, tasks):
    """Keep whom and what these values of tasks name in the projects of those that `tasks` gives, before the tasks are
    locked: who takes it off its tasks does so as well. Gives what is there by field, for the serializer's context; none
    where a value is none.
    """
    kept = {}
    for name in IDS if isinstance(values, dict) else ():
        if isinstance(data := values.get(name), list):
            field = TaskSerializer._declared_fields[name]
            kept[name] = field.keep(data[: field.max_length], tasks().values("project"))
    return kept


class TaskIdentitySerializer(serializers.Serializer):
    """What says of a POST that it was sent before."""

    id = NewIdField()
    project = ProjectField()


class MoveSerializer(serializers.Serializer):
    """Where a task goes: a status of its project, and a task of its project to stand just before or just after."""

    status = StatusField(slug_field="slug", queryset=Status.objects.all(), required=False)
    before = InProjectField(queryset=Task.objects.all(), required=False)
    after = InProjectField(queryset=Task.objects.all(), required=False)

    @property
    def project(self):
        return self.instance.project

    def validate(self, attrs):
        if not attrs:
            raise serializers.ValidationError("Name a status, or a task to stand before or after.", code="required")
        if "before" in attrs and "after" in attrs:
            raise serializers.ValidationError("Name a task to stand before or one to stand after, not both.")
        for name in {"before", "after"} & set(attrs):
            if attrs[name] == self.instance:
                raise serializers.ValidationError({name: "A task cannot stand beside itself."})
        return attrs

    def update(self, instance, validated_data):
        values = Board.locked(instance.project_id).values_of_move(instance, **validated_data)
        [task] = change_all([instance], values)
        return task


class BulkChangeSerializer(TaskSerializer):
    """What a bulk change sets: any of these, on every one alike of some tasks of a project."""

    class Meta(TaskSerializer.Meta):
        fields = ["title", "description", "status", "priority", "assignees", "labels", "parent", "due_date"]
        fixed = []

    @property
    def tasks(self):
        return self.instance

    def update(self, instance, validated_data):
        return change_all(instance, validated_data)


class BulkSerializer(serializers.Serializer):
    """`ids` of 1 to 100 tasks, and either `set` or `delete: true`. All or nothing."""

    ids = CountedListField(child=serializers.UUIDField(), min_length=1, max_length=100, help_text="Of tasks.")
    set = CountedDictField(required=False, help_text="The fields to set, as PATCH takes them.")
    delete = serializers.BooleanField(required=False, help_text="`true` in place of `set`.")

    def validate_ids(self, ids):
        if len(set(ids)) != len(ids):
            raise serializers.ValidationError("A task is named twice.", code="unique")
        return ids

    def validate_set(self, values):
        unknown = {
            name: "This cannot be set in bulk." for name in values if name not in BulkChangeSerializer.Meta.fields
        }
        if unknown:
            raise serializers.ValidationError(unknown, code="unknown_field")
        return values

    def validate(self, attrs):
        if bool(attrs.get("set")) == bool(attrs.get("delete")):
            raise serializers.ValidationError("Give either what to `set`, or `delete: true`.", code="required")
        return attrs


class TaskRelationSerializer(serializers.ModelSerializer):
    class Meta:
        model = TaskRelation
        fields = ["id", "source", "target", "type"]

    def build_relational_field(self, field_name, relation_info):
        return VisibleTaskField, {}

    def validate(self, attrs):
        if attrs["source"].project_id != attrs["target"].project_id:
            raise serializers.ValidationError("Both tasks have to be in one project.", code="other_project")
        TaskRelation(**attrs).validate_constraints()
        return attrs


class VisibleTaskField(OneRowMixin, serializers.PrimaryKeyRelatedField):
    """A task by its id, among those the caller may see."""

    def get_queryset(self):
        return Task.objects.visible_to(self.context["request"].user).select_related("project")
