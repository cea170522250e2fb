from accounts.models import User
from tickethub.filters import AskedFilterSet, SearchFilter


class UserFilter(AskedFilterSet):
    search = SearchFilter(
        "username", "first_name", "last_name", "email", help_text="Words in the handle, the names or the address."
    )

    class Meta:
        model = User
        fields = []
