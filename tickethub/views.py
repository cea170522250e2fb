"""The pages around the API."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.generic import TemplateView

from realtime import bell


class HomePage(TemplateView):
    template_name = "tickethub/home.html"


class InvitationPage(TemplateView):
    template_name = "tickethub/invitation.html"


def healthz(request):
    """The process is up."""
    return JsonResponse({"status": "ok"})


def readyz(request):
    """Whether the database, its migrations and the channel layer are there: 200, else 503; `checks` says which."""
    checks = {
        name: passes(check)
        for name, check in [("database", has_database), ("migrations", is_migrated), ("channel_layer", bell.check)]
    }
    ready = all(checks.values())
    body = {"status": "ok" if ready else "unavailable", "checks": checks}
    return JsonResponse(body, status=200 if ready else 503, headers={} if ready else {"Retry-After": "2"})


def passes(check):
    try:
        return check() is not False
    except Exception:
        return False


def has_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def is_migrated():
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
