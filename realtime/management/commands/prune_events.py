"""`manage.py prune_events`: forget what the log has told long ago."""

from datetime import timedelta

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from realtime.models import Event, Stream

MOST = 100_000  # days, which is longer than there will be a log, and rows, which is a long transaction


class Command(BaseCommand):
    help = (
        "Deletes old events, of deleted projects as well. Each project keeps its newest, and what stays has no gap."
        " Whoever comes back with a cursor of before that loads anew."
    )

    def add_arguments(self, parser):
        days = settings.EVENT_RETENTION_DAYS
        parser.add_argument("--days", type=int, default=days, help=f"Delete what is older than so many days: {days}.")
        parser.add_argument("--batch", type=int, default=1000, help="Rows of one transaction, at most: 1000.")

    def handle(self, *, days, batch, **options):
        for name, value in {"days": days, "batch": batch}.items():
            if not 1 <= value <= MOST:
                raise CommandError(f"--{name} is a number from 1 to {MOST}, not {value}.")
        before = timezone.now() - timedelta(days=days)
        total = sum(self.prune(project_id, before, batch) for project_id in self.projects())
        self.stdout.write(f"Deleted {total} events older than {days} days.")

    @staticmethod
    def projects():
        """The ids of all projects that have a log, those that are gone among them."""
        return list(Stream.objects.order_by("pk").values_list("pk", flat=True))

    def prune(self, project_id, before, batch):
        """Delete the old events of a project, batch by batch. Gives how many."""
        total = 0
        while deleted := Event.objects.prune(project_id, before, batch):
            total += deleted
        if total:
            self.stdout.write(f"{project_id}: {total}")
        return total
