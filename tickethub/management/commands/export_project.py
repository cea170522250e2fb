"""`manage.py export_project`: a project as JSON or CSV."""

import sys

from django.core.management import BaseCommand, CommandError

from projects.models import Project
from tickethub.transfer.exporting import Export


class Command(BaseCommand):
    help = "Writes a project to standard output, as `import_tasks` takes it."

    def add_arguments(self, parser):
        parser.add_argument("--project", required=True, help="Its key or id.")
        parser.add_argument("--format", choices=["json", "csv"], default="json", help="json.")

    def handle(self, *, project, format, **options):
        found = Project.objects.named(project).first()
        if found is None:
            raise CommandError(f"There is no project {project}.")
        export = Export(found)
        out = getattr(self.stdout._out, "buffer", None)
        for piece in export.as_csv() if format == "csv" else export.as_json():
            if out:
                out.write(piece)
            else:
                self.stdout.write(piece.decode(), ending="")
        sys.stdout.flush()
