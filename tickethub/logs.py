"""The log: one JSON object, or one plain line, for each record, and no secret in it."""

import json
import logging
import re
from datetime import UTC, datetime

from django.utils.functional import SimpleLazyObject
from rest_framework.throttling import BaseThrottle

access_logger = logging.getLogger("tickethub.access")

PROBES = {"/healthz", "/readyz", "/metrics"}  # what is asked every few seconds
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# What may stand in a path: ids, keys and the names of the admin's pages. Anything else might be a token gone astray.
NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Z][A-Z0-9]{1,9}(-[0-9]{1,10})?|[0-9]{1,10}|json|yaml")
# The last resort, for words of others (tracebacks, libraries): tokens, the links that are mailed, and queries.
SECRET = re.compile(r"(eyJ|[Bb]earer |password/reset/(?!done|\*)|invitations/accept/#|\?[\w.-]+=)[^\s\"'\\<>]+")
# What ends a line or steers a terminal, and what no encoding can write.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def without_secrets(text):
    return SECRET.sub(r"\1***", text)


class JSONFormatter(logging.Formatter):
    """One JSON object on one line. Of what a record carries besides, it takes `fields` alone, a dict meant for it."""

    def format(self, record):
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": record.request_id,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = record.stack_info
        return without_secrets(json.dumps(told, default=str))


class LineFormatter(logging.Formatter):
    """Lines for a person. A record's second line and those after it are indented: none can pass for another record."""

    def format(self, record):
        text = CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), super().format(record))
        return without_secrets(text.replace("\n", "\n    "))


def words_of(error):
    """Why something failed, in one line: where Django only passes an error on, that of the driver."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {' '.join(str(cause).split())}"


def path_of(request):
    """The path of a request as it may be told: that of its route, with the ids in it; `-` where it has none.

    The query is left out, and so is what is no id: mailed links have their tokens in the path, and people mistype.
    """
    match = request.resolver_match
    if match is None:
        return "-"

    def told(parameter):
        value = str(match.kwargs.get(parameter[1], ""))
        return value if NAME.fullmatch(value) else "***"

    return "/" + PARAMETER.sub(told, match.route)


def user_of(request):
    """The id of who was found to make a request. It asks no database: where nobody looked, it is None."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return user and user.pk and str(user.pk)


def tell_access(request, response, seconds):
    """Log one line for a request that was answered."""
    level = logging.DEBUG if request.path_info in PROBES else logging.INFO
    if not access_logger.isEnabledFor(level):
        return
    size = response.headers.get("Content-Length", "")
    fields = {
        "method": request.method,
        "path": path_of(request),
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "user": user_of(request),
        "address": BaseThrottle().get_ident(request),
        "bytes": int(size) if size.isdigit() else None,
    }
    words = "%(method)s %(path)s %(status)s %(ms)s ms"
    access_logger.log(level, words, fields, extra={"fields": fields, "request": request})
