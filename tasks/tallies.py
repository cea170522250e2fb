"""Numbers of tasks that PostgreSQL keeps, by triggers on what they count: whoever asks looks at no task.

A number may stand in several rows, which add up: two writers at once do not wait for each other. That a task is of a
project since a moment never changes, so nothing minds an update: what changes that by hand wants a recount.
"""

from django.conf import settings
from django.db import connection, models, transaction

from projects.models import Project
from tickethub.pagination import shown_from

INTEGER = models.BigIntegerField()
MISSING = """
    INSERT INTO {table} (project_id, {column}, tasks)
    SELECT project_id, value, SUM(many) FROM (
        SELECT project_id, {value} AS value, 1 AS many FROM {counts} WHERE project_id IS NOT NULL
        UNION ALL SELECT project_id, {column}, -tasks FROM {table}
    ) AS found GROUP BY 1, 2 HAVING SUM(many) <> 0
"""
TOGETHER = """
    WITH gone AS (
        DELETE FROM {table} WHERE (project_id, {column}) IN (
            SELECT project_id, {column} FROM {table} GROUP BY 1, 2 HAVING COUNT(*) > 1
        ) RETURNING *
    )
    INSERT INTO {table} (project_id, {column}, tasks)
    SELECT project_id, {column}, SUM(tasks) FROM gone GROUP BY 1, 2 HAVING SUM(tasks) <> 0
"""


def are_kept():
    """Whether the database keeps them."""
    return connection.vendor == "postgresql"


class Tally(models.Model):
    """How many tasks of a project have something in common."""

    project = models.ForeignKey(Project, models.DO_NOTHING, related_name="+")
    tasks = models.BigIntegerField()

    counts, by = None, None  # the table, and the column with the expression that gives it

    class Meta:
        abstract = True
        managed = False
        auto_created = True  # so that it is in no dump, admin or permission

    @classmethod
    def recount(cls):
        """Put right what is wrong, and what stands in several rows into one. Gives how many numbers were wrong.

        No writer waits for it: what is missing, as one statement sees it, is missing whatever they add meanwhile. Only
        another recount would add it a second time, so that one waits.
        """
        column, value = cls.by
        names = {"table": cls._meta.db_table, "counts": cls.counts, "column": column, "value": value}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {cls._meta.db_table} IN SHARE UPDATE EXCLUSIVE MODE")
            cursor.execute(MISSING.format(**names))
            wrong = cursor.rowcount
            cursor.execute(TOGETHER.format(**names))
        return wrong


class TasksOfDay(Tally):
    """How many tasks of a project were made on a day, in UTC."""

    counts, by = "tasks_task", ("day", "(created_at AT TIME ZONE 'UTC')::date")
    day = models.DateField()

    class Meta(Tally.Meta):
        db_table = "tasks_day"

    def __str__(self):
        return f"{self.tasks} of {self.project_id} on {self.day}"

    # A view that lists tasks skips those of whole days by these two, of which the SQL is made once.

    @classmethod
    def reached(cls, view, rows, offset):
        """The day that one reaches who skips so many of the newest of a project's tasks: the second of its end, since
        1970, and how many were made after it. None if there are no more.
        """
        so_far = models.Window(models.Sum("tasks"), order_by="-day")  # with all of the day itself
        of_day = models.Window(models.Sum("tasks"), partition_by="day")
        days = cls.objects.filter(**rows.asked()).annotate(
            end=models.Func("day", template="EXTRACT(EPOCH FROM %(expressions)s + 1)", output_field=INTEGER),
            so_far=so_far,
            later=models.ExpressionWrapper(so_far - of_day, INTEGER),
        )
        return days.filter(so_far__gt=offset).order_by("-day").values_list("end", "later")[:1]

    @staticmethod
    def shown(view, rows, end, offset, limit):
        """The page of those that were made before the second `end`, so many of which are to be skipped."""
        end = models.Func(models.Value(end), function="TO_TIMESTAMP", output_field=models.DateTimeField())
        return shown_from(view, rows.filter(created_at__lt=end), offset, limit)


class TasksOfAssignee(Tally):
    """How many tasks of a project somebody is assigned."""

    counts, by = "tasks_task_assignees", ("user_id", "user_id")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+")

    class Meta(Tally.Meta):
        db_table = "tasks_share"

    def __str__(self):
        return f"{self.tasks} of {self.project_id} by {self.user_id}"
