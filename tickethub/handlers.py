"""How every error is told: `{"detail": "<for a person>", "code": "<for a program>"}`, and `errors` by field."""

import logging
import sqlite3
import sys
from itertools import islice

from django.core.exceptions import NON_FIELD_ERRORS, ObjectNotUpdated, PermissionDenied, RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from psycopg.errors import DiskFull, LockNotAvailable, QueryCanceled
from psycopg_pool import PoolTimeout
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_framework_handler

from tickethub.errors import Busy, Conflict, PayloadTooLarge, PreconditionFailed
from tickethub.logs import words_of
from tickethub.middleware import is_api
from tickethub.throttling import refusal_of_stranger
from tickethub.transactions import CROSSED

logger = logging.getLogger(__name__)

RETRY_AFTER = 1  # seconds, while the database is away
RETRY_WHEN_FULL = 10  # seconds: somebody has to make room first
RETRY_WHEN_BUSY = 5
CANNOT_SERVE = (OperationalError, InterfaceError, PoolTimeout, Busy)
NO_LOGIN = (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)
FIELDS_OF_ALL = "non_field_errors"
MOST = 1000  # errors told of one request, as many as an import promises
LONGEST = 300  # characters of what is told, which may quote all of what was sent


def exception_handler(exc, context):
    """Django REST framework's handler, its answers put into our shape, and 503 while the server cannot serve."""
    if isinstance(exc, CANNOT_SERVE):
        body, headers = unavailable(exc)
        return Response(body, status=status.HTTP_503_SERVICE_UNAVAILABLE, headers=headers)
    if isinstance(exc, (IntegrityError, ObjectNotUpdated)):  # two requests at once, of which validation let both pass
        exc = Conflict("Somebody else has just made the same, or removed what this names.")
    if isinstance(exc, NO_LOGIN) and context["view"].authentication_classes:  # refused before anything counted
        exc = refusal_of_stranger(context["request"], context["view"]) or exc
    if isinstance(exc, RequestDataTooBig):  # Django counts, before a parser could
        exc = PayloadTooLarge()
    response = rest_framework_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    response.data = describe(exc)
    return response


def unavailable(error):
    """What to tell of a server that cannot serve, and with which headers. The log alone has the reason."""
    logger.warning("Unavailable: %s", words_of(error))
    seconds, detail, code = RETRY_AFTER, "The database is away. Try again shortly.", "unavailable"
    if is_full(error):
        seconds, detail, code = RETRY_WHEN_FULL, "The server has no room left to store this.", "storage_full"
    elif isinstance(error.__cause__, (*CROSSED, LockNotAvailable)):
        detail, code = "Too many write the same at once. Try again shortly.", Busy.default_code
    elif isinstance(error, Busy) or isinstance(error.__cause__, QueryCanceled):
        seconds, detail, code = RETRY_WHEN_BUSY, Busy.default_detail, Busy.default_code
    return {"detail": detail, "code": code}, {"Retry-After": str(seconds)}


def is_full(error):
    """Whether the database could not write for want of room on its disk."""
    cause = error.__cause__
    return isinstance(cause, DiskFull) or getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def describe(exc):
    """Give the body for an APIException."""
    if isinstance(exc, exceptions.ValidationError):
        errors = {}
        for path, told in islice(collect(exc.get_full_details()), MOST):
            errors.setdefault(path or FIELDS_OF_ALL, []).append(told)
        return {"detail": "Some of what was sent is not valid.", "code": "invalid", "errors": errors}
    if isinstance(exc.detail, dict):  # SimpleJWT brings a detail, a code and `messages` of its own
        return exc.detail
    body = {"detail": cut(str(exc.detail)), "code": exc.detail.code}
    if isinstance(exc, PreconditionFailed):
        body["current"] = exc.current
    return body


def collect(details, path=""):
    """Flatten nested error details into pairs of a path, such as `field.inner`, and `{"detail", "code"}`."""
    if isinstance(details, list):
        for index, item in enumerate(details):
            inner = isinstance(item, dict) and "message" not in item
            yield from collect(item, f"{path}.{index}" if inner and path else path)
    elif isinstance(details.get("message"), str) and set(details) == {"message", "code"}:
        yield path, {"detail": cut(details["message"]), "code": details["code"]}
    else:
        for field, inner in details.items():
            name = "" if field in {NON_FIELD_ERRORS, FIELDS_OF_ALL} else cut(str(field))
            yield from collect(inner, ".".join(filter(None, [path, name])))


def cut(words):
    """Words without their middle where they are too long: they end in what is wrong with what they quote."""
    half = LONGEST // 2
    return f"{words[:half]}…{words[-half:]}" if len(words) > LONGEST else words


def json_error(status_code, detail, code):
    compact = {"separators": (",", ":")}  # byte for byte what Django REST framework renders
    return JsonResponse({"detail": detail, "code": code}, status=status_code, json_dumps_params=compact)


@csrf_exempt
def unknown_api_address(request):
    """404 as the API tells it, also under DEBUG, and rather than a redirect for a missing slash."""
    return json_error(404, "Not found.", "not_found")


def handlers(defaults):
    """Django's four error views, speaking JSON under /api/ and Django's HTML elsewhere."""
    words = {
        "bad_request": (400, "Bad request.", "bad_request"),
        "permission_denied": (403, "You may not do this.", "permission_denied"),
        "page_not_found": (404, "Not found.", "not_found"),
        "server_error": (500, "Something went wrong here.", "error"),
    }

    def make(name):
        html = getattr(defaults, name)

        def view(request, *args, **kwargs):
            return json_error(*words[name]) if is_api(request) else html(request, *args, **kwargs)

        return view

    *others, server_error = [make(name) for name in words]
    return [*others, telling_outages(server_error)]


def telling_outages(view):
    """Make the view for what nobody foresaw tell 503 where it is that the server cannot serve: the admin's pages."""

    def answer(request):
        error = sys.exception()
        if not isinstance(error, CANNOT_SERVE):
            return view(request)
        body, headers = unavailable(error)
        if is_api(request):
            response = json_error(503, **body)
        else:
            response = render(request, "tickethub/unavailable.html", body, status=503)
        for name, value in headers.items():
            response[name] = value
        return response

    return answer
