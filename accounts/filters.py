from django.db.models import Q

from accounts.models import User
from tickethub.filters import AskedFilterSet, SearchFilter


class UserFilter(AskedFilterSet):
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
