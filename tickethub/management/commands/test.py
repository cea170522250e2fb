"""`manage.py test`: the tests, by pytest."""

import os
import sys

from django.core.management import BaseCommand

SETTINGS = "tickethub.tests.settings"


class Command(BaseCommand):
    help = "Runs the tests with pytest; what follows is passed on to it. `tests` is the same."
    requires_system_checks = []

    def run_from_argv(self, argv):
        """Become pytest: its options, its output, its exit status."""
        command = [sys.executable, "-m", "pytest", f"--ds={SETTINGS}", *argv[2:]]
        os.execv(sys.executable, command)  # noqa: S606 what somebody types here is theirs to run
