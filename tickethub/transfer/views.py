"""Import and export by REST."""

from django.conf import settings
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

from projects.filters import ProjectFilter
from projects.models import Project, Role
from projects.permissions import IsProjectMember, require_role
from tickethub.errors import PayloadTooLarge
from tickethub.filters import refuse_unknown
from tickethub.pool import PATIENT, set_bounds
from tickethub.streaming import PiecewiseResponse
from tickethub.transactions import in_transaction
from tickethub.transfer.exporting import Export
from tickethub.transfer.importing import take
from tickethub.transfer.matching import UnknownMeaning
from tickethub.transfer.reading import read
from tickethub.transfer.report import MOST, Refused
from tickethub.transfer.rows import Unreadable
from tickethub.transfer.serializers import ExportQuerySerializer, ImportSerializer
from tickethub.viewsets import GenericViewSet

CONTENT_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


class IsProjectOwner(IsProjectMember):
    needed = Role.OWNER


class TransferViewSet(GenericViewSet):
    """Projects, out of TicketHub and into it."""

    serializer_class = ImportSerializer
    permission_classes = [IsAuthenticated, IsProjectOwner]
    filterset_class = ProjectFilter
    lookup_value_converter = "str"

    @property
    def throttle_scope(self):
        return {"import_tasks": "import", "export_tasks": "export"}.get(self.action)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        if self.action == "import_tasks":
            take_in(request._request, settings.IMPORT_MAX_SIZE)

    def perform_content_negotiation(self, request, force=False):
        # Of an export `format` says what it is, whatever the client would rather have.
        return super().perform_content_negotiation(request, force or self.action == "export_tasks")

    def get_queryset(self):
        return Project.objects.visible_to(self.request.user)

    @action(detail=True, methods=["post"], url_path="import")
    def import_tasks(self, request, pk):
        """Import tasks into a project, as an owner: what TicketHub, GitHub, Jira or Trello exported, as JSON or CSV.

        All or nothing: where a row cannot be taken, the 400 tells of each under `data.<row>.<field>`. What was imported
        before is left as it is, so that a file can be imported again. The caller is the author of what is not theirs,
        and the text says whose it was. Tasks that are here keep their numbers; new ones get those of the file where
        these are free.
        """
        project = self.get_project(request, pk)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        options = serializer.validated_data
        try:
            file = read(options.pop("data"), options.pop("format", None), settings.IMPORT_MAX_ROWS)
        except Unreadable as error:
            raise ValidationError({"data": str(error)}, code=error.code) from error
        return Response(self.take(project, file, **options).as_data())

    def get_project(self, request, pk):
        """The project, for those who may import: before its file is read, which takes longer than all else."""
        project = get_object_or_404(self.get_queryset().named(pk))
        require_role(request.user, project, Role.OWNER, locked=True)
        return project

    @in_transaction
    def take(self, project, file, **options):
        """Import, in a transaction that begins with the right to. Gives the Report. Raises ValidationError."""
        project = self.get_object()
        set_bounds(PATIENT)
        try:
            return take(file, project, self.request.user, **options)
        except UnknownMeaning as error:
            raise ValidationError({error.field: str(error)}, code="does_not_exist") from error
        except Refused as error:
            raise ValidationError({"data": by_row(error.report.refused[:MOST])}) from error

    @action(detail=True, methods=["get"], url_path="export")
    def export_tasks(self, request, pk):
        """Export a project, as anybody in it: `format=json` has all that can be imported again, `csv` what has a task.

        It is sent while it is read, so what changes meanwhile may show or not.
        """
        query = ExportQuerySerializer(data=request.query_params.dict())
        refuse_unknown(request.query_params, query.fields)
        query.is_valid(raise_exception=True)
        project, format = get_object_or_404(self.get_queryset().named(pk)), query.validated_data["format"]
        export = Export(project, request.user)
        response = PiecewiseResponse(
            export.as_csv() if format == "csv" else export.as_json(), content_type=CONTENT_TYPES[format]
        )
        response["Content-Disposition"] = f'attachment; filename="{project.key}.{format}"'
        return response


def take_in(request, most):
    """Read the body of a request that may be longer than Django takes. Raises PayloadTooLarge."""
    if not hasattr(request, "_body"):  # else Silk has read it
        request._body = request.read(most + 1)
    length = request.META.get("CONTENT_LENGTH") or 0
    if max(len(request._body), int(length)) > most:  # the server keeps nothing of one that says so
        raise PayloadTooLarge


def by_row(refused):
    """What was refused, as the errors of a field: `{row: {field: [why]}}`."""
    errors = {}
    for each in refused:
        told = errors.setdefault(str(each["row"]), {}).setdefault(each["field"], [])
        told.append(ErrorDetail(each["detail"], each["code"]))
    return errors
