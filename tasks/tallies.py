"""Numbers of tasks that PostgreSQL keeps, by triggers on what they count: whoever asks looks at no task.

A number may stand in several rows, which add up: two writers at once do not wait for each other.
"""

from django.conf import settings
from django.db import connection, models

from projects.models import Project
from tickethub.pagination import shown_from

INTEGER = models.BigIntegerField()


def are_kept():
    """Whether the database keeps them."""
    return connection.vendor == "postgresql"


class Tally(models.Model):
    """How many tasks of a project have something in common."""

    project = models.ForeignKey(Project, models.DO_NOTHING, related_name="+")
    tasks = models.BigIntegerField()

    class Meta:
        abstract = True
        managed = False
        auto_created = True  # so that it is in no dump, admin or permission


class TasksOfDay(Tally):
    """How many tasks of a project were made on a day, in UTC."""

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

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.DO_NOTHING, related_name="+")

    class Meta(Tally.Meta):
        db_table = "tasks_share"

    def __str__(self):
        return f"{self.tasks} of {self.project_id} by {self.user_id}"
