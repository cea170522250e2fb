import json

from django.core.management.base import BaseCommand

from tickethub.asyncapi import document


class Command(BaseCommand):
    help = "Print the description of the WebSocket by AsyncAPI."

    def handle(self, **options):
        self.stdout.write(json.dumps(document(), indent=2))
