"""The one reader of the JSON that clients send."""

import json
from math import isinf

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

DEEPEST = 16  # levels of lists and objects; the API itself takes three


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


def refuse_deep(value):
    """Raise RecursionError for what is nested so deep that what reads it later might not come back."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in inside(outer)]
        if not level:
            return
    raise RecursionError


def inside(value):
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON.")


def finite(digits):
    """A number with a point or an exponent; one that no float holds is refused, since no answer could repeat it."""
    number = float(digits)
    if isinf(number):
        raise ValueError(f"{digits[:20]} is too large.")
    return number


def read_json(text):
    """What a text says as JSON, by RFC 8259. Raises ValueError, or RecursionError where it is nested too deep."""
    data = json.loads(text, object_pairs_hook=unique_keys, parse_constant=refuse_constant, parse_float=finite)
    refuse_deep(data)
    return data


class StrictJSONParser(JSONParser):
    """JSON that is no longer than DATA_UPLOAD_MAX_MEMORY_SIZE, which Django minds."""

    def parse(self, stream, media_type=None, parser_context=None):
        """What a body says. Raises ParseError."""
        try:
            text = stream.read().decode()
            data = read_json(text)
            if "\\u" in text:  # only an escape can spell what is refused
                refuse_unstorable(data)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deep.") from error
        except ValueError as error:  # undecodable bytes, malformed JSON, an integer of thousands of digits
            raise ParseError(f"This is not valid JSON: {error}".encode("ascii", "replace").decode()) from error
        return data
