"""What drf-yasg does not see by itself: who may be refused, what is taken and what is shown, filters and their types.

drf-yasg loads this module by SWAGGER_SETTINGS while it imports its own inspectors, so nothing else may import it.
"""

import re

from django import forms
from django.conf import settings
from django_filters.fields import BaseCSVField, IsoDateTimeField
from drf_yasg import inspectors, openapi
from drf_yasg.inspectors.field import get_model_field
from drf_yasg.utils import merge_params
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework_simplejwt.views import TokenViewBase

from accounts.serializers import UserSerializer
from projects.filters import NamedChoiceField
from projects.serializers import MembershipSerializer
from realtime.serializers import EventQuerySerializer, PageOfEventsSerializer
from tasks.filters import PeopleField
from tasks.serializers import BulkChangeSerializer, BulkSerializer, MoveSerializer, TaskSerializer

# --- Shapes that no serializer of the views has -------------------------------------------------------------------


class TokenPairSerializer(serializers.Serializer):
    access = serializers.CharField(help_text="Goes into the header: `Authorization: Bearer <access>`.")
    refresh = serializers.CharField(help_text="Gets the next pair, once.")


class MessageSerializer(serializers.Serializer):
    detail = serializers.CharField(help_text="A sentence for a person.")


class EmptySerializer(serializers.Serializer):
    pass


class TaskListSerializer(serializers.Serializer):
    results = TaskSerializer(many=True)


class ErrorSerializer(serializers.Serializer):
    detail = serializers.CharField(help_text="A sentence for a person.")
    code = serializers.CharField(help_text="A word for a program.")


class ValidationErrorSerializer(ErrorSerializer):
    errors = serializers.DictField(
        child=serializers.ListField(child=ErrorSerializer()),
        required=False,
        help_text="By field, `non_field_errors` for the whole. Left out where the body is not JSON at all.",
    )


class UnauthorizedSerializer(ErrorSerializer):
    messages = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong with the access token.",
    )


class PreconditionFailedSerializer(ErrorSerializer):
    current = TaskSerializer(help_text="The task as it is now.")


# --- What is told of an operation ---------------------------------------------------------------------------------

SUMMARIES = {
    "list": "List {many}",
    "retrieve": "Get {one}",
    "create": "Create {one}",
    "partial_update": "Change {one}",
    "destroy": "Delete {one}",
}
# The bodies of operations that take something else than their view's serializer, and what one does not take of it.
BODIES = {"tasks_bulk": BulkSerializer, "tasks_move": MoveSerializer}
NOT_TAKEN = {"projects_create": {"archived"}}
# The successes of operations that answer otherwise than with their view's serializer and the usual status.
ANSWERS = {
    "auth_register": {201: UserSerializer},
    "auth_token": {200: TokenPairSerializer},
    "auth_token_refresh": {200: TokenPairSerializer},
    "auth_token_blacklist": {200: EmptySerializer},
    "auth_password_change": {204: None},
    "auth_password_reset": {202: MessageSerializer},
    "auth_password_reset_confirm": {204: None},
    "events_list": {200: PageOfEventsSerializer},
    "invitations_accept": {201: MembershipSerializer},
    "tasks_bulk": {200: TaskListSerializer, 204: None},
    "tasks_create": {200: TaskSerializer, 201: TaskSerializer},
    "tasks_move": {200: TaskSerializer},
    "tasks_read": {200: TaskSerializer, 304: None},
}
WORDS = {
    200: "Done.",
    201: "Made.",
    202: "Taken, and being done.",
    204: "Done; there is nothing to show.",
    304: "It has not changed: `If-None-Match` names its version.",
    400: "What was sent is not valid.",
    401: "The token or the credentials are missing, wrong, expired or revoked.",
    403: "The caller may see this, but may not do it.",
    404: "There is no such thing, or the caller may not see it.",
    406: "`Accept` leaves out JSON, which is all that is answered.",
    409: "This conflicts with the present state.",
    410: "The log does not reach back to `after`; the code is `resync`. Load anew.",
    412: "The task is not the version that `If-Match` names.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    429: "Too many requests.",
    503: "The database is away.",
}
# The shapes of the errors that are more than an Error.
ERRORS = {400: ValidationErrorSerializer, 401: UnauthorizedSerializer, 412: PreconditionFailedSerializer}
RETRY_AFTER = {"Retry-After": {"type": "integer", "description": "Seconds to wait."}}
ETAG = {"ETag": {"type": "string", "description": "The version of the task, quoted."}}
# Operations whose path and method alone would say something else about an error.
UNLIKE_OTHERS = {
    "auth_register": {409: True},
    "auth_password_change": {409: False},
    "projects_create": {403: False},
    "invitations_accept": {403: False, 404: True},
    "events_list": {404: True, 410: True},
}
# Definitions that would be called after their class.
NAMES = {"Login": "Credentials", "Accept": "InvitationToken", "NewInvitation": "InvitationWithToken"}


def nouns(view):
    """`("a task", "tasks")` for a view of tasks."""
    meta = view.filterset_class._meta.model._meta
    article = "an" if meta.verbose_name[0] in "aeio" else "a"
    return f"{article} {meta.verbose_name}", str(meta.verbose_name_plural)


class AutoSchema(inspectors.SwaggerAutoSchema):
    """One operation."""

    @property
    def is_write(self):
        return self.method not in SAFE_METHODS

    @property
    def needs_token(self):
        return IsAuthenticated in self.view.permission_classes

    @property
    def is_versioned(self):
        """Whether ETag, If-Match and If-None-Match count here."""
        return hasattr(self.view, "check_precondition") and "{" in self.path

    def get_operation_id(self, operation_keys=None):
        keys = [key.replace("partial_", "") for key in operation_keys or self.operation_keys]
        if self.method == "POST" and not hasattr(self.view, "action"):  # a view that does this one thing
            keys.remove("create")
        return "_".join(keys)

    def get_summary_and_description(self):
        """The docstring of the method, or the part of the view's that is about it; its first clause sums it up."""
        text = self._sch.get_description(self.path, self.method)
        description = re.sub(r"(?<!\n)\n(?!\n)", " ", text).strip()
        summary = SUMMARIES.get(getattr(self.view, "action", None))
        if summary is None:
            return re.split(r"[.:](?:\s|$)", description)[0].replace("`", ""), description
        one, many = nouns(self.view)
        return summary.format(one=one, many=many), description

    def get_security(self):
        return None if self.needs_token else []

    # What is taken

    def get_request_serializer(self):
        if self.method not in self.implicit_body_methods:
            return None
        operation = self.get_operation_id()
        serializer = BODIES[operation]() if operation in BODIES else self.get_view_serializer()
        is_new = getattr(self.view, "action", None) == "create"
        serializer.taken_as = "{}Changes" if self.method == "PATCH" else "New{}" if is_new else "{}"
        serializer.partial = self.method == "PATCH"
        for name in NOT_TAKEN.get(operation, ()):
            del serializer.fields[name]
        if isinstance(serializer, BulkSerializer):
            serializer.fields["set"] = changes = BulkChangeSerializer(partial=True, required=False)
            changes.taken_as = "{}"
        return serializer

    def get_request_body_parameters(self, consumes):
        parameters = super().get_request_body_parameters(consumes)
        for body in parameters:
            body.required = self.method != "PATCH"  # which without a body changes nothing
        return parameters

    def get_query_serializer(self):
        return EventQuerySerializer() if self.get_operation_id() == "events_list" else None

    def add_manual_parameters(self, parameters):
        more = []
        if self.is_versioned:
            name, effect = ("If-Match", "412 if it is another") if self.is_write else ("If-None-Match", "304 if it is")
            words = f"The version that the client has, as `ETag` gave it: {effect}."
            more = [openapi.Parameter(name, openapi.IN_HEADER, words, required=False, type=openapi.TYPE_STRING)]
        elif self.get_operation_id() == "events_list":
            more = [limit_parameter()]
        return merge_params(parameters, more)

    # What is answered

    def get_response_serializers(self):
        answers = ANSWERS.get(self.get_operation_id()) or self.get_default_responses()
        errors = {status: ERRORS.get(status, ErrorSerializer) for status in self.get_errors()}
        return {
            str(status): openapi.Response(
                WORDS[int(status)],
                schema() if isinstance(schema, type) else schema or None,
                headers=self.headers(status),
            )
            for status, schema in {**answers, **errors}.items()
        }

    def headers(self, status):
        if int(status) in {429, 503}:
            return RETRY_AFTER
        shows_task = self.is_versioned or self.get_operation_id() == "tasks_create"
        return ETAG if shows_task and int(status) in {200, 201, 304} else None

    def get_errors(self):
        """The statuses of the errors that can occur, in order."""
        has_body = self.method in self.implicit_body_methods
        occurs = {
            400: True,  # a body, or an unknown query parameter
            401: self.needs_token or isinstance(self.view, TokenViewBase),
            403: self.is_write and len(self.view.permission_classes) > 1,
            404: "{" in self.path,
            406: True,
            409: self.is_write and self.needs_token,
            412: self.is_versioned and self.is_write,
            413: has_body,
            415: has_body,
            429: True,
            503: True,
            **UNLIKE_OTHERS.get(self.get_operation_id(), {}),
        }
        return sorted(status for status in occurs if occurs[status])


# --- Bodies -------------------------------------------------------------------------------------------------------


class SerializerInspector(inspectors.ReferencingSerializerInspector):
    """A definition for each use of a serializer: as it is shown, as POST takes it, as PATCH takes it."""

    def get_serializer_ref_name(self, serializer):
        name = type(serializer).__name__.removesuffix("Serializer")
        if hasattr(serializer, "taken_as") and name.startswith("New"):
            return name
        return getattr(serializer, "taken_as", "{}").format(NAMES.get(name, name))

    def field_to_swagger_object(self, field, *args, **kwargs):
        if isinstance(field, serializers.Serializer):
            as_taken(field) if hasattr(field, "taken_as") else as_shown(field)
        result = super().field_to_swagger_object(field, *args, **kwargs)
        if isinstance(field, BulkChangeSerializer):
            result.resolve(self.components).additional_properties = False
        return result

    def process_result(self, result, method_name, obj, **kwargs):
        if "pattern" in (result or ()):
            result.pattern = result.pattern.replace(r"\A", "^")  # which JavaScript takes for the letter
        return result


def as_taken(serializer):
    """Leave the fields that a client may send."""
    fixed = getattr(getattr(serializer, "Meta", None), "fixed", []) if serializer.partial else []
    for name, field in list(serializer.fields.items()):
        if field.read_only or name in fixed:
            del serializer.fields[name]
        field.label = ""
        field.required = field.required and not serializer.partial


def as_shown(serializer):
    """Leave the fields that an answer has: all of them, always.

    Limits are about input, and those of numbers differ by database.
    """
    model = getattr(getattr(serializer, "Meta", None), "model", None)
    for name, field in list(serializer.fields.items()):
        if field.write_only:
            del serializer.fields[name]
        field.label = ""
        field.required = field.required or model is not None
        field.read_only = False
        field.allow_blank = True
        field.validators = []
        field.allow_null = field.allow_null or getattr(get_model_field(model, field.source), "null", False)


class ChoiceInspector(inspectors.FieldInspector):
    """Choices, as the API spells them."""

    def field_to_swagger_object(self, field, swagger_object_type, use_references, **kwargs):
        if not isinstance(field, serializers.ChoiceField):
            return inspectors.NotHandled
        make, _ = self._get_partial_types(field, swagger_object_type, use_references, **kwargs)
        return make(type=openapi.TYPE_STRING, enum=list(field.choices))


# --- Queries ------------------------------------------------------------------------------------------------------

WHOLE = {"in_": openapi.IN_QUERY, "required": False, "type": openapi.TYPE_INTEGER}


def form_of(field):
    """The type of one value of a form field: `{"type", "format" or "enum"}`."""
    shape = {"type": openapi.TYPE_STRING}
    if isinstance(field, forms.ModelChoiceField):
        takes_words = isinstance(field, NamedChoiceField | PeopleField) or field.to_field_name
        return shape if takes_words else shape | {"format": openapi.FORMAT_UUID}
    if isinstance(field, forms.ChoiceField):
        return shape | {"enum": [value for value, _ in field.choices if value]}
    if isinstance(field, IsoDateTimeField):
        return shape | {"format": openapi.FORMAT_DATETIME}
    if isinstance(field, forms.DateField):
        return shape | {"format": openapi.FORMAT_DATE}
    return shape | {"max_length": getattr(field, "max_length", None)}


def limit_parameter():
    size, largest = settings.REST_FRAMEWORK["PAGE_SIZE"], settings.MAX_PAGE_SIZE
    words = f"So many at most; more than {largest} are cut to {largest}."
    return openapi.Parameter("limit", minimum=1, default=size, description=words, **WHOLE)


class FilterInspector(inspectors.FilterInspector):
    """Query parameters from the fields of the filterset's form."""

    def get_filter_parameters(self, filter_backend):
        filterset_class = filter_backend.get_filterset_class(self.view)
        filterset = filterset_class(request=self.view.request)
        return [self.describe(name, field) for name, field in filterset.form.fields.items()]

    def describe(self, name, field):
        shape = form_of(field)
        is_multiple = isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField)
        if is_multiple or isinstance(field, BaseCSVField):
            separator = "multi" if is_multiple else "csv"
            shape = {"type": openapi.TYPE_ARRAY, "items": openapi.Items(**shape), "collection_format": separator}
        return openapi.Parameter(name, openapi.IN_QUERY, str(field.help_text), required=False, **shape)


class PageInspector(inspectors.DjangoRestResponsePagination):
    """`limit` and `offset`, and the page that they give."""

    def get_paginator_parameters(self, paginator):
        offset = openapi.Parameter("offset", minimum=0, default=0, description="So many are left out first.", **WHOLE)
        return [limit_parameter(), offset]

    def get_paginated_response(self, paginator, response_schema):
        page = super().get_paginated_response(paginator, response_schema)
        page.required = list(page.properties)
        return page
