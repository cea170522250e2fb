"""Tasks, their place on the board, and their relations."""

from django.db import transaction
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from projects.permissions import IsProjectMember
from projects.viewsets import InProjectViewSet
from tasks.filters import TaskFilter, TaskRelationFilter
from tasks.models import Board, Task, TaskRelation
from tasks.permissions import MayDelete, refuse_deletion_of_others
from tasks.serializers import (
    BulkChangeSerializer,
    BulkSerializer,
    MoveSerializer,
    TaskRelationSerializer,
    TaskSerializer,
)
from tickethub.errors import Conflict, PreconditionFailed
from tickethub.viewsets import WriteMixin


class TaskViewSet(InProjectViewSet):
    """The tasks of the caller's projects. One is named by its id or its key."""

    queryset = (
        Task.objects.select_related("project", "status")
        .prefetch_related("assignees", "labels")
        .order_by("-created_at", "-pk")
    )
    serializer_class = TaskSerializer
    permission_classes = [IsAuthenticated, IsProjectMember, MayDelete]
    filterset_class = TaskFilter
    lookup_value_converter = "str"

    def get_object(self):
        task = super().get_object()
        if self.request.method in {"PATCH", "DELETE"} or self.action == "move":
            self.check_precondition(task)
        return task

    def check_precondition(self, task):
        """Raise PreconditionFailed if the client's If-Match names another version than the present one."""
        asked = self.request.headers.get("If-Match")
        if asked is not None and not {"*", etag(task.version)} & set(parse_etags(asked)):
            raise PreconditionFailed(TaskSerializer(task, context=self.get_serializer_context()).data)

    def retrieve(self, request, *args, **kwargs):
        response = super().retrieve(request, *args, **kwargs)
        if "If-None-Match" in request.headers:
            return get_conditional_response(request, etag=etag(response.data["version"]), response=response)
        return response

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(getattr(response, "data", None), dict) and "version" in response.data:
            response["ETag"] = etag(response.data["version"])
        return response

    @transaction.atomic
    def create(self, request, *args, **kwargs):
        """Make a task. A POST with an `id` may be sent again: the second gives 200 and the task that stands."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        project = serializer.validated_data["project"]
        self.check_object_permissions(request, project)
        Board.locked(project.pk)  # so that of two such POSTs at once the second finds what the first made
        task = self.find_standing(serializer.validated_data.get("id"), project)
        if task is not None:
            return Response(self.get_serializer(task).data)
        serializer.save(created_by=request.user)
        return Response(serializer.data, status=status.HTTP_201_CREATED)

    def find_standing(self, pk, project):
        """The caller's own task of this id, None if there is none. Raises Conflict if it is another one."""
        task = pk and Task.objects.filter(pk=pk).first()
        if task and (task.created_by_id, task.project_id) != (self.request.user.pk, project.pk):
            raise Conflict("This id is taken.", "id_taken")
        return task

    def perform_update(self, serializer):
        if serializer.validated_data.get("parent"):
            Board.locked(
                serializer.instance.project_id
            )  # of two moves that together make a circle one must see the other
            serializer.validate_parent(serializer.validated_data["parent"])
        serializer.save()

    @action(detail=True, methods=["post"])
    @transaction.atomic
    def move(self, request, pk):
        """Put the task beside another on the board, or into another status, or both."""
        task = self.get_object()
        serializer = MoveSerializer(task, data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(self.get_serializer(task).data)

    @action(detail=False, methods=["post"])
    @transaction.atomic
    def bulk(self, request):
        """Change or delete up to 100 tasks, all or none."""
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        tasks = self.find_all(serializer.validated_data["ids"])
        if serializer.validated_data.get("delete"):
            return self.delete_all(tasks)
        return self.change_all(tasks, serializer.validated_data["set"])

    def find_all(self, ids):
        """The named tasks, locked. Raises ValidationError if one of them is not there to be seen."""
        tasks = {task.pk: task for task in self.get_queryset().filter(pk__in=ids).locked()}
        if missing := [pk for pk in ids if pk not in tasks]:
            words = [f'Invalid pk "{pk}" - object does not exist.' for pk in missing]
            raise serializers.ValidationError({"ids": words}, code="does_not_exist")
        return [tasks[pk] for pk in ids]

    def delete_all(self, tasks):
        for project, maker in {(task.project, task.created_by_id) for task in tasks}:
            refuse_deletion_of_others(self.request.user, project, maker)
        for task in tasks:
            task.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def change_all(self, tasks, values):
        for project in {task.project for task in tasks}:
            self.check_object_permissions(self.request, project)
            if values.get("parent"):
                Board.locked(project.pk)
        context = self.get_serializer_context()
        for task in tasks:
            serializer = BulkChangeSerializer(task, data=values, partial=True, context=context)
            if not serializer.is_valid():
                raise serializers.ValidationError({"set": serializer.errors})
            serializer.save()
        return Response({"results": self.get_serializer(tasks, many=True).data})


class TaskRelationViewSet(
    WriteMixin,
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    """What tasks are to each other: one blocks another, duplicates it, or has to do with it."""

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


def etag(version):
    return f'"{version}"'
