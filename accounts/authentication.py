"""Who a request is of: the person of the session that its token comes of."""

from uuid import UUID

from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.models import Session, User
from tickethub.prepared import Prepared

FIND = Prepared(lambda pk, user: Session.objects.filter(pk=pk, user=user).select_related("user"))


class SessionTokenAuthentication(JWTAuthentication):
    """SimpleJWT's, for tokens that come of a session and end with it."""

    def get_user(self, validated_token):
        return session_of(validated_token).user


def session_of(token, find=FIND.first):
    """The open session that a token comes of, with its user, in one query. `find` gives it, or None, by their ids.

    Raises SimpleJWT's AuthenticationFailed where the user may not come in with it any more, or InvalidToken.
    """
    try:
        session = find(*(UUID(str(token.get(claim))) for claim in (Session.CLAIM, jwt_settings.USER_ID_CLAIM)))
    except ValueError:  # its claims name none
        session = None
    if session is None:
        raise InvalidToken("This token was revoked.")
    if not session.user.is_active:
        raise inactive()
    if token.get(jwt_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(session.user.password):
        raise AuthenticationFailed("The user's password has been changed.", code="password_changed")
    if not session.is_open:
        raise InvalidToken("This token was revoked.")
    return session


def inactive():
    return AuthenticationFailed("User is inactive", code="user_inactive")


def hold_account(user):
    """Keep the account of `user` open until the transaction ends. Raises AuthenticationFailed if it is closed."""
    if not User.objects.filter(pk=user.pk).locked().get().is_active:
        raise inactive()
