"""What viewsets of all apps share."""

from contextlib import nullcontext, suppress
from functools import cache
from types import SimpleNamespace

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import UUIDField
from django.http import Http404
from django.utils.functional import cached_property
from rest_framework import mixins, status, viewsets
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from tickethub.filters import StrictFilterBackend, refuse_unknown
from tickethub.prepared import Prepared, plans_kept
from tickethub.projections import Projection
from tickethub.threads import turn_to_search
from tickethub.transactions import in_transaction


class StrictPostMixin:
    """A POST takes no query parameters."""

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and hasattr(self, "post"):  # else it is a 405
            refuse_unknown(request.query_params, ())


class KeptPlansMixin:
    """PostgreSQL keeps its plans of what is asked by ids: of single objects, changes, and lists that nobody filters.

    `scopes` narrow a list so far that one plan suits all of them.
    """

    scopes = {"project", "task"}
    asked_alike = {*scopes, "limit", "offset", "ordering", "after"}

    def dispatch(self, request, *args, **kwargs):
        with plans_kept() if self.is_asked_alike(request) else nullcontext():
            return super().dispatch(request, *args, **kwargs)

    def is_asked_alike(self, request):
        """Whether one plan suits all requests like this one. Of all projects together it would not: one has many tasks,
        and another person hardly any.
        """
        if request.method not in SAFE_METHODS or getattr(self, "detail", False):
            return True
        return bool(request.GET.keys() & self.scopes) and request.GET.keys() <= self.asked_alike


class GenericViewSet(KeptPlansMixin, StrictPostMixin, viewsets.GenericViewSet):
    """Objects are locked where they are about to be changed; PATCH is the one way to update."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def get_object(self):
        obj = self.find_one(type(self).locked)
        self.check_object_permissions(self.request, obj)
        return obj

    def locked(self, rows):
        return rows.select_for_update(of=("self",), no_key=True)

    @cached_property
    def projection(self):
        return Projection.of(self.get_serializer_class())

    def shown(self, rows):
        """What `projection` shows of the rows."""
        return self.projection.read(rows)

    def find_one(self, how):
        """The row that the path names, got as `how(view, rows)` makes it of the rows. Raises Http404 for none.

        A query parameter is refused: on a single object there are none.
        """
        refuse_unknown(self.request.query_params, ())
        name = self.kwargs["pk"]
        row = (
            self.by_id(how).first(name, self.request.user.pk) or how(self, self.find(self.get_queryset(), name)).first()
        )
        if row is None:
            raise Http404
        return row

    @classmethod
    @cache
    def by_id(cls, how):
        """The row of an id, as somebody sees it."""

        def make(pk, user):
            view = cls(request=SimpleNamespace(user=get_user_model()(pk=user)), action="retrieve")
            return how(view, view.get_queryset().filter(pk=pk).order_by())

        return Prepared(make)

    def find(self, queryset, name):
        """The row that the path names, by id, or by whatever else the QuerySet's `named` understands."""
        return queryset.named(name) if hasattr(queryset, "named") else queryset.filter(pk=name)


class RetrieveModelMixin:
    def retrieve(self, request, *args, **kwargs):
        # Whoever sees it may read it: that is `get_queryset`'s to say, no permission's.
        return Response(self.projection.show(self.find_one(type(self).shown)))


class ListModelMixin:
    # Orders in which what has something in common stands together, such as what is done. PostgreSQL takes it to be
    # spread evenly, and would read on and on for the first that a filter finds.
    apart = frozenset()

    def list(self, request, *args, **kwargs):
        with turn_to_search() if request.query_params.get("search") else nullcontext():
            return self.listed(request)

    def listed(self, request):
        scope = self.scope_alone(request.query_params)
        page = self.page_of(scope)
        if not page:  # there may be no such scope, or none that the caller sees
            asked = StrictFilterBackend().asked(request, self)
            found = self.scope_of(asked)
            page = page if found == scope else self.page_of(found)
            if page is None:
                asked.queryset = self.get_queryset()
                page = self.paginator.paginate_queryset(asked.qs, request, self)
        return self.get_paginated_response([self.projection.show(row) for row in page])

    def page_of(self, scope):
        """The page of a scope, given as its name and its id. None without one, and if `paginate_alike` gives none."""
        if scope is None:
            return None
        name, pk = scope
        return self.paginator.paginate_alike(
            self.request,
            lambda how, *numbers: self.within(name, how, len(numbers)).all(pk, self.request.user.pk, *numbers),
            self.skipping(name),
        )

    def scope_alone(self, query_params):
        """The scope if nothing else is asked, as `scope_of` gives it, before anything is looked up: it may be one of
        what there is not or what the caller does not see. None where it is named by anything but its id.
        """
        names = query_params.keys() - {"limit", "offset"}
        if len(names) != 1 or any(len(values) > 1 for _, values in query_params.lists()):
            return None
        [name] = names
        pk = self.named_alone(name, query_params[name])
        return (name, pk) if pk else None

    def named_alone(self, name, value):
        """The id in a filter of this name, if it is one of a scope."""
        if name not in self.scopes & self.filterset_class.base_filters.keys():
            return None
        with suppress(ValidationError):
            return UUIDField().to_python(value)

    def scope_of(self, asked):
        """The name of the scope that alone narrows a list, and its id; None where anything else is asked."""
        [name, *others] = asked.data.keys() - {"limit", "offset"} or [None]
        return (name, asked.form.cleaned_data[name].pk) if name in self.scopes and not others else None

    @classmethod
    @cache
    def within(cls, scope, how, numbers):
        """The rows of a scope, as somebody sees them and as `how(view, rows, *numbers)` has them."""

        def make(pk, user, *given):
            view = cls(request=SimpleNamespace(user=get_user_model()(pk=user)), action="list")
            return how(view, view.narrow(scope, pk), *given)

        return Prepared(make, numbers)

    def skipping(self, scope):
        """What skips many rows of a scope without a look at each, as `paginate_alike` has it; None if nothing does."""

    def narrow(self, scope, pk):
        """The rows of the scope of this id, as its filter finds them."""
        narrow = self.filterset_class({scope: pk}, self.get_queryset()).filters[scope]
        return narrow.filter(narrow.parent.queryset, narrow.extra["queryset"].model(pk=pk))


# Each write is one transaction with the checks it rests on.


class CreateModelMixin:
    @in_transaction
    def create(self, request, *args, **kwargs):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        self.perform_create(serializer)
        return Response(shown_by(serializer), status=status.HTTP_201_CREATED)

    def perform_create(self, serializer):
        serializer.save()


class UpdateModelMixin:
    @in_transaction
    def partial_update(self, request, *args, **kwargs):
        serializer = self.get_serializer(self.get_object(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        self.perform_update(serializer)
        return Response(shown_by(serializer))

    def perform_update(self, serializer):
        serializer.save()


def shown_by(serializer):
    """What is shown of what was saved: a change has made the fields alone that were sent."""
    return Projection.of(type(serializer)).picture(serializer.instance)


class DestroyModelMixin(mixins.DestroyModelMixin):
    destroy = in_transaction(mixins.DestroyModelMixin.destroy)


class ModelViewSet(
    CreateModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    GenericViewSet,
):
    pass
