from django.db.models import Q
from django_filters import rest_framework as filters

from accounts.models import User
from tickethub.filters import SearchFilter


class UserFilter(filters.FilterSet):
    search = SearchFilter(method="find", help_text="Words in the handle, the names or the address.")

    class Meta:
        model = User
        fields = []

    def find(self, queryset, name, value):
        for word in value.split():
            queryset = queryset.filter(
                Q(username__icontains=word)
                | Q(first_name__icontains=word)
                | Q(last_name__icontains=word)
                | Q(email__icontains=word)
            )
        return queryset
