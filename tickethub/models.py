"""What the models of all apps share: ids, and writes that nobody can miss."""

from django.db import models, transaction
from uuid_utils.compat import uuid7


class TrackedQuerySet(models.QuerySet):
    """Writes to many rows go through each row's own save or delete.

    The statements that Django sends for these in bulk send no signals, so the log would miss them.
    """

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

    def locked(self):
        """The rows, locked until the transaction ends, always in one order so that two writers cannot deadlock."""
        return self.order_by("pk").select_for_update(of=("self",), no_key=True)


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
            return super().delete(*args, **kwargs)

    def lock(self):
        """Keep other writers from this row until the transaction ends, those aside that only refer to it."""
        list(type(self).objects.filter(pk=self.pk).locked().values_list("pk"))
