"""Tasks, their place on the board, and their relations."""

from operator import attrgetter

from django.utils.http import parse_etags
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.response import Response

from projects.permissions import IsProjectMember
from projects.viewsets import InProjectViewSet
from tasks.filters import TaskFilter, TaskRelationFilter
from tasks.models import Board, Task, TaskRelation, children_first
from tasks.permissions import MayDelete, refuse_deletion_of_others
from tasks.serializers import (
    BulkChangeSerializer,
    BulkSerializer,
    MoveSerializer,
    TaskIdentitySerializer,
    TaskRelationSerializer,
    TaskSerializer,
)
from tickethub.errors import Conflict, PreconditionFailed
from tickethub.transactions import in_transaction
from tickethub.viewsets import CreateModelMixin, DestroyModelMixin, GenericViewSet


class TaskViewSet(InProjectViewSet):
    """The tasks of the caller's projects. One is named by its id or its key.

    list: The tasks of the caller's projects, newest first unless `ordering` says otherwise. A parameter given several
    times finds what has any of the values; different parameters narrow each other.

    retrieve: Get a task. `ETag` is its version: send it as `If-None-Match` to get 304 while it is the same.

    partial_update: Change what is named of a task, and nothing else. Send the `ETag` as `If-Match`, and a task that
    somebody else changed meanwhile is not overwritten: it comes back under `current` with the 412.

    destroy: Delete a task with its comments and relations. Members delete their own, admins all. Its children stay.
    """

    queryset = Task.objects.order_by("-created_at", "-pk")
    serializer_class = TaskSerializer
    permission_classes = [IsAuthenticated, IsProjectMember, MayDelete]
    filterset_class = TaskFilter
    lookup_value_converter = "str"

    def get_queryset(self):
        tasks = super().get_queryset()
        is_read = self.request.method in SAFE_METHODS
        return tasks.with_all_shown() if is_read else tasks.select_related("project")

    def get_object(self):
        task = super().get_object()
        if self.request.method in {"PATCH", "DELETE"} or self.action == "move":
            self.check_precondition(task)
        return task

    def check_precondition(self, task):
        """Raise PreconditionFailed if the client's If-Match names another version than the present one."""
        asked = self.request.headers.get("If-Match")
        if asked is not None and not {"*", etag(task.version)} & set(parse_etags(asked)):
            raise PreconditionFailed(TaskSerializer(as_it_stands(task), context=self.get_serializer_context()).data)

    def retrieve(self, request, *args, **kwargs):
        response = super().retrieve(request, *args, **kwargs)
        tag = etag(response.data["version"])
        if {"*", tag, f"W/{tag}"} & set(parse_etags(request.headers.get("If-None-Match", ""))):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag})
        return response

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(getattr(response, "data", None), dict) and "version" in response.data:
            response["ETag"] = etag(response.data["version"])
        return response

    @in_transaction
    def create(self, request, *args, **kwargs):
        """Make a task. A POST with an `id` may be sent again: the second gives 200 and the task that stands."""
        # Before all else is checked: what the first one named may be gone by now, and the task stands all the same.
        if task := self.find_standing():
            return Response(self.get_serializer(as_it_stands(task)).data)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.check_object_permissions(request, serializer.validated_data["project"])
        serializer.instance = as_it_stands(serializer.save(created_by=request.user))
        return Response(serializer.data, status=status.HTTP_201_CREATED)

    def perform_update(self, serializer):
        serializer.instance = as_it_stands(serializer.save())

    def find_standing(self):
        """The caller's own task of the id that is sent, None if there is none. Raises Conflict if it is another one."""
        data = self.request.data
        sent = TaskIdentitySerializer(data=data, context=self.get_serializer_context())
        if not isinstance(data, dict) or "id" not in data or not sent.is_valid():
            return None
        project = sent.validated_data["project"]
        self.check_object_permissions(self.request, project)
        Board.locked(project.pk)  # so that of two such POSTs at once the second finds what the first made
        task = Task.objects.filter(pk=sent.validated_data["id"]).first()
        if task and (task.created_by_id, task.project_id) != (self.request.user.pk, project.pk):
            raise Conflict("This id is taken.", "id_taken")
        return task

    @action(detail=True, methods=["post"])
    @in_transaction
    def move(self, request, pk):
        """Put the task beside another on the board, or into another status, or both.

        With a status alone it comes last.
        """
        task = self.get_object()
        serializer = MoveSerializer(task, data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return Response(self.get_serializer(as_it_stands(serializer.save())).data)

    @action(detail=False, methods=["post"])
    @in_transaction
    def bulk(self, request):
        """Change or delete up to 100 tasks, all or none.

        `set` is what PATCH takes, and gives the changed tasks; `delete: true` deletes them, and gives nothing.
        """
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        ids = serializer.validated_data["ids"]
        tasks = self.find_all(ids)
        if serializer.validated_data.get("delete"):
            self.delete_all(tasks)
            return Response(status=status.HTTP_204_NO_CONTENT)
        self.change_all(tasks, serializer.validated_data["set"])
        changed = Task.objects.with_all_shown().in_bulk(ids)
        return Response({"results": self.get_serializer([changed[pk] for pk in ids], many=True).data})

    def find_all(self, ids):
        """The named tasks, locked, project by project as every writer takes them.

        Raises ValidationError if one of them is not there to be seen.
        """
        tasks = {task.pk: task for task in self.get_queryset().filter(pk__in=ids).locked()}
        if missing := [pk for pk in ids if pk not in tasks]:
            words = [f'Invalid pk "{pk}" - object does not exist.' for pk in missing]
            raise serializers.ValidationError({"ids": words}, code="does_not_exist")
        return sorted((tasks[pk] for pk in ids), key=attrgetter("project_id"))

    def delete_all(self, tasks):
        for project, maker in {(task.project, task.created_by_id) for task in tasks}:
            refuse_deletion_of_others(self.request.user, project, maker)
        for task in children_first(tasks):
            task.delete()

    def change_all(self, tasks, values):
        for project in {task.project for task in tasks}:
            self.check_object_permissions(self.request, project)
        context = self.get_serializer_context()
        for task in tasks:
            serializer = BulkChangeSerializer(task, data=values, partial=True, context=context)
            if not serializer.is_valid():
                raise serializers.ValidationError({"set": serializer.errors})
            serializer.save()


class TaskRelationViewSet(CreateModelMixin, DestroyModelMixin, mixins.ListModelMixin, GenericViewSet):
    """What tasks are to each other: one blocks another, duplicates it, or has to do with it.

    create: Say what a task is to another one of the same project.

    destroy: Take back what a task is to another one.
    """

    serializer_class = TaskRelationSerializer
    permission_classes = [IsAuthenticated, IsProjectMember]
    filterset_class = TaskRelationFilter
    lookup_value_converter = "uuid"

    def get_queryset(self):
        relations = TaskRelation.objects.visible_to(self.request.user)
        return relations.select_related("source__project").order_by("created_at", "pk")

    def perform_create(self, serializer):
        self.check_object_permissions(self.request, TaskRelation(**serializer.validated_data))
        serializer.save()


def as_it_stands(task):
    """A task that was just read or written under a lock, with all that the API shows of it."""
    return Task.objects.with_all_shown().get(pk=task.pk)


def etag(version):
    return f'"{version}"'
