"""Limit-offset pages that refuse nonsense."""

from django.conf import settings
from django.db import connection
from django.db.models import Count, Value, Window
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination


def whole_number(query_params, name, *, minimum, default):
    """Read a parameter; raises ValidationError for what is no whole number of at least `minimum`."""
    value = query_params.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit()) or int(value[:20]) < minimum:
        raise ValidationError({name: f"This must be a whole number of at least {minimum}."})
    return int(value[:20])


def page_size(query_params):
    """The asked `limit`, cut to the maximum."""
    asked = whole_number(query_params, "limit", minimum=1, default=settings.REST_FRAMEWORK["PAGE_SIZE"])
    return min(asked, settings.MAX_PAGE_SIZE)


class StrictLimitOffsetPagination(LimitOffsetPagination):
    """`limit` is cut to the maximum; zero, negative and non-numbers are refused."""

    max_limit = settings.MAX_PAGE_SIZE

    def get_limit(self, request):
        return page_size(request.query_params)

    def get_offset(self, request):
        return whole_number(request.query_params, self.offset_query_param, minimum=0, default=0)

    def paginate_queryset(self, queryset, request, view=None, read=lambda rows: rows):
        """The page, as `read` has its rows, whose joins are not for the count. Its ids come first where all else would
        be put together like what is shown: on PostgreSQL what is skipped, on SQLite whatever is to be sorted.
        """
        self.request, self.limit, self.offset = request, self.get_limit(request), self.get_offset(request)
        page = slice(self.offset, self.offset + self.limit)
        if connection.vendor == "sqlite" and request.query_params.get("search") and not self.offset:
            # SQLite has no index of words: it looks at every row, once for both rather than for each.
            found = list(queryset.values_list("pk", Window(Count("*")))[page])
            self.count = found[0][1] if found else 0
            return list(read(queryset).filter(pk__in=[pk for pk, _ in found]))
        self.count = self.get_count(queryset)
        if self.offset >= self.count:
            return []
        if self.offset:
            return list(read(queryset).filter(pk__in=queryset.values("pk")[page]))
        return list(first_rows(queryset, read, self.limit if self.count > self.limit else None))[page]

    def paginate_alike(self, request, within):
        """The first page of what is asked so often that its SQL is made once.

        `within(how, *args)` gives the rows of the Prepared for it, got as `how(view, rows, *args)` has them.
        """
        self.request, self.limit, self.offset = request, self.get_limit(request), 0
        self.count = sum(within(counted))
        return list(within(shown_first, self.limit if self.count > self.limit else None))[: self.limit]


def first_rows(rows, read, limit):
    """The rows from the first on, up to `limit` if there are more."""
    if connection.vendor == "sqlite":
        return read(rows).filter(pk__in=rows.values("pk")[:limit])
    # Of a few, PostgreSQL is not told that it could stop early: it would look for them in the order of the list,
    # past everything else, rather than by what they have in common.
    return read(rows)[:limit]


def shown_first(view, rows, limit):
    return first_rows(rows, view.shown, limit)


def counted(view, rows):
    """Numbers that make up how many rows there are."""
    elsewhere = rows.counted_elsewhere() if hasattr(rows, "counted_elsewhere") else None
    if elsewhere is not None:
        return elsewhere
    return (
        rows.order_by()
        .annotate(each=Value(1))
        .values("each")
        .annotate(count=Count("*"))
        .values_list("count", flat=True)
    )
