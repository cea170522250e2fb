"""What drf-yasg asks of us, as `described.py` has it, in the words of Swagger 2.0.

drf-yasg loads this module by SWAGGER_SETTINGS while it imports its own inspectors, so nothing else may import it.
"""

from drf_yasg import inspectors, openapi
from rest_framework import serializers

from tasks.serializers import BulkChangeSerializer
from tickethub.described import WORDS, Described, File, fit, name_of


class AutoSchema(Described, inspectors.SwaggerAutoSchema):
    """One operation."""

    def get_operation_id(self, operation_keys=None):
        return self.name

    def get_summary_and_description(self):
        return self.summary_and_description()

    def get_security(self):
        return None if self.needs_token else []

    def get_request_serializer(self):
        return self.body()

    def get_request_body_parameters(self, consumes):
        parameters = super().get_request_body_parameters(consumes)
        for body in parameters:
            body.required = self.needs_body
        return parameters

    def get_query_parameters(self):
        return [as_parameter(**each) for each in self.parameters()]

    def get_produces(self):
        return list(File.shapes) if File in self.successes().values() else super().get_produces()

    def get_response_serializers(self):
        answers = self.successes() or self.get_default_responses()
        return {
            str(status): openapi.Response(
                WORDS[int(status)],
                as_schema(schema),
                headers={each["name"]: {**each["schema"], "description": each["description"]} for each in headers}
                if (headers := self.headers(status))
                else None,
            )
            for status, schema in {**answers, **self.errors()}.items()
        }


def as_schema(answer):
    if answer is File:
        return openapi.Schema(type=openapi.TYPE_FILE)
    return answer() if isinstance(answer, type) else answer or None


def as_parameter(*, name, description, required, schema, style=None, explode=None, **location):
    shape = dict(schema)
    if "items" in shape:
        shape["items"] = openapi.Items(**shape["items"])
        shape["collection_format"] = "multi" if explode else "csv"
    return openapi.Parameter(name, location["in"], description, required=required, **shape)


class SerializerInspector(inspectors.ReferencingSerializerInspector):
    """A definition for each use of a serializer."""

    def get_serializer_ref_name(self, serializer):
        return name_of(serializer)

    def field_to_swagger_object(self, field, *args, **kwargs):
        if isinstance(field, serializers.Serializer):
            fit(field)
        result = super().field_to_swagger_object(field, *args, **kwargs)
        if isinstance(field, BulkChangeSerializer):
            result.resolve(self.components).additional_properties = False
        return result

    def process_result(self, result, method_name, obj, **kwargs):
        if "pattern" in (result or ()):
            result.pattern = result.pattern.replace(r"\A", "^")  # which JavaScript takes for the letter
        return result


class ChoiceInspector(inspectors.FieldInspector):
    """Choices, as the API spells them."""

    def field_to_swagger_object(self, field, swagger_object_type, use_references, **kwargs):
        if not isinstance(field, serializers.ChoiceField):
            return inspectors.NotHandled
        make, _ = self._get_partial_types(field, swagger_object_type, use_references, **kwargs)
        return make(type=openapi.TYPE_STRING, enum=list(field.choices))


class PageInspector(inspectors.DjangoRestResponsePagination):
    """The page that `limit` and `offset` give."""

    def get_paginated_response(self, paginator, response_schema):
        page = super().get_paginated_response(paginator, response_schema)
        page.required = list(page.properties)
        return page
