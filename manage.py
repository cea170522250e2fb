#!/usr/bin/env python
"""The command line of TicketHub: `manage.py demo` serves a demo, `manage.py help` lists the rest."""

import os
import sys

from django.core.management import execute_from_command_line

from tickethub import env


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tickethub.settings")
    if sys.argv[1:2] == ["demo"] and not env.is_configured():
        env.write_development_file()
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
