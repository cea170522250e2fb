from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

from tickethub import metrics


class TicketHubConfig(AppConfig):
    name = "tickethub"

    def ready(self):
        if settings.METRICS_TOKEN:
            connection_created.connect(metrics.watch_queries)
