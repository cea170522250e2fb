"""GET PATCH DELETE users/me/. What projects say about it is tested with the projects."""

from unittest.mock import patch

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in

pytestmark = pytest.mark.django_db
URL = "/api/v1/users/me/"


@pytest.fixture
def user():
    return UserFactory(username="ada", email="ada@example.org", first_name="Ada")


def test_one_sees_oneself_without_secrets(as_user, user):
    response = as_user(user).get(URL)
    assert response.status_code == 200
    assert response.json() == {
        "id": str(user.pk),
        "username": "ada",
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "",
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }


def test_patch_changes_only_what_it_names(as_user, user):
    before = User.objects.values().get()
    response = as_user(user).patch(URL, {"last_name": "Lovelace"})
    assert response.status_code == 200
    assert response.json()["last_name"] == "Lovelace"
    assert User.objects.values().get() == {**before, "last_name": "Lovelace"}


def test_what_was_read_can_be_written_back(as_user, user):
    client = as_user(user)
    read = client.get(URL).json()
    response = client.patch(URL, read)
    assert (response.status_code, response.json()) == (200, read)


def test_a_patch_of_nothing_changes_nothing(as_user, user):
    client = as_user(user)
    with nothing_changes():
        assert client.patch(URL, {}).status_code == 200


def test_the_old_address_is_told_that_it_is_no_longer_the_one(
    as_user, user, mailoutbox, django_capture_on_commit_callbacks
):
    client = as_user(user)
    with django_capture_on_commit_callbacks(execute=True):
        client.patch(URL, {"first_name": "Augusta", "email": "ADA@example.org"})
        client.patch(URL, {"email": "countess@example.org"})
        assert mailoutbox == []
    [mail] = mailoutbox
    assert mail.to == ["ada@example.org"]
    assert "countess@example.org" in mail.body


def test_a_change_that_is_undone_is_told_to_nobody(as_user, user, mailoutbox):
    client = as_user(user)
    with patch("tickethub.viewsets.shown_by", side_effect=OperationalError), nothing_changes():
        refused(client.patch(URL, {"email": "countess@example.org"}), 503)
    assert mailoutbox == []


def test_the_address_can_be_changed_and_logs_in(as_user, anonymous, user):
    assert as_user(user).patch(URL, {"email": "Countess@Example.org"}).json()["email"] == "countess@example.org"
    login = {"email": "countess@example.org", "password": PASSWORD}
    assert anonymous.post("/api/v1/auth/token/", login).status_code == 200


def test_the_case_of_ones_own_handle_can_be_changed(as_user, user):
    assert as_user(user).patch(URL, {"username": "Ada"}).json()["username"] == "Ada"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "GRACE"}, "unique"),
        ({"email": "Grace@example.org"}, "unique"),
        ({"username": ""}, "blank"),
        ({"username": "a b"}, "invalid"),
        ({"email": "nowhere"}, "invalid"),
        ({"email": None}, "null"),
        ({"first_name": "x" * 151}, "max_length"),
        ({"last_name": None}, "null"),
        ({"last_name": ["x"]}, "invalid"),
    ],
)
def test_a_bad_change_is_refused_as_a_whole(as_user, user, change, code):
    UserFactory(username="grace", email="grace@example.org")
    client, [field] = as_user(user), change
    with nothing_changes():
        refused(client.patch(URL, {"first_name": "New", **change}), 400, errors={field: code})


def test_what_is_not_ones_to_set_stays(as_user, user):
    before = User.objects.values().get()
    wishes = {"id": "0" * 32, "is_staff": True, "is_superuser": True, "is_active": False, "password": "x"}
    assert as_user(user).patch(URL, wishes).status_code == 200
    assert User.objects.values().get() == before


def test_a_patch_does_not_undo_a_password_change_that_came_in_between(user):
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=user.pk))  # as read when the request came in
    user.set_password("a wholly new one")
    user.save()
    user.deactivate()
    assert client.patch(URL, {"first_name": "New"}).status_code == 200
    user.refresh_from_db()
    assert user.first_name == "New"
    assert user.check_password("a wholly new one")
    assert not user.is_active


def test_delete_closes_the_account(as_user, anonymous, user):
    client, refresh = as_user(user), log_in(user)
    response = client.delete(URL)
    assert (response.status_code, response.content) == (204, b"")
    user.refresh_from_db()
    assert not user.is_active
    refused(client.get(URL), 401, "user_inactive")
    login = {"email": user.email, "password": PASSWORD}
    refused(anonymous.post("/api/v1/auth/token/", login), 401, "no_active_account")
    refused(anonymous.post("/api/v1/auth/token/refresh/", {"refresh": str(refresh)}), 401)


def test_a_closed_account_keeps_its_address(as_user, anonymous, user):
    as_user(user).delete(URL)
    account = {"email": user.email, "username": "other", "password": "difference engine"}
    with nothing_changes():
        refused(anonymous.post("/api/v1/auth/register/", account), 400, errors={"email": "unique"})


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_without_a_token_there_is_no_me(anonymous, user, method):
    with nothing_changes():
        refused(getattr(anonymous, method)(URL), 401, "not_authenticated")


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_an_unknown_parameter_is_refused(as_user, user, method):
    client = as_user(user)
    with nothing_changes():
        body = refused(getattr(client, method)(f"{URL}?expand=projects"), 400)
    assert body["errors"]["expand"][0]["code"] == "unknown_parameter"


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_done_again_is_written_and_told(as_user, user, mailoutbox, monkeypatch):
    save, in_the_way, old = User.save, [OperationalError("deadlock")], user.email
    in_the_way[0].__cause__ = DeadlockDetected()

    def late(self, **options):
        save(self, **options)
        if in_the_way:
            raise in_the_way.pop()

    monkeypatch.setattr(User, "save", late)

    answer = as_user(user).patch(URL, {"first_name": "New", "email": "new@example.org"})

    assert (answer.status_code, answer.json()["first_name"]) == (200, "New")
    user.refresh_from_db()
    assert (user.first_name, user.email) == ("New", "new@example.org")
    assert old in [address for mail in mailoutbox for address in mail.to]
