"""SQL that Django does not write by itself, or not as fast."""

from django.db import models


class IdsField(models.TextField):
    """Ids that the database put together, as the API shows them: texts in one order."""

    def from_db_value(self, value, expression, connection):
        if not value:
            return []
        ids = value.split(",")
        return sorted(ids if connection.vendor == "postgresql" else map(dashed, ids))


def dashed(digits):
    """A UUID of 32 digits, as SQLite has it, in the usual form. To make a UUID of it first would take longer."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class IdsOf(models.Func):
    """The ids of what hangs on a task, as a column of it: a row of each for every task would cost far more.

    It is written out, since Django takes longer to put a subquery together than the database to answer it.
    """

    template = (
        """(SELECT STRING_AGG(CAST("%(column)s" AS text), ',') FROM "%(table)s" WHERE "task_id" = %(expressions)s)"""
    )

    def __init__(self, through, column):
        table = through._meta.db_table
        super().__init__("pk", table=table, column=f"{column}_id", output_field=IdsField())

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, template=self.template.replace("STRING_AGG", "GROUP_CONCAT"))
