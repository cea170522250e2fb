"""What tests of all apps share: a client of the API for any person."""

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken


def client_of(user=None, **headers):
    """A client of the API with a real access token of `user`, or none."""
    client = APIClient(headers=headers)
    if user:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user).access_token}")
    return client


@pytest.fixture
def as_user():
    return client_of


@pytest.fixture
def anonymous():
    return client_of()
