"""`manage.py import_tasks`: take the tasks of a file into a project."""

import argparse
import sys
from pathlib import Path

from django.core.management import BaseCommand, CommandError

from accounts.models import User
from projects.models import Project, Role
from tickethub.transactions import in_transaction
from tickethub.transfer.importing import take
from tickethub.transfer.matching import UnknownMeaning
from tickethub.transfer.reading import FORMATS, decode, read
from tickethub.transfer.report import Refused
from tickethub.transfer.rows import Unreadable


class Command(BaseCommand):
    help = (
        "Imports tasks that TicketHub, GitHub, Jira or Trello exported, as JSON or CSV: all or nothing. What was"
        " imported before is left as it is, so it can be run again."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", help="The file, `-` for standard input.")
        parser.add_argument("--project", required=True, help="The key or id of the project.")
        parser.add_argument("--format", choices=FORMATS, help="Of the file, where it does not show.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would come of it, and change nothing.")
        parser.add_argument("--as", dest="by", metavar="EMAIL", help="Who imports: by default the first owner.")
        for name, what in {"--map": "status=slug", "--person": "name=address or handle"}.items():
            parser.add_argument(name, action="append", type=pair, default=[], metavar=what, help="May be repeated.")

    def handle(self, *, file, project, format, dry_run, by, map, person, **options):
        found = Project.objects.named(project).first()
        if found is None:
            raise CommandError(f"There is no project {project}.")
        if found.archived_at:
            raise CommandError(f"{found} is archived: restore it first.")
        by = importer(found, by)
        try:
            content = read(decode(contents(file)), format)
            options = {"statuses": dict(map), "people": dict(person), "attribute": True, "dry_run": dry_run}
            report = in_transaction(take)(content, found, by, progress=self.tell_progress, **options)
        except (Unreadable, UnknownMeaning) as error:
            raise CommandError(str(error)) from error
        except Refused as error:
            self.tell(error.report)
            raise CommandError(f"Nothing is imported: {len(error.report.refused)} refused.") from error
        self.tell(report)

    def tell_progress(self, done, total):
        self.stderr.write(f"{done} of {total} rows read")

    def tell(self, report):
        for each in report.refused:
            self.stdout.write("row {row}: {field}: {detail} ({code})".format(**each))
        data = report.as_data()
        for each in data["warnings"]:
            more = f" and {each['rows'] - 1} more" if each["rows"] > 1 else ""
            self.stdout.write("row {row}{more}: {field}: {detail} ({code})".format(more=more, **each))
        if not report.refused:
            made = ", ".join(f"{count} {kind}" for kind, count in data["made"].items())
            words = "would be made" if report.dry_run else "made"
            self.stdout.write(f"{report.format}: {words}: {made}; {report.standing} tasks were here already.")


def pair(text):
    """`word=meaning` as a pair. Raises what argparse tells."""
    word, equals, meaning = text.rpartition("=")
    if not (equals and word.strip() and meaning.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not name=value")
    return word.strip(), meaning.strip()


def importer(project, email):
    """Who is to have made what is imported. Raises CommandError for nobody."""
    if email:
        user = User.objects.filter(email=email.lower()).first()
        if user is None:
            raise CommandError(f"There is nobody of the address {email}.")
        return user
    owner = project.memberships.filter(role=Role.OWNER).order_by("created_at", "pk").select_related("user").first()
    if owner is None:
        raise CommandError(f"{project} has no owner: name somebody by --as.")
    return owner.user


def contents(file):
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
