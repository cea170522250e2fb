"""Filtering that refuses what it does not know, so that a mistyped filter never gives the whole list."""

from datetime import UTC
from functools import reduce
from itertools import groupby
from operator import or_

from django import forms
from django.db.models import F, Lookup, Q
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from django_filters.utils import translate_validation
from django_filters.widgets import CSVWidget
from rest_framework.exceptions import ValidationError


def refuse_unknown(query_params, known, repeatable=()):
    """Raise ValidationError naming each query parameter that is not among `known`, has a NUL in it, or is given several
    times without being `repeatable`: of such one value alone would count.
    """
    unknown = {name: "There is no such parameter here." for name in query_params if name not in known}
    if unknown:
        raise ValidationError(unknown, code="unknown_parameter")
    with_nul = {
        name: "Null characters are not allowed." for name, values in query_params.lists() if "\0" in "".join(values)
    }
    if with_nul:
        raise ValidationError(with_nul, code="null_characters_not_allowed")
    repeated = {
        name: "This may be given once."
        for name, values in query_params.lists()
        if len(values) > 1 and name not in repeatable
    }
    if repeated:
        raise ValidationError(repeated, code="repeated")


def refuse_blank(query_params, known):
    """Raise ValidationError for filters without a value, which a form takes for no filter. A search may be empty."""
    blank = {
        name: "This may not be blank."
        for name, values in query_params.lists()
        if name in known and not isinstance(known[name], SearchFilter) and not all(value.strip() for value in values)
    }
    if blank:
        raise ValidationError(blank, code="blank")


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter, for which an unknown parameter is a 400."""

    def asked(self, request, view):
        """The FilterSet of a request, which is valid. Raises ValidationError."""
        known = view.filterset_class.base_filters
        repeatable = {name for name, each in known.items() if isinstance(each, REPEATABLE)}
        refuse_unknown(request.query_params, {"limit", "offset", *known}, repeatable)
        refuse_blank(request.query_params, known)
        filterset = self.get_filterset(request, None, view)
        if not filterset.is_valid():
            raise translate_validation(filterset.errors)
        return filterset


class AskedFilterSet(filters.FilterSet):
    """A FilterSet of what is asked alone: the other filters, and fields of a form for them, would be made in vain."""

    def __init__(self, data=None, *args, **kwargs):
        if data is not None:  # else it is the schema that asks
            self.base_filters = {name: each for name, each in self.base_filters.items() if name in data}
        super().__init__(data, *args, **kwargs)


class HasWord(Lookup):
    """Whether a text has a word in it, in whatever case."""

    lookup_name, prepare_rhs = "has_word", False

    def as_sql(self, compiler, connection):
        lhs, params = self.process_lhs(compiler, connection)
        if self.rhs.isascii():
            return rf"{lhs} LIKE %s ESCAPE '\'", [*params, self.anywhere(connection)]
        # Of other letters SQLite does not know the case.
        return f"{lhs} GLOB %s", [*params, f"*{''.join(map(in_any_case, self.rhs))}*"]

    def as_postgresql(self, compiler, connection):
        lhs, params = self.process_lhs(compiler, connection)
        return f"UPPER({lhs}) LIKE UPPER(%s)", [*params, self.anywhere(connection)]

    def anywhere(self, connection):
        return f"%{connection.ops.prep_for_like_query(self.rhs)}%"


# Letters by their capital, which some share, as those of Greek do.
ALIKE = {
    capital: set(letters)
    for capital, letters in groupby(sorted(map(chr, range(0x80, 0x800)), key=str.upper), key=str.upper)
}


def in_any_case(letter):
    """A letter as a pattern of SQLite's GLOB."""
    cases = {letter, letter.lower(), letter.upper(), *ALIKE.get(letter.upper(), ())}
    cases = [case for case in sorted(cases) if len(case) == 1]
    return f"[{''.join(cases)}]" if len(cases) > 1 or letter in "*?[" else letter


MOST_WORDS = 20  # of a search: each reads the texts of all tasks that no index of words rules out


def words_of(search, keys=None):
    """The words of a search, without those within another, which are found with it; one that is a key, as the pattern
    `keys` tells, may be found elsewhere.
    """
    words = {word.encode().lower(): word for word in search.split()}  # of ASCII: of other letters databases differ
    texts = [word for word in words if not (keys and keys.fullmatch(words[word].upper()))]
    return [name for word, name in words.items() if not any(word in text and word != text for text in texts)]


class SearchField(forms.CharField):
    def __init__(self, *args, keys=None, **kwargs):
        self.keys = keys
        super().__init__(*args, **kwargs)

    def clean(self, value):
        words = words_of(super().clean(value), self.keys)
        if len(words) > MOST_WORDS:
            raise forms.ValidationError(f"A search has at most {MOST_WORDS} different words.", code="too_many_words")
        return words


class SearchFilter(filters.CharFilter):
    """A few words, each of which one of the `columns` has to have; `keys` is a pattern of what is found elsewhere.

    Each is a condition of its own: thousands of them would take minutes, and more than SQLite takes.
    """

    field_class = SearchField
    MAX_LENGTH = 200

    def __init__(self, *columns, help_text, **kwargs):
        self.columns = columns
        help_text = f"{help_text} At most {MOST_WORDS}, each of which is to be there."
        super().__init__(max_length=self.MAX_LENGTH, help_text=help_text, **kwargs)

    def filter(self, queryset, value):
        for word in value:
            queryset = queryset.filter(reduce(or_, [Q(HasWord(F(column), word)) for column in self.columns]))
        return queryset


class TrueOrFalse(forms.TypedChoiceField):
    """`true` or `false`, and nothing else: Django's own boolean fields take any other word for unset."""

    def __init__(self, **kwargs):
        kwargs.pop("null_label", None)
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce=lambda word: word == "true", **kwargs)


class TrueOrFalseFilter(filters.Filter):
    field_class = TrueOrFalse


class MomentField(IsoDateTimeField):
    """A time, brought to UTC: one that leaves the calendar on the way is refused."""

    def to_python(self, value):
        value = super().to_python(value)
        try:
            return value and value.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class DayFilter(filters.DateFilter):
    """A day as YYYY-MM-DD."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, input_formats=["%Y-%m-%d"], **kwargs)


class RepeatableCSVWidget(CSVWidget):
    """Values between commas, or given one by one, as clients made from the description of the API send them."""

    def value_from_datadict(self, data, files, name):
        return ",".join(data.getlist(name)).split(",") if name in data else None


class StableOrderingFilter(filters.OrderingFilter):
    """Ordering that ends in the id, so that pages neither repeat nor skip; rows without a value come last.

    Of a column that always has one this is not said: PostgreSQL would take no index for it backwards.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, widget=RepeatableCSVWidget, **kwargs)

    def filter(self, qs, value):
        if "" in value:
            raise ValidationError({self.field_name: "A name is missing beside a comma."}, code="invalid_choice")
        names = [self.get_ordering_value(name) for name in value]
        terms = [self.term(name, qs.model._meta.get_field(name.lstrip("-"))) for name in names]
        return qs.order_by(*terms, "-pk" if names[0].startswith("-") else "pk")

    @staticmethod
    def term(name, field):
        if not field.null:
            return name
        return F(field.name).desc(nulls_last=True) if name.startswith("-") else F(field.name).asc(nulls_last=True)


REPEATABLE = (filters.MultipleChoiceFilter, StableOrderingFilter)  # filters that take a parameter given several times
