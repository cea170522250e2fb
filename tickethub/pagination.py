"""Limit-offset pages that refuse nonsense."""

from functools import cache

from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Subquery, Window
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
        if self.count <= self.limit and not self.offset and connection.vendor == "postgresql":
            # Of a few it is not told that it could stop early: it would look for them in the order of the list, past
            # everything else, rather than by what they have in common. More may have come since they were counted.
            rows = list(view.shown(queryset))
        else:
            apart = any(str(order) in view.apart for order in queryset.query.order_by[:1])
            rows = list(self.how_to_show(apart)(view, queryset, self.offset, self.limit + 1))
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


def shown_from(view, rows, offset, limit):
    """The ids of the page come first where all else would be put together like what is shown: on PostgreSQL what is
    skipped, on SQLite whatever is to be sorted; or where an index knows them without the rows.
    """
    place = slice(offset, offset + limit)
    page = rows.found_elsewhere(place)
    return view.shown(rows.filter(Among(F("pk"), rows.values("pk")[place])) if page is None else page)


@cache
def with_count(how):
    """What shows a page as `how` does, with the count of all rows as a last column that no field shows."""

    def shown(view, rows, *numbers):
        count = rows.count_elsewhere()
        return how(view, rows, *numbers).annotate(count_of_all=Subquery(count_of(rows) if count is None else count))

    return shown
