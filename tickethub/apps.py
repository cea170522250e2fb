from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.db.backends.signals import connection_created

from tickethub import metrics, times


class TicketHubConfig(AppConfig):
    name = "tickethub"

    def ready(self):
        times.load_compiled()
        if settings.METRICS_TOKEN:
            connection_created.connect(metrics.watch_queries)


class AdminConfig(DjangoAdminConfig):
    default_site = "tickethub.admin.Site"
