"""Queries whose SQL is made once: to make it takes Django several times as long as the database takes to answer."""

from uuid import uuid4

from django.db import DEFAULT_DB_ALIAS, connections, models


class Prepared:
    """A query by ids, for a row that may be there: an instance with what `select_related` joins to it, or its columns.

    `make` gives the QuerySet for some ids. It is asked once for each connection, so it may look at nothing but the ids.
    """

    def __init__(self, make):
        self.make = make

    def first(self, *ids):
        """What the QuerySet gives for these UUIDs, or None."""
        connection = connections[DEFAULT_DB_ALIAS]
        # Kept by the connection, so that they go with it.
        statements = vars(connection).setdefault("prepared_statements", {})
        if self not in statements:
            statements[self] = Statement(self.make, len(ids), connection)
        return statements[self].first(ids)


class Statement:
    """The SQL of a query on a connection. Like the connection, it is one thread's."""

    field = models.UUIDField()

    def __init__(self, make, count, connection):
        self.connection = connection
        marks = [uuid4() for _ in range(count)]
        self.rows = make(*marks)
        compiler = self.rows.query.get_compiler(connection=connection)
        sql, self.params = compiler.as_sql()
        self.places = [self.params.index(self.param(mark)) for mark in marks]
        compiler.as_sql = lambda: (sql, self.params)
        self.rows.query.get_compiler = lambda *_, **__: compiler

    def param(self, value):
        return self.field.get_db_prep_value(value, self.connection)

    def first(self, ids):
        self.params = list(self.params)
        for place, value in zip(self.places, ids, strict=True):
            self.params[place] = self.param(value)
        return next(iter(self.rows._iterable_class(self.rows)), None)
