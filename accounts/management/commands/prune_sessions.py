"""`manage.py prune_sessions`: forget the logins that are over."""

from datetime import timedelta

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Session

MOST = 100_000  # days, which is longer than anybody has been logged in


class Command(BaseCommand):
    help = "Deletes the sessions that ended or expired some time ago. Nothing but the admin's list of them shows those."

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=30, help="Delete what has been over for so many days: 30.")

    def handle(self, *, days, **options):
        if not 1 <= days <= MOST:
            raise CommandError(f"--days is a number from 1 to {MOST}, not {days}.")
        total = Session.objects.prune(timezone.now() - timedelta(days=days))
        self.stdout.write(f"Deleted {total} sessions that were over for {days} days.")
