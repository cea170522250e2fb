"""What is taken for a token: its key, algorithm, issuer, audience and kind, and that no claim makes us stumble."""

import base64
import json
import time
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.backends import TokenBackend

from accounts.models import Session
from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import UserFactory, log_in
from accounts.tokens import AccessToken

pytestmark = pytest.mark.django_db
REFRESH = "/api/v1/auth/token/refresh/"
LOGOUT = "/api/v1/auth/token/blacklist/"
ME = "/api/v1/users/me/"
KEY = settings.SIMPLE_JWT["SIGNING_KEY"]


@pytest.fixture
def token():
    return log_in(UserFactory())


def claims_of(token):
    return jwt.decode(str(token), options={"verify_signature": False})


def signed(claims, key=KEY, algorithm="HS256"):
    """A token of any claims, those with the value None left out."""
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.api_jws.encode(json.dumps(claims).encode(), key, algorithm)


def use(access):
    return APIClient(headers={"Authorization": f"Bearer {access}"}).get(ME)


def refused_everywhere(refresh, access):
    with nothing_changes():
        for url in (REFRESH, LOGOUT):
            refused(APIClient().post(url, {"refresh": refresh}), 401, "token_not_valid")
        refused(use(access), 401, "token_not_valid")


def test_a_token_of_these_tests_is_as_good_as_one_of_ours(token):
    assert use(signed(claims_of(token.access_token))).status_code == 200
    assert APIClient().post(REFRESH, {"refresh": signed(claims_of(token))}).status_code == 200


def test_a_token_says_whom_it_is_from_and_for(token):
    for each in (token, token.access_token):
        claims = claims_of(each)
        assert (claims["iss"], claims["aud"]) == (settings.PUBLIC_URL, "tickethub")
        assert jwt.get_unverified_header(str(each))["alg"] == "HS256"


def test_an_access_token_lasts_ten_minutes(token):
    claims = claims_of(token.access_token)
    assert claims["exp"] - claims["iat"] == 600


def test_a_token_is_read_once_and_ends_all_the_same(token, monkeypatch):
    access = signed(claims_of(token.access_token) | {"exp": int(time.time()) + 2})
    assert use(access).status_code == 200
    with monkeypatch.context() as patched:
        patched.delattr(TokenBackend, "decode")
        assert use(access).status_code == 200
    AccessToken(access)["exp"] = 2**33  # of this token alone, not of what is remembered
    time.sleep(2.1)
    refused(use(access), 401, "token_not_valid")


def test_tokens_have_a_key_of_their_own(token):
    assert len(KEY) >= 32
    assert KEY != settings.SECRET_KEY
    refused_everywhere(*(signed(claims_of(each), settings.SECRET_KEY) for each in (token, token.access_token)))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_another_algorithm_is_refused(token, algorithm):
    key = None if algorithm == "none" else KEY * 2
    refused_everywhere(*(signed(claims_of(each), key, algorithm) for each in (token, token.access_token)))


def test_one_kind_is_not_taken_for_the_other(token):
    refused_everywhere(str(token.access_token), str(token))


WRONG = [
    *({"session": value} for value in (None, 7, 1.5, True, [], {}, "x", "", "\0", "é" * 32, "0" * 32, "\ud800")),
    *({"user_id": value} for value in (None, 7, [], {}, "x", "\0", "0" * 32, "٣" * 32)),
    *({"jti": value} for value in (None, 7, True, [], {})),
    *({"exp": value} for value in (None, "x", [], {}, True, "9999999999", 1e12, 1e18, 1e300, 10**400, float("inf"))),
    *({"exp": value} for value in (float("nan"), -1)),
    *({"iat": value} for value in ("x", [], {}, float("inf"), 10**400, 9_999_999_999)),
    *({"nbf": value} for value in ("x", [], float("nan"), 9_999_999_999)),
    *({"iss": value} for value in (None, 7, [], {}, "", "https://elsewhere.example.org", [settings.PUBLIC_URL])),
    *({"aud": value} for value in (None, 7, [], {}, "", "other", ["other"], [7])),
    *({"token_type": value} for value in (None, 7, [], {}, "sliding", "")),
    *({"sub": value} for value in (7, [], {})),
]


@pytest.mark.parametrize("claims", WRONG, ids=lambda claims: ascii(claims)[:40])
def test_a_claim_that_is_wrong_gets_401_though_the_key_is_right(token, claims):
    refused_everywhere(*(signed(claims_of(each) | claims) for each in (token, token.access_token)))


@pytest.mark.parametrize("value", [None, 7, [], {}, "x"])
def test_a_token_of_no_password_gets_401(token, value):
    refresh, access = (signed(claims_of(each) | {"hash_password": value}) for each in (token, token.access_token))
    with nothing_changes():
        refused(APIClient().post(REFRESH, {"refresh": refresh}), 401, "password_changed")
        refused(use(access), 401, "password_changed")


def test_a_token_of_another_persons_session_gets_401(token):
    other = log_in(UserFactory())
    claims = {"session": other["session"]}
    refused_everywhere(*(signed(claims_of(each) | claims) for each in (token, token.access_token)))


def test_an_expired_session_refuses_an_access_token_that_is_not(token):
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused_everywhere(str(token), str(token.access_token))


def coded(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


NONSENSE = {
    "long": "x" * 2_000_000,
    "long and of three parts": ".".join(["x" * 600_000] * 3),
    "dots": "." * 10_000,
    "deep": f"{coded('[' * 100_000)}.e30.x",
    "deep objects": f"{coded('{"a":' * 100_000)}.e30.x",
    "a huge number": f"{coded('{"alg": "HS256", "kid": ' + '9' * 10_000 + '}')}.e30.x",
    "no object": f"{coded('[]')}.{coded('7')}.x",
    "no text": f"{coded('7')}.e30.x",
    "critical": f"{coded('{"alg": "HS256", "crit": 7}')}.e30.x",
    "an algorithm that is none": f"{coded('{"alg": []}')}.e30.x",
    "unpaired": "\ud800.e30.x",
    "zero": "\0",
    "not ASCII": "é.é.é",
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_gets_401_however_long(kind):
    with nothing_changes():
        for url in (REFRESH, LOGOUT):
            response = APIClient().post(url, json.dumps({"refresh": NONSENSE[kind]}), content_type="application/json")
            assert response.status_code in ({400} if kind in {"unpaired", "zero"} else {401}), response.content
        if kind != "unpaired":
            refused(APIClient(headers={"Authorization": f"Bearer {NONSENSE[kind]}"}).get(ME), 401)
