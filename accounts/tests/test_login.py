"""POST auth/token/, and what an access token is good for."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/token/"
ME = "/api/v1/users/me/"


@pytest.fixture
def user():
    return UserFactory(email="ada@example.org")


def bearer(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@Example.org", " ada@example.org "])
def test_login_gives_tokens_whatever_the_case_of_the_address(anonymous, user, email):
    response = anonymous.post(URL, {"email": email, "password": PASSWORD})
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh"}
    assert bearer(response.json()["access"]).get(ME).json()["id"] == str(user.pk)


def test_login_is_noted(anonymous, user):
    anonymous.post(URL, {"email": user.email, "password": PASSWORD})
    user.refresh_from_db()
    assert timezone.now() - user.last_login < timedelta(minutes=1)


def test_wrong_password_unknown_address_and_closed_account_get_the_same_answer(anonymous, user):
    closed = UserFactory(is_active=False)
    tries = [
        {"email": user.email, "password": "wrong"},
        {"email": user.email, "password": PASSWORD.upper()},
        {"email": "nobody@example.org", "password": PASSWORD},
        {"email": closed.email, "password": PASSWORD},
        {"email": user.username, "password": PASSWORD},
    ]
    with nothing_changes():
        answers = [anonymous.post(URL, credentials) for credentials in tries]
    for answer in answers:
        refused(answer, 401, "no_active_account")
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("kind", ["wrong password", "unknown", "closed", "closed, right password", "no password"])
def test_every_refused_login_hashes_one_password(anonymous, user, kind, monkeypatch):
    if kind.startswith("closed"):
        user.deactivate()
    elif kind == "no password":
        user.set_unusable_password()
        user.save()
    encode, hashed = MD5PasswordHasher.encode, []
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda self, *words: hashed.append(words) or encode(self, *words))
    email = "nobody@example.org" if kind == "unknown" else user.email
    password = PASSWORD if kind == "closed, right password" else "wrong"
    refused(anonymous.post(URL, {"email": email, "password": password}), 401, "no_active_account")
    assert len(hashed) == 1


def test_a_login_brings_an_old_hash_up_to_date(anonymous, user, settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    assert user.password.startswith("md5$")
    assert anonymous.post(URL, {"email": user.email, "password": PASSWORD}).status_code == 200
    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("name", ["email", "password"])
@pytest.mark.parametrize(("value", "code"), [("", "blank"), (None, "null"), ([], "invalid"), ({}, "invalid")])
def test_login_without_one_of_the_two_is_refused(anonymous, user, name, value, code):
    with nothing_changes():
        refused(anonymous.post(URL, {"email": user.email, "password": PASSWORD, name: value}), 400, errors={name: code})


def test_no_token_gets_401_and_is_told_how(anonymous):
    response = anonymous.get(ME)
    refused(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "Bearer x.y.z", "Bearer é", "bearer x", "Basic YTpi", ""])
def test_a_malformed_header_gets_401(header, user):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    with nothing_changes():
        refused(client.patch(ME, {"first_name": "New"}), 401)


def test_a_refused_token_is_told_simplejwts_own_way():
    body = refused(bearer("x.y.z").get(ME), 401, "token_not_valid")
    assert body["messages"] == [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}]


def test_an_expired_token_gets_401(user):
    token = log_in(user).access_token
    token.set_exp(lifetime=-timedelta(seconds=1))
    refused(bearer(token).get(ME), 401, "token_not_valid")


def test_a_refresh_token_is_no_access_token(user):
    refused(bearer(log_in(user)).get(ME), 401, "token_not_valid")


def test_a_token_of_another_secret_gets_401(user, settings):
    token = log_in(user).access_token
    header, payload, _ = str(token).split(".")
    other = log_in(UserFactory()).access_token
    refused(bearer(f"{header}.{payload}.{str(other).split('.')[2]}").get(ME), 401, "token_not_valid")


def test_a_token_without_signature_gets_401(user):
    _, payload, _ = str(log_in(user).access_token).split(".")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg": "none", "typ": "JWT"}
    refused(bearer(f"{unsigned}.{payload}.").get(ME), 401, "token_not_valid")


def test_the_token_of_a_closed_account_gets_401(as_user, user):
    client = as_user(user)
    user.deactivate()
    with nothing_changes():
        refused(client.patch(ME, {"first_name": "New"}), 401, "user_inactive")


def test_the_token_of_a_reactivated_account_stays_dead(as_user, user):
    client = as_user(user)
    user.deactivate()
    user.is_active = True
    user.save(update_fields=["is_active"])
    refused(client.get(ME), 401, "token_not_valid")


def test_the_token_of_a_deleted_account_gets_401(as_user, user):
    client = as_user(user)
    user.delete()
    refused(client.get(ME), 401, "token_not_valid")


def test_a_token_costs_one_query(as_user, user, django_assert_num_queries):
    client = as_user(user)
    with django_assert_num_queries(1):
        assert client.get(ME).status_code == 200


def test_no_token_is_taken_from_the_query_string(anonymous, user):
    refused(anonymous.get(ME, {"token": str(log_in(user).access_token)}), 401, "not_authenticated")


def test_a_session_of_the_admin_is_no_login_to_the_api(client, user):
    client.force_login(user)
    refused(client.get(ME), 401, "not_authenticated")
