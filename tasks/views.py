"""Tasks, their place on the board, and their relations."""

from contextlib import suppress
from itertools import groupby
from operator import attrgetter

from django.db import connection
from django.db.models import OuterRef, Subquery
from django.http import Http404
from django.utils.http import parse_etags
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from accounts.models import User
from projects.models import Membership
from projects.permissions import IsProjectMember
from projects.viewsets import InProjectViewSet
from tasks.bulk import SpentId, delete_all
from tasks.filters import TaskFilter, TaskRelationFilter
from tasks.models import Task, TaskRelation
from tasks.permissions import MayDelete, refuse_deletion_of_others
from tasks.serializers import (
    BulkChangeSerializer,
    BulkSerializer,
    MoveSerializer,
    TaskIdentitySerializer,
    TaskRelationSerializer,
    TaskSerializer,
    keep_named,
)
from tasks.tallies import TasksOfDay, are_kept
from tickethub.errors import Conflict, PreconditionFailed
from tickethub.transactions import hold, in_transaction
from tickethub.viewsets import CreateModelMixin, DestroyModelMixin, GenericViewSet, ListModelMixin


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
    apart = {"position", "-position"}
    kept, unread = None, None

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if self.action == "partial_update":
            try:
                request.data  # noqa: B018 what it names is locked before the task
            except Exception as error:  # refused as ever, once the caller is known as one who may write
                self.unread = error

    def get_serializer_context(self):
        return super().get_serializer_context() | {"kept": self.kept or {}}

    def is_asked_alike(self, request):
        """Also of one person, newest first: their assignments stand in that order in an index, however many."""
        names, people = request.GET.keys(), request.GET.getlist("assignee")
        return super().is_asked_alike(request) or (
            len(people) == 1 and people != ["none"] and names <= {"assignee", "project", "limit", "offset"}
        )

    def named_alone(self, name, value):
        user = self.request.user.pk
        if name == "assignee" and value in {"me", str(user)}:
            return user
        return super().named_alone(name, value)

    def scope_of(self, asked):
        people = asked.form.cleaned_data.get("assignee")
        if asked.data.keys() <= {"assignee", "limit", "offset"} and people and people[0] != "none" and not people[1:]:
            return "assignee", getattr(people[0], "pk", self.request.user.pk)  # who is no person is `me`
        return super().scope_of(asked)

    def skipping(self, scope):
        return TasksOfDay if scope == "project" and are_kept() else None

    def narrow(self, scope, pk):
        if scope == "assignee":
            return self.get_queryset().of_assignee(User(pk=pk))
        return super().narrow(scope, pk)

    def shown(self, rows):
        return super().shown(rows.with_all_shown())

    def get_object(self):
        if self.action == "partial_update" and not self.unread:
            self.kept = keep_named(self.request.data, lambda: self.find(self.get_queryset(), self.kwargs["pk"]))
        task = self.find_locked()
        self.check_object_permissions(self.request, task)
        self.check_precondition(task)
        if self.unread:
            raise self.unread
        return task

    def find_locked(self):
        """The task as it stands once it is locked, with the caller's role."""
        if not connection.features.has_select_for_update:
            return self.find_one(TaskViewSet.read)
        with suppress(Http404):  # also for one that has another status since it was waited for
            task = self.find_one(TaskViewSet.locked_and_read)
            if task.version == task.version_before:
                return task
        self.find_one(TaskViewSet.locked_alone)
        return self.find_one(TaskViewSet.read)

    def locked_and_read(self, rows):
        """Both at once, with the version of before a wait: what hangs on the task is read as it was then."""
        before = Task.objects.filter(pk=OuterRef("pk")).values("version")
        return self.locked(self.read(rows).annotate(version_before=Subquery(before)))

    def locked_alone(self, rows):
        return rows.locked().values_list("pk")

    def read(self, rows):
        return self.with_role(rows).with_all_shown()

    def with_role(self, rows):
        own = Membership.objects.filter(project=OuterRef("project"), user=self.request.user)
        return rows.annotate(callers_role=Subquery(own.values("role")))

    def check_precondition(self, task):
        """Raise PreconditionFailed if the client's If-Match names another version than the present one."""
        asked = self.request.headers.get("If-Match")
        if asked is not None and not {"*", etag(task.version)} & set(parse_etags(asked)):
            raise PreconditionFailed(self.projection.picture(task))

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
        context = self.get_serializer_context()
        # Before all else is checked: what the first one named may be gone by now, or the right to make it, and the task
        # stands all the same.
        if task := self.find_standing(context):
            return Response(self.projection.picture(task))
        serializer = self.get_serializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        self.check_object_permissions(request, serializer.validated_data["project"])
        task = serializer.save(created_by=request.user)
        return Response(self.projection.picture(task), status=status.HTTP_201_CREATED)

    def find_standing(self, context):
        """The caller's own task of the id that is sent, None if there is none.

        Raises Conflict if it is another one, or one that was deleted.
        """
        data = self.request.data
        sent = TaskIdentitySerializer(data=data, context=context)
        if not isinstance(data, dict) or "id" not in data or not sent.is_valid():
            return None
        project = sent.validated_data["project"]
        hold(sent.validated_data["id"])  # so that of two such POSTs at once the second finds what the first made
        task = Task.objects.with_all_shown().filter(pk=sent.validated_data["id"]).first()
        if task and (task.created_by_id, task.project_id) == (self.request.user.pk, project.pk):
            return task
        self.check_object_permissions(self.request, project)
        if task or SpentId.objects.filter(pk=sent.validated_data["id"]).exists():
            raise Conflict("This id is taken.", "id_taken")
        return None

    @action(detail=True, methods=["post"])
    @in_transaction
    def move(self, request, pk):
        """Put the task beside another on the board, or into another status, or both.

        With a status alone it comes last.
        """
        task = self.get_object()
        serializer = MoveSerializer(task, data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return Response(self.projection.picture(serializer.save()))

    @action(detail=False, methods=["post"])
    def bulk(self, request):
        """Change or delete up to 100 tasks, all or none.

        `set` is what PATCH takes, and gives the changed tasks; `delete: true` deletes them, and gives nothing.
        """
        serializer = BulkSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return self.change_or_delete(**serializer.validated_data)

    @in_transaction
    def change_or_delete(self, ids, set=None, delete=False):
        self.kept = keep_named(set, lambda: self.get_queryset().filter(pk__in=ids))
        tasks = self.find_all(ids)
        if delete:
            self.delete_all(tasks)
            return Response(status=status.HTTP_204_NO_CONTENT)
        changed = {task.pk: task for task in self.change_all(tasks, set)}
        return Response({"results": [self.projection.picture(changed[pk]) for pk in ids]})

    def find_all(self, ids):
        """The named tasks, locked, project by project as every writer takes them.

        Raises ValidationError if one of them is not there to be seen.
        """
        tasks = {task.pk: task for task in self.with_role(self.get_queryset().filter(pk__in=ids)).once_locked()}
        if missing := [pk for pk in ids if pk not in tasks]:
            words = [f'Invalid pk "{pk}" - object does not exist.' for pk in missing]
            raise serializers.ValidationError({"ids": words}, code="does_not_exist")
        return sorted((tasks[pk] for pk in ids), key=attrgetter("project_id"))

    def delete_all(self, tasks):
        user = self.request.user
        for project, is_own in {(task.project, task.created_by_id == user.pk) for task in tasks}:
            refuse_deletion_of_others(user, project, user.pk if is_own else None)
        delete_all(tasks)

    def change_all(self, tasks, values):
        """Give the tasks the values, project by project: what a value means depends on it. Gives the changed tasks."""
        by_project = [list(group) for _, group in groupby(tasks, key=attrgetter("project_id"))]
        for task, *_ in by_project:
            self.check_object_permissions(self.request, task)
        context = self.get_serializer_context()
        changes = [BulkChangeSerializer(group, data=values, partial=True, context=context) for group in by_project]
        for change in changes:
            if not change.is_valid():
                raise serializers.ValidationError({"set": change.errors})
        return [task for change in changes for task in change.save()]


class TaskRelationViewSet(CreateModelMixin, DestroyModelMixin, ListModelMixin, GenericViewSet):
    """What tasks are to each other: one blocks another, duplicates it, or has to do with it.

    create: Say what a task is to another one of the same project.

    destroy: Take back what a task is to another one.
    """

    serializer_class = TaskRelationSerializer
    permission_classes = [IsAuthenticated, IsProjectMember]
    filterset_class = TaskRelationFilter
    scopes = {"task"}  # of a project it depends on how many tasks it has
    lookup_value_converter = "uuid"

    def get_queryset(self):
        relations = TaskRelation.objects.visible_to(self.request.user)
        return relations.select_related("source__project").order_by("created_at", "pk")

    def perform_create(self, serializer):
        self.check_object_permissions(self.request, TaskRelation(**serializer.validated_data))
        serializer.save()


def etag(version):
    return f'"{version}"'
