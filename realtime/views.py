"""The log by REST."""

from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.models import Event
from realtime.newest import find_with_newest
from realtime.serializers import EventQuerySerializer, EventSerializer
from tickethub.filters import refuse_unknown
from tickethub.pagination import page_size
from tickethub.projections import Projection
from tickethub.viewsets import KeptPlansMixin


class EventsView(KeptPlansMixin, APIView):
    """A project's log, oldest first: for history, for catching up, for keeping a copy.

    Without `after` and `task` no events come, only the cursor of now: read it first, load the lists, and go on from it.
    410 with the code `resync` where the log no longer reaches back to `after`: load the lists anew.
    """

    def get(self, request):
        query = EventQuerySerializer(data=request.query_params.dict())
        refuse_unknown(request.query_params, query.fields)
        query.is_valid(raise_exception=True)
        limit = page_size(request.query_params)
        project = find_with_newest(query.validated_data["project"], request.user)
        if project is None:
            raise Http404
        newest = Event.cursor_of(project.newest_seq, project.newest_nonce)
        task = self.find_task(project, query.validated_data.get("task"))
        after = query.validated_data.get("after") or (None if task else newest)
        events = Event.objects.of(project.pk).filter(seq__gt=number_of(after), seq__lte=project.newest_seq)
        shown = Projection.of(EventSerializer)
        rows = shown.read(events.about_task(task.pk) if task else events)[: limit + 1]
        events = [shown.show(row) for row in rows]
        if after and after != newest:
            Event.objects.at_cursor(project.pk, after)  # while this stands, nothing that follows it was pruned
        page, has_more = events[:limit], len(events) > limit
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
