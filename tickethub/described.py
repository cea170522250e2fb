"""What is told of each operation of the API: who may be refused, what is taken and shown, filters and their types.

Both descriptions are made of it: `inspectors.py` has the words of Swagger 2.0, `openapi.py` those of OpenAPI 3.1.
"""

import re

from django import forms
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django_filters.fields import BaseCSVField, IsoDateTimeField
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.schemas.inspectors import ViewInspector
from rest_framework.schemas.utils import is_list_view
from rest_framework_simplejwt.views import TokenViewBase

from accounts.serializers import UserSerializer
from projects.filters import NamedChoiceField
from projects.serializers import MembershipSerializer
from realtime.serializers import EventQuerySerializer, PageOfEventsSerializer
from tasks.filters import PeopleField
from tasks.serializers import BulkChangeSerializer, BulkSerializer, MoveSerializer, TaskSerializer
from tickethub.transfer.serializers import ExportQuerySerializer, ImportReportSerializer

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


class File:
    """An answer that is a file, of any length."""

    shapes = {"application/json": {"type": "object"}, "text/csv": {"type": "string"}}


class ErrorSerializer(serializers.Serializer):
    detail = serializers.CharField(help_text="A sentence for a person.")
    code = serializers.CharField(help_text="A word for a program.")


class ValidationErrorSerializer(ErrorSerializer):
    errors = serializers.DictField(
        child=serializers.ListField(child=ErrorSerializer()),
        required=False,
        help_text="By field, `non_field_errors` for the whole. The first 1,000, and of what"
        " they quote, where it is long, its ends alone. Left out where the body is not JSON at all.",
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

PREFIX = "/api/v1"
VERBS = {
    "retrieve": "read",
    "partial_update": "update",
    "destroy": "delete",
    "GET": "read",
    "PATCH": "update",
    "DELETE": "delete",
}
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
QUERIES = {"events_list": EventQuerySerializer, "projects_export": ExportQuerySerializer}
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
    "projects_export": {200: File},
    "projects_import": {200: ImportReportSerializer},
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
    503: "The database is away, or the server has more to do than it can.",
}
# The shapes of the errors that are more than an Error.
ERRORS = {400: ValidationErrorSerializer, 401: UnauthorizedSerializer, 412: PreconditionFailedSerializer}
RETRY_AFTER = {"name": "Retry-After", "description": "Seconds to wait.", "schema": {"type": "integer"}}
ETAG = {"name": "ETag", "description": "The version of the task, quoted.", "schema": {"type": "string"}}
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


class Described:
    """One operation, of which `view`, `path` and `method` are known."""

    @property
    def action(self):
        return getattr(self.view, "action", None)

    @property
    def is_write(self):
        return self.method not in SAFE_METHODS

    @property
    def has_body(self):
        return self.method in {"POST", "PATCH"}

    @property
    def is_list(self):
        return is_list_view(self.path, self.method, self.view)

    @property
    def needs_token(self):
        return IsAuthenticated in self.view.permission_classes

    @property
    def is_versioned(self):
        """Whether ETag, If-Match and If-None-Match count here."""
        return hasattr(self.view, "check_precondition") and "{" in self.path

    @property
    def name(self):
        """Such as `tasks_list`, `tasks_move` or `auth_register`."""
        words = [word for word in self.path.removeprefix(PREFIX).split("/") if word and "{" not in word]
        verb = "list" if self.is_list else self.action or self.method
        if verb != "POST" and not verb.startswith(words[-1]):  # a view of one thing, or an action that the path names
            words.append(VERBS.get(verb, verb))
        return "_".join(words)

    def summary_and_description(self):
        """The docstring of the method, or the part of the view's that is about it; its first clause sums it up."""
        inspector = ViewInspector()
        inspector.view = self.view
        text = inspector.get_description(self.path, self.method)
        description = re.sub(r"(?<!\n)\n(?!\n)", " ", text).strip()
        summary = SUMMARIES.get(self.action)
        if summary is None:
            return re.split(r"[.:](?:\s|$)", description)[0].replace("`", ""), description
        one, many = nouns(self.view)
        return summary.format(one=one, many=many), description

    # What is taken

    def body(self):
        """The serializer of what is sent, None where nothing is. `taken_as` is how its definition is called."""
        if not self.has_body:
            return None
        serializer = BODIES[self.name]() if self.name in BODIES else self.view.get_serializer()
        serializer.taken_as = "{}Changes" if self.method == "PATCH" else "New{}" if self.action == "create" else "{}"
        serializer.partial = self.method == "PATCH"
        for name in NOT_TAKEN.get(self.name, ()):
            del serializer.fields[name]
        if isinstance(serializer, BulkSerializer):
            serializer.fields["set"] = changes = BulkChangeSerializer(partial=True, required=False)
            changes.taken_as = "{}"
        return serializer

    @property
    def needs_body(self):
        return self.method != "PATCH"  # which without a body changes nothing

    def parameters(self):
        """What is taken in the query and in headers: `{"name", "in", "description", "required", "schema"}` of each."""
        if self.name in QUERIES:
            return parameters_of_query(QUERIES[self.name]())
        if self.action == "list":
            offset = parameter("offset", "So many are left out first.", type="integer", minimum=0, default=0)
            return [*parameters_of_filters(self.view), limit_parameter(), offset]
        if self.is_versioned:
            name, effect = ("If-Match", "412 if it is another") if self.is_write else ("If-None-Match", "304 if it is")
            words = f"The version that the client has, as `ETag` gave it: {effect}."
            return [parameter(name, words, location="header", type="string")]
        return []

    # What is answered

    def successes(self):
        """`{status: serializer class}`, None for an answer without a body; no entry at all where it is the view's."""
        return ANSWERS.get(self.name, {})

    def headers(self, status):
        if int(status) in {429, 503}:
            return [RETRY_AFTER]
        shows_task = self.is_versioned or self.name == "tasks_create"
        return [ETAG] if shows_task and int(status) in {200, 201, 304} else []

    def errors(self):
        """`{status: serializer class}` of the errors that can occur, in order."""
        occurs = {
            400: True,  # a body, or an unknown query parameter
            401: self.needs_token or isinstance(self.view, TokenViewBase),
            403: self.is_write and len(self.view.permission_classes) > 1,
            404: "{" in self.path,
            406: True,
            409: self.is_write and self.needs_token,
            412: self.is_versioned and self.is_write,
            413: self.has_body,
            415: self.has_body,
            429: True,
            503: True,
            **UNLIKE_OTHERS.get(self.name, {}),
        }
        return {status: ERRORS.get(status, ErrorSerializer) for status in sorted(occurs) if occurs[status]}


# --- Definitions: one for each use of a serializer, as it is shown, as POST takes it, as PATCH takes it ---------------


def name_of(serializer):
    """How the definition of a serializer is called."""
    name = type(serializer).__name__.removesuffix("Serializer")
    if hasattr(serializer, "taken_as") and name.startswith("New"):
        return name
    return getattr(serializer, "taken_as", "{}").format(NAMES.get(name, name))


def fit(serializer):
    """Leave the fields of a serializer that are taken or shown, whichever it is for."""
    as_taken(serializer) if hasattr(serializer, "taken_as") else as_shown(serializer)


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
        field.validators = []
        field.allow_null = field.allow_null or is_nullable(model, field.source)
        if isinstance(field, serializers.CharField):
            field.allow_blank = True
        if isinstance(field, serializers.IntegerField):
            field.min_value = field.max_value = None


def is_nullable(model, name):
    try:
        return model is not None and model._meta.get_field(name).null
    except FieldDoesNotExist:
        return False


# --- Parameters -----------------------------------------------------------------------------------------------------


def parameter(name, words, location="query", required=False, **schema):
    return {"name": name, "in": location, "description": words, "required": required, "schema": schema}


def limit_parameter():
    size, largest = settings.REST_FRAMEWORK["PAGE_SIZE"], settings.MAX_PAGE_SIZE
    words = f"So many at most; more than {largest} are cut to {largest}."
    return parameter("limit", words, type="integer", minimum=1, default=size)


def parameters_of_query(serializer):
    """Of the fields of a serializer that takes the query."""
    return [
        limit_parameter()
        if name == "limit"
        else parameter(name, field.help_text, required=field.required, **of_query(field))
        for name, field in serializer.fields.items()
    ]


def of_query(field):
    if isinstance(field, serializers.ChoiceField):
        return {"type": "string", "enum": list(field.choices), "default": field.default}
    return {"type": "string", "minLength": 1}


def parameters_of_filters(view):
    """Of the fields of the filterset's form."""
    filterset = view.filterset_class(request=view.request)
    return [of_field(name, field) for name, field in filterset.form.fields.items()]


def of_field(name, field):
    shape, style = form_of(field), {}
    if isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField | BaseCSVField):
        shape = {"type": "array", "items": shape}
        style = {"style": "form", "explode": True}  # `?a=1&a=2`
    return parameter(name, str(field.help_text), **shape) | style


def form_of(field):
    """The type of one value of a form field: `{"type", "format" or "enum"}`."""
    shape = {"type": "string"}
    if isinstance(field, forms.ModelChoiceField):
        takes_words = isinstance(field, NamedChoiceField | PeopleField) or field.to_field_name
        return shape if takes_words else shape | {"format": "uuid"}
    if isinstance(field, forms.ChoiceField):
        return shape | {"enum": [value for value, _ in field.choices if value]}
    if isinstance(field, IsoDateTimeField):
        return shape | {"format": "date-time"}
    if isinstance(field, forms.DateField):
        return shape | {"format": "date"}
    longest = getattr(field, "max_length", None)
    return shape | {"maxLength": longest} if longest else shape
