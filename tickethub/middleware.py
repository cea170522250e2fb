"""The request that is being answered: its id, how what it causes finds it, and what is told of it."""

import logging
import re
import time
import uuid
from contextvars import ContextVar

from django.contrib.messages.middleware import MessageMiddleware as DjangoMessageMiddleware
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from tickethub import logs, metrics
from tickethub.recording import SECRET_PATHS

SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

current_request = ContextVar("current_request", default=None)


def is_api(request):
    return request.path_info.startswith("/api/")


def request_id(given):
    """The id of a request whose client sent this X-Request-ID: that one where it is sane, else a new one."""
    return given if SANE_REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


class RequestIDMiddleware:
    """Give every request an id, the client's own X-Request-ID when it is a sane one, and the response the same.

    It stands first, notes when each began, and tells the log and Prometheus what became of it.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.began_at = timezone.now()
        began = time.perf_counter()
        request.id = request_id(request.headers.get("X-Request-ID", ""))
        token = current_request.set(request)
        try:
            response = self.get_response(request)
        finally:
            current_request.reset(token)
        response["X-Request-ID"] = request.id
        seconds = time.perf_counter() - began
        logs.tell_access(request, response, seconds)
        metrics.count_request(request, response, seconds)
        return response


class CacheControlMiddleware:
    """Let no cache on the way keep what the API answers to one person, and none at all what has tokens in it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if is_api(request):
            value = "no-store" if SECRET_PATHS.match(request.path_info) else "private, no-cache"
            response.headers.setdefault("Cache-Control", value)
            patch_vary_headers(response, ["Authorization"])  # or one's cache would answer whoever logs in next
        return response


class ProbeMiddleware:
    """Answer probes before the Host header is looked at: whoever probes a process names it by its address."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path_info not in logs.PROBES:
            return self.get_response(request)
        try:
            request.resolver_match = resolve(request.path_info)
        except Resolver404:  # another urlconf
            return self.get_response(request)
        return request.resolver_match.func(request)


class MessageMiddleware(DjangoMessageMiddleware):
    """Django's messages for the pages. The API has none, and would make the key that signs them for each request."""

    def process_request(self, request):
        if not is_api(request):
            super().process_request(request)


class RequestIDFilter(logging.Filter):
    """Put the id of the request into each log record, `-` outside of one, and see that none tells its path as it came.

    A record that brings a `request_id` keeps it: so do those of a WebSocket.
    """

    def filter(self, record):
        request = getattr(record, "request", None) or current_request.get()
        if not hasattr(record, "request_id"):
            record.request_id = getattr(request, "id", "-")
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            told = {path: logs.path_of(request)}
            record.args = tuple(told.get(arg, arg) if isinstance(arg, str) else arg for arg in record.args)
        return True
