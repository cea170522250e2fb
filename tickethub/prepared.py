"""What need not be made for each query anew: its SQL, and PostgreSQL's plan of it.

To make the SQL of a query by ids takes Django several times as long as the database takes to answer, and to plan a
query of a few rows takes PostgreSQL longer than to find them.
"""

from contextlib import nullcontext
from copy import copy
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connection, connections, models, transaction
from django.db.backends.postgresql.base import Cursor, ServerBindingCursor
from django.db.models.sql.constants import CURSOR

REPEATED = 5  # times that a connection was asked something: from then on its plan may be kept
# Of a statement whose plan may be kept. With more it hardly comes again, and 65,536 cannot be sent apart from it.
MOST_VALUES = 1000

# Of the numbers in a statement: from here on stand those that are put in their place. No SQL of ours has such numbers.
LIMIT_OF_NUMBERS = 10**17


def plans_kept():
    """A context in which PostgreSQL keeps its plans of what is asked again and again.

    It is for statements whose best plan is the same for any values. What finds a rare word is not what finds a common
    one: a plan that is kept would be made for neither.
    """
    if connection.vendor != "postgresql" or keep_plan in connection.execute_wrappers:
        return nullcontext()
    return connection.execute_wrapper(keep_plan)


def keep_plan(execute, sql, params, many, context):
    """Send a statement with its values beside it, and prepare it. Django writes them into it: each would be another."""
    cursor, database = context["cursor"], context["connection"]
    raw, may_keep = database.connection, len(params or ()) <= MOST_VALUES and not database.queries_logged
    if type(cursor.cursor) not in (Cursor, ServerBindingCursor):  # of a query whose rows come in parts
        return execute(sql, params, many, context)
    cursor.cursor = ServerBindingCursor(raw) if may_keep else Cursor(raw)
    raw.prepare_threshold = REPEATED if may_keep else None
    try:
        return execute(sql, params, many, context)
    except NotSupportedError:  # a migration has given a column another type, which the plan does not fit
        if database.in_atomic_block or not may_keep:
            raise
        raw.execute("ROLLBACK")  # upon which psycopg forgets all plans, as when a transaction is rolled back
        cursor.cursor = Cursor(raw)
        return execute(sql, params, many, context)
    finally:
        raw.prepare_threshold = None


class Prepared:
    """A query by ids. Its rows are instances with what `select_related` joins to them, or columns.

    `make` gives the QuerySet for some ids and, last, so many `numbers` below LIMIT_OF_NUMBERS, as of a slice, which
    Django writes into the SQL itself. It is asked once, so it may look at nothing but these.
    """

    def __init__(self, make, numbers=0):
        self.make, self.numbers = make, numbers
        self.statement = None

    def first(self, *given):
        """The first row for these ids, or None: also for what is no id."""
        return next(self.all(*given), None)

    def all(self, *given):
        """The rows for these ids, one after another; none for what is no id."""
        if self.statement is None:  # two threads may make it at once, and one like the other
            self.statement = Statement(self.make, len(given) - self.numbers, self.numbers)
        with plans_kept():
            return self.statement.all(given)


class Statement:
    """The SQL of a query, and what makes rows of its answer. All threads share it: nothing in it changes."""

    field = models.UUIDField()

    def __init__(self, make, ids, numbers):
        database = connections[DEFAULT_DB_ALIAS]
        ids = [uuid4() for _ in range(ids)]
        self.stand_ins = [str(LIMIT_OF_NUMBERS + place) for place in range(numbers)]
        self.rows = make(*ids, *map(int, self.stand_ins))
        self.compiler = self.rows.query.get_compiler(connection=database)
        self.sql, self.params = self.compiler.as_sql()
        # Those of SQLite are methods of a connection: that of the thread which came first, and may end.
        self.converters = self.converters_of(self.compiler) if database.vendor == "postgresql" else None
        self.compiler.connection = None
        marks = [*(self.param(each, database) for each in ids), *map(int, self.stand_ins)]
        self.places = [(place, marks.index(param)) for place, param in enumerate(self.params) if param in marks]

    def param(self, value, database):
        return self.field.get_db_prep_value(value, database)

    def all(self, given):
        database = connections[DEFAULT_DB_ALIAS]
        if self.rows.query.select_for_update and not database.in_atomic_block:  # as Django has it
            raise transaction.TransactionManagementError("select_for_update cannot be used outside of a transaction.")
        ids = len(given) - len(self.stand_ins)
        try:
            values = [*(self.param(value, database) for value in given[:ids]), *given[ids:]]
        except ValidationError:
            return iter(())
        sql, params = self.sql, list(self.params)
        for stand_in, number in zip(self.stand_ins, given[ids:], strict=True):
            sql = sql.replace(stand_in, f"{number:d}")
        for place, which in self.places:
            params[place] = values[which]
        return iter(list(self.asked(database, sql, params)))

    def asked(self, database, sql, params):
        """The rows, to be had by this SQL on this connection. Django's own copies would take it apart, clone it, and
        look anew for what makes values of what the database gives.
        """
        compiler, query = copy(self.compiler), copy(self.rows.query)
        compiler.connection, compiler.as_sql = database, lambda: (sql, params)
        with compiler.execute_sql(CURSOR) as cursor:
            found = cursor.fetchall()
        if compiler.has_extra_select:  # what is ordered by alone
            found = [row[: compiler.col_count] for row in found]
        converters = self.converters_of(compiler) if self.converters is None else self.converters
        if converters:
            found = map(tuple, compiler.apply_converters(found, converters))
        compiler.execute_sql = compiler.results_iter = lambda *_, **__: iter(found)
        query.get_compiler = lambda *_, **__: compiler
        rows = type(self.rows).__new__(type(self.rows))
        vars(rows).update(vars(self.rows), _query=query)
        return rows._iterable_class(rows)

    @staticmethod
    def converters_of(compiler):
        return compiler.get_converters([expression for expression, *_ in compiler.select[: compiler.col_count]])
