"""Silk, kept from failing the requests that it watches."""

import logging

from django.conf import settings
from django.db import DatabaseError
from silk import sql
from silk.collector import DataCollector
from silk.middleware import SilkyMiddleware

logger = logging.getLogger(__name__)
SILK_PATH = "/silk/"


class SilkMiddleware(SilkyMiddleware):
    """Silk's middleware: what it cannot record (deep JSON, NUL, a database that is away), it lets pass."""

    def process_request(self, request):
        try:
            super().process_request(request)
        except Exception as error:
            logger.warning("Silk could not record a request: %s", error or type(error).__name__)
            DataCollector().clear()
            request.silk_is_intercepted = False

    def process_response(self, request, response):
        if request.path.startswith(SILK_PATH):
            response._csp_config = settings.SILK_CSP  # as csp_override does, which cannot reach included addresses
        try:
            return super().process_response(request, response)
        except Exception as error:
            logger.warning("Silk could not record a response: %s", error or type(error).__name__)
            return response


def explain(*args, explain=sql._explain_query):
    """What Silk finds out about a query. Nothing after one that failed: PostgreSQL then answers no more, and it is the
    first error that has to be told."""
    try:
        return explain(*args)
    except DatabaseError:
        return None


sql._explain_query = explain
