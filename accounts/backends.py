"""Whose password it is: the one place that every login comes through, by the API and by the admin."""

from functools import partial

from django.contrib.auth.backends import ModelBackend

from accounts import attempts


class AccountBackend(ModelBackend):
    """Django's, which hashes no password for an account that too many were tried for. Raises Throttled then."""

    def authenticate(self, request, username=None, password=None, **kwargs):
        email = kwargs.get("email", username)
        if request is None or email is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        return attempts.counted(email, request, partial(super().authenticate, request, email, password))
