from importlib import import_module

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self):
        import_module("realtime.signals")
