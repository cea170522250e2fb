"""The one parser of request bodies."""

import json

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from tickethub.errors import PayloadTooLarge


def unique_keys(pairs):
    """An object from its pairs; a name told twice is refused, since which of the two counts is anybody's guess."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("A name appears twice in one object.")
    return result


def refuse_unstorable(value):
    """Raise ValueError for text that no database keeps and no answer can repeat: NUL and lone surrogates."""
    rest = [value]
    while rest:
        match rest.pop():
            case str(text):
                if "\0" in text:
                    raise ValueError("Text must not have NUL characters.")
                text.encode()
            case list(items):
                rest.extend(items)
            case dict(members):
                rest.extend(members)
                rest.extend(members.values())


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON.")


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it, at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes of it."""

    def parse(self, stream, media_type=None, parser_context=None):
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise PayloadTooLarge
        try:
            data = json.loads(body.decode(), object_pairs_hook=unique_keys, parse_constant=refuse_constant)
            if b"\\u" in body:  # only an escape can spell what is refused
                refuse_unstorable(data)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deep.") from error
        except ValueError as error:  # undecodable bytes, malformed JSON, an integer of thousands of digits
            raise ParseError(f"This is not valid JSON: {error}".encode("ascii", "replace").decode()) from error
        return data
