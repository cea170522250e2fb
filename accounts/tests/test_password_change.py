"""POST auth/password/change/"""

import pytest
from rest_framework.test import APIClient

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/password/change/"
NEW = "a wholly new one"


@pytest.fixture
def user():
    return UserFactory(username="grace", email="grace@example.org")


def change(client, current=PASSWORD, new=NEW):
    return client.post(URL, {"current_password": current, "new_password": new})


def test_a_changed_password_logs_in_and_the_old_one_does_not(as_user, anonymous, user):
    response = change(as_user(user))
    assert (response.status_code, response.content) == (204, b"")
    login = {"email": user.email, "password": PASSWORD}
    assert anonymous.post("/api/v1/auth/token/", login).status_code == 401
    assert anonymous.post("/api/v1/auth/token/", {**login, "password": NEW}).status_code == 200


def test_every_earlier_token_is_dead_after_a_change(as_user, user):
    here, there, refresh = as_user(user), as_user(user), log_in(user)
    assert change(here).status_code == 204
    for client in (here, there):
        refused(client.get("/api/v1/users/me/"), 401, "password_changed")
    with nothing_changes():
        refused(APIClient().post("/api/v1/auth/token/refresh/", {"refresh": str(refresh)}), 401, "password_changed")
    assert not user.sessions.open().exists()


def test_nobody_elses_tokens_end(as_user, user):
    other = as_user(UserFactory())
    change(as_user(user))
    assert other.get("/api/v1/users/me/").status_code == 200


def test_earlier_tokens_end_even_where_the_new_password_is_the_old_one(as_user, user):
    client = as_user(user)
    assert change(client, new=PASSWORD).status_code == 204
    refused(client.get("/api/v1/users/me/"), 401)


@pytest.mark.parametrize("current", ["wrong", PASSWORD + " ", " " + PASSWORD, PASSWORD.upper()])
def test_a_wrong_current_password_is_refused(as_user, user, current):
    client = as_user(user)
    with nothing_changes():
        refused(change(client, current), 400, errors={"current_password": "wrong_password"})
    assert client.get("/api/v1/users/me/").status_code == 200


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "password_too_short"),
        ("password", "password_too_common"),
        ("8264910357", "password_entirely_numeric"),
        ("grace@example.org", "password_too_similar"),
        ("", "blank"),
        ("x" * 129, "max_length"),
        (None, "null"),
    ],
)
def test_a_weak_new_password_is_refused(as_user, user, new, code):
    client = as_user(user)
    with nothing_changes():
        refused(change(client, new=new), 400, errors={"new_password": code})


def test_a_new_password_keeps_its_spaces(as_user, user):
    change(as_user(user), new="  spaced out ")
    user.refresh_from_db()
    assert user.check_password("  spaced out ")


def test_changing_a_password_needs_a_token(anonymous, user):
    with nothing_changes():
        refused(change(anonymous), 401, "not_authenticated")
