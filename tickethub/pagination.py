"""Limit-offset pages that refuse nonsense."""

from django.conf import settings
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
