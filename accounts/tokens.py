"""SimpleJWT's tokens, which trust the type of no claim."""

from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError


class CarefulToken:
    """Whatever cannot be read as a token is an invalid one: the libraries stumble over some of it."""

    def __init__(self, token=None, verify=True):
        try:
            super().__init__(token, verify)
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise TokenError("Token is invalid") from error


class AccessToken(CarefulToken, tokens.AccessToken):
    pass


class RefreshToken(CarefulToken, tokens.RefreshToken):
    access_token_class = AccessToken
