"""The log by REST."""

from django.db.models import Case, When
from django.db.models.lookups import LessThan
from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.models import Event
from realtime.newest import find_with_newest
from realtime.serializers import EventQuerySerializer, EventSerializer
from tickethub.filters import refuse_unknown
from tickethub.pagination import page_size
from tickethub.prepared import Prepared
from tickethub.projections import Projection
from tickethub.viewsets import KeptPlansMixin

LARGEST = 1024 * 1024  # bytes: no page gets another event beyond it
SHOWN = Projection.of(EventSerializer)


def page(events, after, newest, most):
    """The rows of a page, and in each, last, the size of those before it: where that is too much already, what is large
    in it is left out, and is not even read.
    """
    before = Event.objects.size_before()
    large = {name: Case(When(LessThan(before, LARGEST), then=name)) for name in ("changes", "object")}
    rows = SHOWN.read(events.filter(seq__gt=after, seq__lte=newest), **large)
    return rows.annotate(size_before=before)[:most]


OF_PROJECT = Prepared(lambda project, *place: page(Event.objects.of(project), *place), numbers=3)
OF_TASK = Prepared(lambda project, task, *place: page(Event.objects.of(project).about_task(task), *place), numbers=3)


class EventsView(KeptPlansMixin, APIView):
    """A project's log, oldest first: for history, for catching up, for keeping a copy.

    Without `after` and `task` no events come, only the cursor of now: read it first, load the lists, and go on from it.
    A page of large events is a short one: go on while `has_more` is true.
    410 with the code `resync` where the log no longer reaches back to `after`: load the lists anew.
    """

    def get(self, request):
        query = EventQuerySerializer(data=request.query_params.dict())
        refuse_unknown(request.query_params, query.fields)
        query.is_valid(raise_exception=True)
        limit = page_size(request.query_params)
        project = find_with_newest(query.validated_data["project"], request.user)
        if project is None or project.newest_nonce is None:  # or it has no log: one that was made past the application
            raise Http404
        newest = Event.cursor_of(project.newest_seq, project.newest_nonce)
        task = self.find_task(project, query.validated_data.get("task"))
        after = query.validated_data.get("after") or (None if task else newest)
        place = min(number_of(after), project.newest_seq), project.newest_seq, limit + 1
        rows = list(OF_TASK.all(project.pk, task.pk, *place) if task else OF_PROJECT.all(project.pk, *place))
        if after and after != newest:
            Event.objects.at_cursor(project.pk, after)  # while this stands, nothing that follows it was pruned
        page = [SHOWN.show(row) for row in rows[:limit] if row[-1] < LARGEST]
        has_more = len(page) < len(rows)
        return Response({"results": page, "cursor": page[-1]["cursor"] if has_more else newest, "has_more": has_more})

    @staticmethod
    def find_task(project, name):
        """The task of the project with this id or key, None without one."""
        if name is None:
            return None
        task = project.tasks.named(name).first()
        if task is None:
            raise ValidationError({"task": "This project has no such task."}, code="does_not_exist")
        return task


def number_of(cursor):
    """The number of the event that a cursor names, 0 without one. Raises ValidationError for what is no cursor."""
    try:
        return Event.read_cursor(cursor)[0] if cursor else 0
    except ValueError as error:
        raise ValidationError({"after": str(error)}) from error
