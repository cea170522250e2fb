"""POST auth/token/refresh/ and auth/token/blacklist/"""

from datetime import timedelta
from functools import partial
from unittest.mock import patch

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/token/refresh/"
LOGOUT = "/api/v1/auth/token/blacklist/"


@pytest.fixture
def user():
    return UserFactory()


def refresh(token):
    return APIClient().post(URL, {"refresh": str(token)})


def test_refreshing_gives_a_new_pair_that_works(user, anonymous):
    token = RefreshToken.for_user(user)
    pair = refresh(token).json()
    assert set(pair) == {"access", "refresh"}
    assert pair["refresh"] != str(token)
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert anonymous.get("/api/v1/users/me/").json()["id"] == str(user.pk)
    assert refresh(pair["refresh"]).status_code == 200


def test_a_used_token_is_dead(user):
    token = RefreshToken.for_user(user)
    assert refresh(token).status_code == 200
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")


def test_a_token_that_was_used_between_its_check_and_its_use_is_dead_too(user):
    token = RefreshToken.for_user(user)
    with patch.object(RefreshToken, "check_blacklist"):
        assert refresh(token).status_code == 200
        with nothing_changes():
            refused(refresh(token), 401, "token_not_valid")


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_exactly_one_gives_a_child(user):
    token = RefreshToken.for_user(user)
    assert all_at_once([partial(refresh, token)] * 6) == [200] + [401] * 5


def expired(user):
    token = RefreshToken.for_user(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    return token


@pytest.mark.parametrize(
    "make", [AccessToken.for_user, expired, lambda user: "x.y.z", lambda user: f"{RefreshToken.for_user(user)}x"]
)
@pytest.mark.parametrize("url", [URL, LOGOUT])
def test_what_is_no_living_refresh_token_is_refused(user, anonymous, make, url):
    token = make(user)
    with nothing_changes():
        refused(anonymous.post(url, {"refresh": str(token)}), 401, "token_not_valid")


@pytest.mark.parametrize("url", [URL, LOGOUT])
@pytest.mark.parametrize(
    ("value", "code"), [("", "blank"), (None, "null"), ([1], "invalid"), ({"a": 1}, "invalid"), (True, "invalid")]
)
def test_what_is_no_text_is_refused(anonymous, url, value, code):
    refused(anonymous.post(url, {"refresh": value}), 400, errors={"refresh": code})
    refused(anonymous.post(url, {}), 400, errors={"refresh": "required"})


def test_a_closed_account_gets_no_child(user):
    token = RefreshToken.for_user(user)
    user.deactivate()
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")


def test_a_deleted_account_gets_no_child(user):
    token = RefreshToken.for_user(user)
    user.delete()
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")


def test_logout_ends_the_refresh_token(user, anonymous):
    token = RefreshToken.for_user(user)
    response = anonymous.post(LOGOUT, {"refresh": str(token)})
    assert (response.status_code, response.json()) == (200, {})
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")
        refused(anonymous.post(LOGOUT, {"refresh": str(token)}), 401, "token_not_valid")


def test_logout_leaves_the_other_logins_be(user, anonymous):
    here, there = RefreshToken.for_user(user), RefreshToken.for_user(user)
    anonymous.post(LOGOUT, {"refresh": str(here)})
    assert refresh(there).status_code == 200
