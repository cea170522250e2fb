"""Silk, kept from failing the requests that it watches."""

import json
import logging
import re

from django.conf import settings
from django.db import DatabaseError
from silk import sql
from silk.collector import DataCollector
from silk.middleware import SilkyMiddleware
from silk.model_factory import RequestModelFactory

logger = logging.getLogger(__name__)
SILK_PATH = "/silk/"
MISTAKEN = {400, 401, 403, 404, 405, 413, 415}  # to what may have been meant for another address, whatever is in it


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
        if request.path_info.startswith(SILK_PATH):
            response._csp_config = settings.SILK_CSP  # as csp_override does, which cannot reach included addresses
        try:
            if response.status_code in MISTAKEN:
                forget(request)
            return super().process_response(request, response)
        except Exception as error:
            logger.warning("Silk could not record a response: %s", error or type(error).__name__)
            return response


def forget(request):
    """Have Silk not keep a request after all."""
    recorded = DataCollector().request
    DataCollector().clear()
    request.silk_is_intercepted = False
    if recorded:
        recorded.delete()


def query_params(factory):
    """What Silk keeps of a query: not the values of what has the name of a secret."""
    secret = re.compile("|".join(settings.SILKY_SENSITIVE_KEYS), re.IGNORECASE)
    told = {
        name: factory.CLEANSED_SUBSTITUTE if secret.search(name) else value
        for name, value in factory.request.GET.items()
    }
    return json.dumps(told) if told else ""


def explain(*args, explain=sql._explain_query):
    """What Silk finds out about a query. Nothing after one that failed: PostgreSQL then answers no more, and it is the
    first error that has to be told."""
    try:
        return explain(*args)
    except DatabaseError:
        return None


RequestModelFactory.query_params = query_params
sql._explain_query = explain
