"""`manage.py recount_tasks`: put right how many tasks each project has, as its board and PostgreSQL's tallies say."""

from django.core.management import BaseCommand

from tasks.board import Board
from tasks.tallies import TasksOfAssignee, TasksOfDay, are_kept


class Command(BaseCommand):
    help = "Counts the tasks of each project anew. The counts can be wrong after what went past the application."

    def handle(self, **options):
        wrong = sum(Board.recount(project) for project in Board.objects.values_list("pk", flat=True))
        self.stdout.write(f"{wrong} projects had another count than their tasks.")
        if are_kept():
            wrong = TasksOfDay.recount() + TasksOfAssignee.recount()
            self.stdout.write(f"{wrong} tallies of days and assignees were wrong.")
