"""What drf-spectacular asks of us, as `described.py` has it, in the words of OpenAPI 3.1: for clients to be made of."""

from functools import cache

from drf_spectacular import generators, openapi
from drf_spectacular.plumbing import append_meta, build_basic_type, build_object_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from projects.models import Role, Status
from tasks.models import TaskRelation
from tasks.serializers import BulkChangeSerializer
from tickethub.described import PREFIX, WORDS, Described, EmptySerializer, File, fit, name_of, nouns
from tickethub.schema import EXAMPLES, SECURITY, TAGS, VERSION, info, path_parameters

# Where the settings find the choices that get a name.
RELATION_TYPES, ROLES, STATUS_CATEGORIES = TaskRelation.Type.values, Role.values, Status.Category.values


def shapes(status, answer):
    """What an answer may be, by its status, or by that and its media type."""
    if answer is File:
        return {(status, kind): shape for kind, shape in File.shapes.items()}
    return {status: {"type": "object"} if answer is EmptySerializer else answer}


class AutoSchema(Described, openapi.AutoSchema):
    """One operation."""

    def get_operation_id(self):
        return self.name

    def get_summary(self):
        return self.summary_and_description()[0]

    def get_description(self):
        return self.summary_and_description()[1]

    def get_auth(self):
        return [{name: [] for name in SECURITY}] if self.needs_token else []

    def _get_parameters(self):
        return [*path_parameters(self.path, type(self.view)), *self.parameters()]

    # Bodies

    def get_request_serializer(self):
        return self.body()

    def _get_request_body(self, direction="request"):
        body = super()._get_request_body(direction)
        return body and body | {"required": self.needs_body}

    def get_response_serializers(self):
        answers = {**(self.successes() or self.usual_success()), **self.errors()}
        return {
            key: OpenApiResponse(shape, WORDS[status])
            for status, answer in answers.items()
            for key, shape in shapes(status, answer).items()
        }

    def usual_success(self):
        if self.method == "DELETE":
            return {204: None}
        return {201 if self.method == "POST" else 200: self.view.get_serializer()}

    def _get_response_headers_for_code(self, status_code, direction="response"):
        return {
            header["name"]: {name: header[name] for name in ("description", "schema")}
            for header in self.headers(status_code)
        }

    def get_paginated_name(self, serializer_name):
        _, many = nouns(self.view)
        return "PageOf" + many.title().replace(" ", "")

    def _get_paginator(self):
        return Page()

    # Definitions

    def _get_serializer_name(self, serializer, direction, bypass_extensions=False):
        return name_of(serializer)

    def _map_basic_serializer(self, serializer, direction):
        fit(serializer)
        definition = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, BulkChangeSerializer):
            definition["additionalProperties"] = False
        return definition

    def _map_serializer_field(self, field, direction, bypass_extensions=False):
        if isinstance(field, serializers.JSONField):  # which are objects, all of them
            return append_meta(build_basic_type(OpenApiTypes.OBJECT), self._get_serializer_field_meta(field, direction))
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        schema.pop("x-spec-enum-id", None)  # of the words for people: what has the same choices gets one name
        return schema


class Page:
    """What drf-spectacular asks a paginator."""

    def get_paginated_response_schema(self, results):
        address = {"type": ["string", "null"], "format": "uri"}
        properties = {"count": {"type": "integer"}, "next": address, "previous": address, "results": results}
        return build_object_type(properties=properties, required=list(properties))


class Generator(generators.SchemaGenerator):
    """drf-spectacular's, with the words and examples that both descriptions share."""

    def create_view(self, callback, method, request=None):
        """Give the view our AutoSchema. As Django REST framework's default, each start of a server would import it."""
        view = super().create_view(callback, method, request)
        self._set_schema_to_view(view, AutoSchema())
        return view

    def get_schema(self, request=None, public=False):
        document = super().get_schema(request, public)
        document["info"] = {**info, "version": VERSION}
        document["servers"] = [{"url": PREFIX}]
        document["tags"] = [{"name": name, "description": words} for name, words in TAGS.items()]
        document["components"]["securitySchemes"] = SECURITY
        definitions = document["components"]["schemas"]
        for name in EXAMPLES.keys() & definitions.keys():
            definitions[name]["examples"] = [EXAMPLES[name]]
        name_choices(document)
        return document


def name_choices(document):
    """Refer to the choices that have a name from parameters as well; drf-spectacular does so from fields alone."""
    named = {tuple(each["enum"]): name for name, each in document["components"]["schemas"].items() if "enum" in each}
    for operation in (operation for item in document["paths"].values() for operation in item.values()):
        for parameter in operation.get("parameters", []):
            place = parameter["schema"] if "items" in parameter["schema"] else parameter
            key = "items" if "items" in place else "schema"
            if name := named.get(tuple(place[key].get("enum", ()))):
                place[key] = {"$ref": f"#/components/schemas/{name}"}


@cache
def document():
    """The whole description: the same for everybody, and as long as the process lives."""
    return Generator().get_schema(public=True)
