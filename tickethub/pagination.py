"""Limit-offset pages that refuse nonsense."""

from copy import copy
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Subquery, Window
from django.db.models.functions import Coalesce
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination

from tickethub.models import Among, count_of
from tickethub.prepared import LIMIT_OF_NUMBERS


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


FEW = 10_000  # rows, up to which it is better to sort all than to hope that a page of them comes soon
FAR = 10_000  # rows to skip, from which on it is worth to ask first which of them need not be looked at


class StrictLimitOffsetPagination(LimitOffsetPagination):
    """`limit` is cut to the maximum; zero, negative and non-numbers are refused."""

    def get_limit(self, request):
        return page_size(request.query_params)

    def get_offset(self, request):
        return whole_number(request.query_params, self.offset_query_param, minimum=0, default=0)

    def paginate_queryset(self, queryset, request, view=None):
        """The page of a list, as the view's `shown` has its rows."""
        self.prepare(request)
        if connection.vendor == "sqlite" and request.query_params.get("search") and not self.offset:
            # SQLite has no index of words: it looks at every row, once for both rather than for each.
            found = list(queryset.values_list("pk", Window(Count("*")))[: self.limit])
            self.count = found[0][1] if found else 0
            return list(view.shown(queryset).filter(pk__in=[pk for pk, _ in found]))
        self.count = self.get_count(queryset)
        if self.offset >= self.count:
            return []
        few = self.count <= FEW and connection.vendor == "postgresql"
        if few and self.count <= self.limit and not self.offset:  # more may have come since they were counted
            rows = view.shown(queryset)
        elif few and not request.query_params.get("search"):  # which takes the longest to be done once more
            rows = shown_of_few(view, queryset, self.offset, self.limit + 1)
        else:
            apart = any(str(order) in view.apart for order in queryset.query.order_by[:1])
            rows = self.how_to_show(apart)(view, queryset, self.offset, self.limit + 1)
        rows = list(rows)
        # One more than the page, or it would seem to be the last one where others have come before it since the count.
        self.count = max(self.count, self.offset + len(rows))
        return rows[: self.limit]

    def paginate_alike(self, request, rows, skipping):
        """The page of a list that is asked so often that its SQL is made once; None for what `paginate_queryset` is to
        refuse, or knows to be past the end.

        `rows` gives what is got as `how(view, rows, *numbers)` has it. Far in, `skipping.reached` gives where to begin,
        and how many rows come before that, and `skipping.shown` what is shown from there on.
        """
        try:
            self.prepare(request)
        except ValidationError:
            return None
        if self.offset >= LIMIT_OF_NUMBERS:
            return None
        how, numbers = self.how_to_show(), (self.offset, self.limit)
        if skipping and self.offset >= FAR:
            reached = next(rows(skipping.reached, self.offset), None)
            if reached is None:
                return None
            start, skipped = reached
            how, numbers = skipping.shown, (start, self.offset - skipped, self.limit)
        page = list(rows(with_count(how), *numbers))
        self.count = page[0][-1] if page else 0
        return page if page or not self.offset else None

    def prepare(self, request):
        self.request, self.limit, self.offset = request, self.get_limit(request), self.get_offset(request)

    def how_to_show(self, apart=False):
        return shown_from if apart or self.offset or connection.vendor == "sqlite" else shown_first


def shown_first(view, rows, offset, limit):
    place = slice(offset, offset + limit)
    page = rows.found_elsewhere(place)
    return view.shown(rows)[place] if page is None else view.shown(page)


def shown_from(view, rows, offset, limit, in_order=lambda rows: rows):
    """The ids of the page come first where all else would be put together like what is shown: on PostgreSQL what is
    skipped, on SQLite whatever is to be sorted; or where an index knows them without the rows.
    """
    place = slice(offset, offset + limit)
    page = rows.found_elsewhere(place)
    if page is None:
        page = rows.filter(Among(F("pk"), in_order(rows).values("pk")[place]))
    return view.shown(page)


def shown_of_few(view, rows, offset, limit):
    """As `shown_from`, by a sort of all of them. Told by an index that it could stop early, PostgreSQL would look for
    them in the order of the list, past everything else, and may come upon them late.
    """
    return shown_from(view, rows, offset, limit, sorted_anew)


def sorted_anew(rows):
    """The same rows in the same order, by what no index has."""
    first, *others = rows.query.order_by
    if isinstance(first, str):
        first = F(first[1:]).desc() if first.startswith("-") else F(first).asc()
    first = copy(first)
    first.expression = Coalesce(first.expression, first.expression)
    return rows.order_by(first, *others)


@cache
def with_count(how):
    """What shows a page as `how` does, with the count of all rows as a last column that no field shows."""

    def shown(view, rows, *numbers):
        count = rows.count_elsewhere()
        return how(view, rows, *numbers).annotate(count_of_all=Subquery(count_of(rows) if count is None else count))

    return shown
