#!/usr/bin/env python
"""The command line of TicketHub: `manage.py demo` serves a demo, `manage.py help` lists the rest."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from tickethub import env

TEST_COMMANDS = {"test", "tests"}  # these run with nothing configured, and mind no .env


def main():
    command = "".join(sys.argv[1:2])
    settings = "tickethub.tests.settings" if command in TEST_COMMANDS else "tickethub.settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", settings)
    try:
        if command == "demo" and not env.is_configured():
            env.write_development_file()
        if command not in TEST_COMMANDS:
            env.fill_in_secret_key()
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
