"""`manage.py tests`: the same as `manage.py test`."""

from tickethub.management.commands.test import Command

__all__ = ["Command"]
