"""SimpleJWT's tokens, which trust the type of no claim."""

import time
from functools import lru_cache

from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.state import token_backend


class CarefulToken:
    """Whatever cannot be read as a token is an invalid one: the libraries stumble over some of it."""

    def __init__(self, token=None, verify=True):
        try:
            super().__init__(token, verify)
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise TokenError("Token is invalid") from error


class Remembering:
    """SimpleJWT's backend, which reads a token once: it comes with every request, and its signature stays right."""

    encode, get_leeway = token_backend.encode, token_backend.get_leeway

    def decode(self, token, verify=True):
        if verify and (claims := read(token)).get("exp", 0) > time.time():
            return dict(claims)
        return token_backend.decode(token, verify)


@lru_cache(maxsize=10_000)
def read(token):
    """The claims of a token that was valid when it first came. Raises SimpleJWT's TokenBackendError."""
    return token_backend.decode(token)


class AccessToken(CarefulToken, tokens.AccessToken):
    _token_backend = Remembering()


class RefreshToken(CarefulToken, tokens.RefreshToken):
    access_token_class = AccessToken
