"""What the models of all apps share: ids, and writes that nobody can miss."""

from itertools import batched

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models.lookups import In
from django.dispatch import Signal
from uuid_utils.compat import uuid7

# Sent when one statement has changed many rows: `changes` has each of them, as it was once locked and as it is now.
rows_changed = Signal()
# Sent when many new `rows` were written by a few statements, each of them with all that is shown of it.
rows_made = Signal()
# Sent before locked `rows` are deleted, each of which sends `pre_delete` besides. What goes with them is looked up
# afterwards: who has told of it holds the log until the end, so that nobody adds to that.
rows_going = Signal()

ROWS_AT_ONCE = 500  # of an INSERT: with twenty columns each, no more values than a statement may have


class TrackedQuerySet(models.QuerySet):
    """Writes to many rows go through each row's own save or delete.

    The statements that Django sends for these in bulk send no signals, so the log would miss them.
    """

    def count_elsewhere(self):
        """The query by which another table gives the count of these rows; None where none does."""

    def found_elsewhere(self, place):
        """The slice `place` of these rows by the ids that another table has in their order; None where none does."""

    def update(self, **values):
        with transaction.atomic():
            rows = list(self.locked())
            for row in rows:
                for name, value in values.items():
                    setattr(row, name, value)
                row.save(update_fields=values)
        return len(rows)

    def delete(self):
        deleted = {}
        with transaction.atomic():
            for row in self.to_be_deleted():
                for label, count in row.delete()[1].items():
                    deleted[label] = deleted.get(label, 0) + count
        return sum(deleted.values()), deleted

    delete.queryset_only = True  # as Django has it: no manager deletes all rows

    def to_be_deleted(self):
        """The rows, locked, in the order in which they go."""
        return self.locked()

    def bulk_create(self, objs, *args, **kwargs):
        with transaction.atomic():
            for row in objs:
                row.save(force_insert=True)
        return objs

    def bulk_update(self, objs, fields, *args, **kwargs):
        with transaction.atomic():
            for row in objs:
                row.save(update_fields=fields)
        return len(objs)

    def become(self, changes, **values):
        """Write in one statement what made of rows, locked and read since, what they are now; and have it told.

        `changes` are pairs of a row before and after. It is for the caller to see that `values` make the one the other.
        """
        with transaction.atomic(savepoint=False):
            models.QuerySet(self.model).filter(pk__in=[after.pk for _, after in changes]).update(**values)
            rows_changed.send(sender=self.model, changes=changes)

    def make_all(self, rows):
        """Write new rows in a few statements, as they are, and have them told. Nothing is done of what `save` does.

        So their times stay as well: `bulk_create` would have all of them made now.
        """
        with transaction.atomic(savepoint=False):
            for some in batched(rows, ROWS_AT_ONCE):
                self._insert(some, fields=self.model._meta.concrete_fields, using=self.db, raw=True)
            for row in rows:
                row._state.adding, row._state.db = False, self.db
            rows_made.send(sender=self.model, rows=rows)

    def lock_what_goes_along(self):
        """Lock the tracked rows that are deleted with these, table by table: first those that others refer to."""
        for relation in self.model._meta.related_objects:
            model = relation.related_model
            if getattr(relation, "on_delete", None) is models.CASCADE and issubclass(model, TrackedModel):
                rows = model.objects.filter(**{f"{relation.field.name}__in": self})
                list(rows.locked().values_list("pk"))
                rows.lock_what_goes_along()

    def locked(self):
        """The rows, locked until the transaction ends, always in one order so that two writers cannot deadlock."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


def as_uuid(value):
    """A UUID from its text, None for a text that is none."""
    try:
        return models.UUIDField().to_python(value)
    except ValidationError:
        return None


class ProjectCounter:
    """A model with a row for each project, which counts up in the field that `counts` names."""

    counts = None

    @classmethod
    def take_number(cls, project_id, many=1):
        """The next number of a project, or the last of the next `many`; the row is locked until the transaction ends.

        One statement, since between two another writer could come.
        """
        table, column = cls._meta.db_table, cls._meta.get_field(cls.counts).column
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (project_id, {column}) VALUES (%s, %s)"  # noqa: S608
                f" ON CONFLICT (project_id) DO UPDATE SET {column} = {table}.{column} + EXCLUDED.{column}"
                f" RETURNING {column}",
                [cls._meta.pk.get_db_prep_value(project_id, connection), many],
            )
            return cursor.fetchone()[0]


class UUIDModel(models.Model):
    """A row whose id, a UUID of version 7, sorts by age."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class TrackedModel(UUIDModel):
    """A row whose every change is written to the log in the transaction that makes it."""

    objects = TrackedQuerySet.as_manager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *, update_fields=None, **kwargs):
        if update_fields is not None:  # Django leaves `auto_now` alone unless it is named
            update_fields = {*update_fields, *(f.name for f in self._meta.fields if getattr(f, "auto_now", False))}
        with transaction.atomic(savepoint=False):
            super().save(update_fields=update_fields, **kwargs)

    def delete(self, *args, **kwargs):
        with transaction.atomic(savepoint=False):
            self.lock()
            self.refuse_deletion()
            rows_going.send(sender=type(self), rows=[self])
            return super().delete(*args, **kwargs)

    def refuse_deletion(self):
        """Raise what keeps this row, which is locked, from being deleted."""

    def lock(self):
        """Keep other writers from this row until the transaction ends, those aside that only refer to it.

        Raises NotUpdated where it is gone, as writing it does.
        """
        if not type(self).objects.filter(pk=self.pk).locked().values_list("pk"):
            raise self.NotUpdated(f"{self._meta.verbose_name} {self.pk} was removed.")


class Among(In):
    """`IN` of a query, which PostgreSQL asks once: where it takes the rows for few it would ask it for each of them."""

    def get_rhs_op(self, connection, rhs):
        return f"= ANY(ARRAY{rhs})" if connection.vendor == "postgresql" else super().get_rhs_op(connection, rhs)


def count_of(rows):
    """The query of how many rows there are, as one number: QuerySet.count() asks at once.

    It does not say Count("*"), since Django would have it of each group of rows.
    """
    return rows.order_by().values_list(models.Func(template="COUNT(*)", output_field=models.IntegerField()), flat=True)


def sum_of(rows, value):
    """The query of the sum of a value of rows, as one number: 0 of none."""
    total = models.Func(value, template="COALESCE(SUM(%(expressions)s), 0)", output_field=models.BigIntegerField())
    return rows.order_by().values_list(total, flat=True)
