"""The log: what happened in each project, numbered in the order of commit."""

import secrets
from itertools import takewhile

from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from tickethub.errors import Gone
from tickethub.models import ProjectCounter, UUIDModel


def make_nonce():
    return secrets.token_hex(4)


class Stream(ProjectCounter, models.Model):
    """The counter of a project's events. Whoever takes a number holds the row's lock until the end of the transaction.

    So numbers are committed in order, and one that is rolled back is given again: no gap, no late one.
    There is no foreign key to the project: the log outlives it.
    """

    project_id = models.UUIDField(primary_key=True)
    head = models.PositiveBigIntegerField(default=1)

    counts = "head"

    def __str__(self):
        return f"{self.project_id} at {self.head}"


class Size(models.Func):
    """The length of a JSON value as text: in bytes, or on SQLite in letters, six for one beyond ASCII.

    PostgreSQL makes the text of a large one alone, or of one that it has made small, to know it.
    """

    function, output_field = "LENGTH", models.IntegerField()
    of_postgresql = (
        "CASE WHEN PG_COLUMN_COMPRESSION(%(expressions)s) IS NULL AND PG_COLUMN_SIZE(%(expressions)s) < 2000"
        " THEN PG_COLUMN_SIZE(%(expressions)s) ELSE OCTET_LENGTH((%(expressions)s)::text) END"
    )

    def as_postgresql(self, compiler, connection):
        return self.as_sql(compiler, connection, template=self.of_postgresql)


class EventQuerySet(models.QuerySet):
    def of(self, project_id):
        """The events of a project, oldest first."""
        return self.filter(project_id=project_id).order_by("seq")

    def at_cursor(self, project_id, cursor):
        """The event that a cursor names. Raises ValueError for no cursor, Gone for one too old or foreign."""
        seq, nonce = Event.read_cursor(cursor)
        event = self.of(project_id).filter(seq=seq, nonce=nonce).first()
        if event is None:
            raise Gone
        return event

    def about_task(self, task_id):
        """What happened to a task and to what hangs on it."""
        return self.filter(models.Q(task_id=task_id) | models.Q(other_task_id=task_id))

    @staticmethod
    def size_before():
        """The size of all that come before an event, oldest first, as an expression."""
        size = Size("changes") + Coalesce(Size("object"), 0)
        return Coalesce(models.Window(models.Sum(size), order_by="seq", frame=models.RowRange(end=-1)), 0)

    def prune(self, project_id, before, limit):
        """Delete a project's events of before a time, oldest first, at most `limit`; the newest stays. Gives how many.

        It stops at the first that is younger, even if a clock that went wrong left an older one behind it: no gap.
        """
        newest = self.of(project_id).values("seq").last()
        oldest = self.of(project_id).filter(seq__lt=newest["seq"]).values_list("seq", "at")[:limit] if newest else []
        old = [seq for seq, at in takewhile(lambda row: row[1] < before, oldest)]
        return self.of(project_id).filter(seq__lte=old[-1]).delete()[0] if old else 0


class Event(UUIDModel):
    """One change of one object. It has no foreign keys, and outlives what it tells of."""

    created_at = None
    project_id = models.UUIDField()
    seq = models.PositiveBigIntegerField()
    nonce = models.CharField(max_length=8, default=make_nonce)
    type = models.CharField(max_length=30)
    object_id = models.UUIDField()
    at = models.DateTimeField(default=timezone.now)
    actor_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=128, null=True)  # noqa: DJ001 null is what the API shows outside a request
    changes = models.JSONField(default=dict)
    object = models.JSONField(null=True)
    task_id = models.UUIDField(null=True, help_text="The task it is about, if any.")
    other_task_id = models.UUIDField(null=True, help_text="The second task of a relation.")
    user_id = models.UUIDField(null=True, help_text="The person a membership event is about.")

    objects = EventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project_id", "seq"], name="event_seq_once")]
        indexes = [
            models.Index(fields=["task_id", "seq"], condition=~models.Q(task_id=None), name="event_of_task"),
            models.Index(fields=["object_id"], condition=models.Q(task_id=None), name="event_of_object"),
            models.Index(fields=["other_task_id"], condition=~models.Q(other_task_id=None), name="event_of_other_task"),
        ]

    def __str__(self):
        return f"{self.type} {self.cursor}"

    @property
    def cursor(self) -> str:
        """Where to go on after this event; the nonce tells it from the same number in another history."""
        return self.cursor_of(self.seq, self.nonce)

    @staticmethod
    def cursor_of(seq, nonce):
        return f"{seq}.{nonce}"

    @staticmethod
    def read_cursor(cursor):
        """The number and the nonce in a cursor. Raises ValueError for what is none."""
        seq, _, nonce = cursor.partition(".")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 19 and nonce):
            raise ValueError("This is not a cursor.")
        return int(seq), nonce
