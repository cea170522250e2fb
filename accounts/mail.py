"""Mails to one person about their account."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User

RESET_MAIL = """\
Hello {user.username},

somebody, hopefully you, asked for a new password on TicketHub. This link sets one, once, within {minutes} minutes:

{url}

An app may ask for its parts instead: uid {uid} and token {token}

If it was not you, there is nothing to do: your password stays as it is.
"""

ADDRESS_MAIL = """\
Hello {user.username},

the address of your account on TicketHub is no longer this one, but {user.email}.

If it was not you who changed it, somebody else is logged in as you. Whoever runs this TicketHub can give it back.
"""


def send_password_reset(email):
    """Mail a link for a new password to the active user of this address, if there is one.

    That takes longer than finding nobody: done by a request, it would tell the one from the other.
    """
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        return
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    url = settings.PUBLIC_URL + reverse("password_reset_confirm", args=[uid, token])
    minutes = settings.PASSWORD_RESET_TIMEOUT // 60
    body = RESET_MAIL.format(user=user, minutes=minutes, url=url, uid=uid, token=token)
    send_mail("A new password for TicketHub", body, None, [user.email])


def send_address_changed(user, old):
    """Tell somebody at their old address that it is no longer theirs here: it may have been a thief who changed it."""
    send_mail("Another address for TicketHub", ADDRESS_MAIL.format(user=user), None, [old])
