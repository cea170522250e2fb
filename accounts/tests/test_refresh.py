"""POST auth/token/refresh/ and auth/token/blacklist/"""

from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Session, User, UserQuerySet
from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory, log_in
from accounts.tokens import RefreshToken

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/token/refresh/"
LOGOUT = "/api/v1/auth/token/blacklist/"


@pytest.fixture
def user():
    return UserFactory()


def refresh(token):
    return APIClient().post(URL, {"refresh": str(token)})


def test_refreshing_gives_a_new_pair_that_works(user, anonymous):
    token = log_in(user)
    pair = refresh(token).json()
    assert set(pair) == {"access", "refresh"}
    assert pair["refresh"] != str(token)
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert anonymous.get("/api/v1/users/me/").json()["id"] == str(user.pk)
    assert refresh(pair["refresh"]).status_code == 200


def test_a_spent_token_ends_its_session(user, anonymous):
    token, other = log_in(user), log_in(user)
    pair = refresh(token).json()
    refused(refresh(token), 401, "token_not_valid")
    assert Session.objects.get(pk=token["session"]).ended_at
    with nothing_changes():
        refused(refresh(pair["refresh"]), 401, "token_not_valid")
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    refused(anonymous.get("/api/v1/users/me/"), 401, "token_not_valid")
    assert refresh(other).status_code == 200


def test_a_token_that_was_spent_long_ago_ends_its_session_too(user):
    first = log_in(user)
    last = refresh(refresh(refresh(first).json()["refresh"]).json()["refresh"]).json()
    refused(refresh(first), 401, "token_not_valid")
    refused(refresh(last["refresh"]), 401, "token_not_valid")


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_session_stands_although_the_answer_is_401(user):
    token = log_in(user)
    refresh(token)
    refused(refresh(token), 401)
    assert not user.sessions.open().exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_exactly_one_gives_a_child_which_lives(user, monkeypatch):
    token, begun, answers = log_in(user), Barrier(20), []

    def read_when_all_have_begun(text):
        begun.wait(30)
        return RefreshToken(text)

    def use():
        answers.append(refresh(token))
        return answers[-1]

    monkeypatch.setattr("accounts.serializers.RefreshToken", read_when_all_have_begun)
    assert all_at_once([use] * 20) == [200] + [401] * 19
    monkeypatch.undo()
    [child] = [answer.json()["refresh"] for answer in answers if answer.status_code == 200]
    assert refresh(child).status_code == 200
    assert user.sessions.count() == 1


# --- An answer that was lost ---

KEY = "5f0c8b1e2d3a4956"


def refresh_with(token, key=KEY):
    return APIClient().post(URL, {"refresh": str(token), "idempotency_key": key})


def jti_of(answer):
    return RefreshToken(answer.json()["refresh"])["jti"]


def test_who_lost_the_answer_gets_the_same_child_again(user):
    token = log_in(user)
    first, again = refresh_with(token), refresh_with(token)
    assert (first.status_code, again.status_code) == (200, 200)
    assert jti_of(first) == jti_of(again)
    assert refresh(again.json()["refresh"]).status_code == 200


@pytest.mark.parametrize("sent", [{}, {"idempotency_key": "another key, as long"}])
def test_who_has_a_spent_token_and_not_its_key_ends_the_session(user, sent):
    token = log_in(user)
    child = refresh_with(token).json()["refresh"]
    refused(APIClient().post(URL, {"refresh": str(token), **sent}), 401, "token_not_valid")
    refused(refresh_with(token), 401, "token_not_valid")
    refused(refresh(child), 401, "token_not_valid")


def test_a_key_is_worth_nothing_once_the_child_is_spent_or_with_another_token(user):
    token = log_in(user)
    child = refresh_with(token).json()["refresh"]
    grandchild = refresh_with(child).json()["refresh"]
    refused(refresh_with(token), 401, "token_not_valid")
    refused(refresh(grandchild), 401, "token_not_valid")


def test_a_key_does_not_bring_back_what_was_spent_without_one(user):
    token = log_in(user)
    refresh(token)
    refused(refresh_with(token), 401, "token_not_valid")
    assert not user.sessions.open().exists()


@pytest.mark.parametrize("end", [lambda token: APIClient().post(LOGOUT, {"refresh": str(token)}), None])
def test_a_key_opens_no_login_that_is_over(user, end):
    token = log_in(user)
    refresh_with(token)
    if end:
        end(token)
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)
    refused(refresh_with(token), 401)


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "\0" * 20, None, ["x" * 20], {"x": "y"}])
def test_a_bad_key_is_refused_and_spends_nothing(user, key):
    token = log_in(user)
    body = {"refresh": str(token), "idempotency_key": key}
    with nothing_changes():
        refused(APIClient().post(URL, body, "json"), 400)
    assert refresh(token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_with_one_key_all_give_one_child(user):
    token = log_in(user)
    answers = []

    def use():
        answers.append(refresh_with(token))
        return answers[-1]

    assert all_at_once([use] * 20) == [200] * 20
    assert len({jti_of(answer) for answer in answers}) == 1
    assert refresh(answers[0].json()["refresh"]).status_code == 200


def test_an_answer_is_held_and_who_comes_meanwhile_is_no_thief(user, settings, monkeypatch):
    settings.REFRESH_HELD_FOR = timedelta(seconds=30)
    held = []
    monkeypatch.setattr("accounts.serializers.time.sleep", held.append)
    token = log_in(user)
    child = refresh(token).json()["refresh"]
    assert held == [30]
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")
    assert refresh(child).status_code == 200
    Session.objects.update(rotated_at=timezone.now() - timedelta(seconds=31))
    refused(refresh(token), 401, "token_not_valid")
    assert not user.sessions.open().exists()


def test_no_token_outlives_its_session(user):
    token = log_in(user)
    session = Session.objects.get()
    assert session.expires_at - session.created_at == pytest.approx(timedelta(days=30), abs=timedelta(seconds=1))
    assert token["exp"] - token["iat"] == 7 * 24 * 3600
    Session.objects.update(expires_at=timezone.now() + timedelta(days=2))
    child = RefreshToken(refresh(token).json()["refresh"])
    assert child["exp"] == int(Session.objects.get().expires_at.timestamp())
    assert Session.objects.get().expires_at < session.expires_at  # and no refresh puts it off


def expired(user):
    token = log_in(user)
    token.set_exp(lifetime=-timedelta(seconds=1))
    return token


@pytest.mark.parametrize(
    "make", [lambda user: log_in(user).access_token, expired, lambda user: "x.y.z", lambda user: f"{log_in(user)}x"]
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


def delete(user):
    User.objects.filter(pk=user.pk).delete()


def switch_off(user):
    super(UserQuerySet, User.objects.filter(pk=user.pk)).update(is_active=False)  # past every model's method


def change_password(user):
    super(UserQuerySet, User.objects.filter(pk=user.pk)).update(password=make_password("another one"))


def expire(user):
    user.sessions.update(expires_at=timezone.now())


ENDS = {
    "closed": (User.deactivate, "user_inactive"),
    "closed in the database": (switch_off, "user_inactive"),
    "deleted": (delete, "token_not_valid"),
    "new password": (lambda user: [user.set_password("another one"), user.save()], "password_changed"),
    "new password in the database": (change_password, "password_changed"),
    "expired": (expire, "token_not_valid"),
    "logged out": (lambda user: user.sessions.get().end(), "token_not_valid"),
    "forgotten": (lambda user: user.sessions.all().delete(), "token_not_valid"),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_ends_a_login_ends_its_tokens_of_both_kinds(user, anonymous, how):
    end, code = ENDS[how]
    token = log_in(user)
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {token.access_token}")
    assert anonymous.get("/api/v1/users/me/").status_code == 200
    end(user)
    with nothing_changes():
        refused(refresh(token), 401, code)
        refused(anonymous.post(LOGOUT, {"refresh": str(token)}), 401)
        refused(anonymous.patch("/api/v1/users/me/", {"first_name": "New"}), 401, code)


def test_logout_ends_the_refresh_token(user, anonymous):
    token = log_in(user)
    response = anonymous.post(LOGOUT, {"refresh": str(token)})
    assert (response.status_code, response.json()) == (200, {})
    with nothing_changes():
        refused(refresh(token), 401, "token_not_valid")
        refused(anonymous.post(LOGOUT, {"refresh": str(token)}), 401, "token_not_valid")


def test_logout_leaves_the_other_logins_be(user, anonymous):
    here, there = log_in(user), log_in(user)
    anonymous.post(LOGOUT, {"refresh": str(here)})
    assert refresh(there).status_code == 200
