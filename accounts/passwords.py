"""Setting a password. To hash takes long: that comes before the transaction, which looks again at what allowed it."""

from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.utils.http import urlsafe_base64_decode

from accounts.models import User
from tickethub.transactions import in_transaction


class NewPassword:
    """A password, hashed already. It may be written more than once, as a transaction that is done again does."""

    def __init__(self, raw):
        self.raw, self.encoded = raw, make_password(raw)

    def write(self, user):
        user.password, user._password = self.encoded, self.raw  # as set_password does
        user.save(update_fields=["password"])


def user_of_link(uid, token, users=User.objects):
    """The active user, among `users`, for whom a mailed link is good; None for any other, and for nonsense."""
    try:
        user = users.get(pk=urlsafe_base64_decode(uid).decode(), is_active=True)
    except (ValueError, ValidationError, User.DoesNotExist):
        return None
    return user if default_token_generator.check_token(user, token) else None


@in_transaction
def set_by_link(uid, token, new):
    """Set the password of the user of a mailed link, which works once; None where it is not good, or no more."""
    user = user_of_link(uid, token, User.objects.select_for_update(no_key=True))
    if user:
        new.write(user)
    return user


@in_transaction
def change(user, is_allowed, new):
    """Set a user's password if the user, as locked, is allowed to; None where not."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not is_allowed(user):
        return None
    new.write(user)
    return user
