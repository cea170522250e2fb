"""What Prometheus is told of requests and of the database. Each server process counts for itself."""

import time

from django.conf import settings
from django.db import DatabaseError, connections
from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
POOL_GAUGES = ("pool_size", "pool_available", "pool_max", "requests_waiting")
POOL_COUNTERS = ("requests_num", "requests_queued", "requests_errors", "connections_num", "connections_lost")

REQUESTS = Counter("tickethub_requests", "Requests that were answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "tickethub_request_seconds",
    "How long they took, by Django's clock.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUERIES = Histogram(
    "tickethub_database_query_seconds",
    "How long a query took.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5),
)
FAILURES = Counter("tickethub_database_errors", "Queries that failed, by Django's exception.", ["error"])


def count_request(request, response, seconds):
    """Count a request under its route: what the client made up, paths and methods, must not become labels."""
    if settings.METRICS_TOKEN:
        method = request.method if request.method in METHODS else "other"
        route = request.resolver_match.route if request.resolver_match else "none"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(method, route).observe(seconds)


def count_query(execute, sql, params, many, context):
    began = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        FAILURES.labels(type(error).__name__).inc()
        raise
    finally:
        QUERIES.observe(time.perf_counter() - began)


def watch_queries(connection, **kwargs):
    """Count what goes over a new connection to the database."""
    if count_query not in connection.execute_wrappers:
        # Not at the end: Django takes the last one away where a wrapper's context ends, and connects within one.
        connection.execute_wrappers.insert(0, count_query)


class Pool:
    """The pool of connections to PostgreSQL, asked when Prometheus asks."""

    def describe(self):
        return []

    def collect(self):
        pool = getattr(connections["default"], "pool", None)
        stats = pool.get_stats() if pool else {}
        for family, names in [(GaugeMetricFamily, POOL_GAUGES), (CounterMetricFamily, POOL_COUNTERS)]:
            for name in names if pool else ():
                metric = f"tickethub_database_{'' if name.startswith('pool') else 'pool_'}{name}"
                yield family(metric, "See psycopg_pool's statistics.", value=stats.get(name, 0))


REGISTRY.register(Pool())
