"""Tasks and relations, as the API shows and takes them."""

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers

from accounts.models import User
from projects.models import Label, Membership, Status
from projects.serializers import ProjectField
from tasks.models import Board, Task, TaskRelation
from tickethub.serializers import ChangedFieldsSerializer


class InProjectField(serializers.PrimaryKeyRelatedField):
    """A row of the project that the object being written is in; `path` leads from the row to its project."""

    def __init__(self, *args, path="project", **kwargs):
        self.path = path
        super().__init__(*args, **kwargs)

    @classmethod
    def many_init(cls, *args, ids, **kwargs):
        kwargs.pop("many", None)
        return InProjectListField(ids=ids, child_relation=cls(*args, **kwargs), required=False)

    def get_queryset(self):
        return super().get_queryset().filter(**{self.path: self.root.project})

    def run_validation(self, data=serializers.empty):
        if data == "":  # which Django REST framework takes for null
            self.fail("does_not_exist", pk_value=data)
        return super().run_validation(data)


class InProjectListField(serializers.ManyRelatedField):
    """A list of such rows. `ids` names where the object has their ids, as they are shown."""

    MAX_LENGTH = 100

    def __init__(self, *, ids, **kwargs):
        self.ids = ids
        super().__init__(**kwargs)

    def to_internal_value(self, data):
        if not isinstance(data, list):  # or an object would count as the list of its names, an empty one as none
            self.fail("not_a_list", input_type=type(data).__name__)
        if len(data) > self.MAX_LENGTH:
            raise serializers.ValidationError(f"At most {self.MAX_LENGTH} are taken.", code="max_length")
        return super().to_internal_value(data)

    def get_attribute(self, instance):
        return getattr(instance, self.ids)

    def to_representation(self, ids):
        return ids


class StatusField(serializers.SlugRelatedField):
    """A status of the project, by its slug."""

    def get_queryset(self):
        return super().get_queryset().filter(project=self.root.project)


class PriorityField(serializers.ChoiceField):
    """A priority by its name."""

    def __init__(self, **kwargs):
        super().__init__(choices=[priority.name.lower() for priority in Task.Priority], **kwargs)

    def to_internal_value(self, data):
        return Task.Priority[super().to_internal_value(data).upper()]

    def to_representation(self, value):
        return Task.Priority(value).name.lower()


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
    project = ProjectField()
    status = StatusField(
        slug_field="slug",
        queryset=Status.objects.all(),
        required=False,
        help_text="The slug of a status of the project.",
    )
    priority = PriorityField(required=False)
    assignees = InProjectField(many=True, ids="assignee_ids", queryset=User.objects.all(), path="memberships__project")
    labels = InProjectField(many=True, ids="label_ids", queryset=Label.objects.all())
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
        read_only_fields = ["key", "number", "position", "version", "created_by", "completed_at"]
        extra_kwargs = {
            "description": {"trim_whitespace": False},  # Markdown is returned as it came
            "key": {"help_text": "Its name among people: the key of the project and its number."},
            "number": {"help_text": "Counts up in the project, without a gap; never given twice."},
            "position": {"help_text": "Its place on the board: a text that sorts by its characters."},
            "version": {"help_text": "Grows by one with each change."},
            "completed_at": {"help_text": "When it came to a status of the category `done`; null while it is in none."},
        }
        fixed = ["id", "project"]

    def to_internal_value(self, data):
        self.project = self.instance.project if self.instance else self.find_project(data)
        return super().to_internal_value(data)

    def find_project(self, data):
        """The project in a new task's data, None where it is not valid: its own field then says why."""
        try:
            return self.fields["project"].run_validation(data["project"])
        except (serializers.ValidationError, DjangoValidationError, KeyError, TypeError):
            return None

    def validate_assignees(self, people):
        """Lock their memberships, so that nobody is assigned who is being removed."""
        memberships = Membership.objects.filter(project=self.project, user__in=people)
        return self.refuse_missing("assignees", people, memberships.locked().values_list("user_id", flat=True))

    def validate_labels(self, labels):
        """Lock them, so that no task gets a label that is being deleted: it would lose it again, untold."""
        return self.refuse_missing("labels", labels, Label.lock_all([label.pk for label in labels]))

    def refuse_missing(self, name, rows, there):
        """Give the rows. Raises ValidationError for one whose id is not among those that are there, by now."""
        for pk in {row.pk for row in rows} - set(there):
            self.fields[name].child_relation.fail("does_not_exist", pk_value=pk)
        return rows

    def validate_parent(self, parent):
        if parent and self.instance:
            Board.locked(self.project.pk)  # of two changes that together make a circle one must see the other
            if parent.descends_from(self.instance):
                raise serializers.ValidationError("A task cannot be below itself.", code="circle")
        return parent

    def create(self, validated_data):
        related = self.pop_related(validated_data)
        task = Task(**validated_data)
        task.begins_with = related
        task.save()
        return task

    def update(self, instance, validated_data):
        related = self.pop_related(validated_data)
        changed_related = {
            name: rows
            for name, rows in related.items()
            if {str(row.pk) for row in rows} != set(self.fields[name].get_attribute(instance))
        }
        with instance.as_one_change():
            self.set_related(instance, changed_related)
            version = instance.version
            super().update(instance, validated_data)
            if changed_related and instance.version == version:
                instance.save(update_fields=[])
        return instance

    @staticmethod
    def pop_related(validated_data):
        return {name: validated_data.pop(name) for name in ("assignees", "labels") if name in validated_data}

    @staticmethod
    def set_related(task, related):
        for name, rows in related.items():
            getattr(task, name).set(rows)


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
        instance.move(**validated_data)
        return instance


class BulkChangeSerializer(TaskSerializer):
    """What a bulk change sets: any of these, on every task alike."""

    class Meta(TaskSerializer.Meta):
        fields = ["title", "description", "status", "priority", "assignees", "labels", "parent", "due_date"]
        fixed = []


class BulkSerializer(serializers.Serializer):
    """`ids` of 1 to 100 tasks, and either `set` or `delete: true`. All or nothing."""

    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=100, help_text="Of tasks.")
    set = serializers.DictField(required=False, help_text="The fields to set, as PATCH takes them.")
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


class VisibleTaskField(serializers.PrimaryKeyRelatedField):
    """A task by its id, among those the caller may see."""

    def get_queryset(self):
        return Task.objects.visible_to(self.context["request"].user).select_related("project")
