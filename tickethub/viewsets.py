"""What viewsets of all apps share."""

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework import mixins, viewsets
from rest_framework.permissions import SAFE_METHODS


class WriteMixin:
    """A write, with the checks it rests on, is one transaction; PATCH is the one way to update."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @transaction.atomic
    def create(self, request, *args, **kwargs):
        return super().create(request, *args, **kwargs)

    @transaction.atomic
    def partial_update(self, request, *args, **kwargs):
        return super().partial_update(request, *args, **kwargs)

    @transaction.atomic
    def destroy(self, request, *args, **kwargs):
        return super().destroy(request, *args, **kwargs)

    def get_object(self):
        """The object, locked where it is about to be changed."""
        queryset = self.filter_queryset(self.get_queryset())
        if self.request.method not in SAFE_METHODS:
            queryset = queryset.select_for_update(of=("self",), no_key=True)
        obj = get_object_or_404(self.find(queryset, self.kwargs["pk"]))
        self.check_object_permissions(self.request, obj)
        return obj

    def find(self, queryset, name):
        """The row that the path names, by id, or by whatever else the QuerySet's `named` understands."""
        return queryset.named(name) if hasattr(queryset, "named") else queryset.filter(pk=name)


class ModelViewSet(WriteMixin, viewsets.ModelViewSet):
    """Django REST framework's, writing in transactions."""


class UpdateDestroyViewSet(
    WriteMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet,
):
    pass
