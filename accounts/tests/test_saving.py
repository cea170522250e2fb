"""That who sets a password undoes nothing that happened to the account meanwhile."""

from contextlib import suppress

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.test_admin import Desk

pytestmark = pytest.mark.django_db
NEW = "a wholly new one"
TAKEN = {"is_staff": False, "is_superuser": False, "first_name": "Renamed"}


@pytest.fixture
def user():
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def meanwhile(monkeypatch, user):
    """Have the row changed while the new password is hashed: nobody tells the form."""

    def change(**values):
        encode = MD5PasswordHasher.encode

        def late(self, password, salt):
            if password == NEW:
                QuerySet(User).filter(pk=user.pk).update(**values)
            return encode(self, password, salt)

        monkeypatch.setattr(MD5PasswordHasher, "encode", late)

    return change


def by_a_mailed_link(client, user):
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    form = client.get(reverse("password_reset_confirm", args=[uid, token]), follow=True)
    client.post(form.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW})


def by_oneself_in_the_admin(client, user):
    client.force_login(user)
    client.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})


def by_another_in_the_admin(client, user):
    body = {"usable_password": "true", "password1": NEW, "password2": NEW, "set-password": "1"}
    Desk().client.post(reverse("admin:auth_user_password_change", args=[user.pk]), body)


PATHS = [by_a_mailed_link, by_oneself_in_the_admin, by_another_in_the_admin]


@pytest.mark.parametrize("set_password", PATHS)
def test_a_password_that_is_set_gives_nothing_back_that_was_taken(client, user, meanwhile, set_password):
    meanwhile(**TAKEN)
    set_password(client, user)
    user = User.objects.get(pk=user.pk)
    assert user.check_password(NEW)
    assert {name: getattr(user, name) for name in TAKEN} == TAKEN


@pytest.mark.parametrize("set_password", PATHS)
def test_a_password_that_is_set_opens_no_account_that_was_closed(client, user, meanwhile, set_password):
    meanwhile(is_active=False)
    set_password(client, user)
    assert not User.objects.get(pk=user.pk).is_active


def test_what_was_changed_with_a_password_is_saved_with_it(user):
    user = User.objects.get(pk=user.pk)
    QuerySet(User).filter(pk=user.pk).update(is_active=False, last_name="Other")
    user.first_name = "Grace"
    user.email = "Grace@Example.org"
    user.set_password(NEW)
    user.save()
    user = User.objects.get(pk=user.pk)
    assert (user.first_name, user.last_name, user.email) == ("Grace", "Other", "grace@example.org")
    assert user.check_password(NEW)
    assert not user.is_active


def test_what_was_not_loaded_is_saved_where_it_was_set(user):
    user = User.objects.only("email").get(pk=user.pk)
    user.first_name = "Grace"
    user.save()
    assert User.objects.get(pk=user.pk).first_name == "Grace"


def test_a_row_that_was_made_here_is_saved_whole(user):
    user.first_name = "Grace"
    user.save()
    assert User.objects.get(pk=user.pk).first_name == "Grace"


@pytest.mark.parametrize("name", ["is_superuser", "is_active", "first_name", "password"])
@pytest.mark.parametrize("is_made_here", [True, False])
def test_what_was_changed_and_changed_back_is_saved_each_time(user, name, is_made_here):
    user = user if is_made_here else User.objects.get(pk=user.pk)
    before = getattr(user, name)
    for value in ("" if isinstance(before, str) else not before, before):
        setattr(user, name, value)
        user.save()
        assert getattr(User.objects.get(pk=user.pk), name) == value


@pytest.mark.parametrize("fields", [None, ["first_name"]])
def test_what_was_read_again_is_what_changes_are_told_from(user, fields):
    user = User.objects.get(pk=user.pk)
    QuerySet(User).filter(pk=user.pk).update(first_name="Other")
    user.refresh_from_db(fields=fields)
    QuerySet(User).filter(pk=user.pk).update(is_active=False)

    user.first_name = ""
    user.save()

    user = User.objects.get(pk=user.pk)
    assert (user.first_name, user.is_active) == ("", False)


def test_what_is_saved_by_name_is_what_changes_are_told_from(user):
    user = User.objects.get(pk=user.pk)
    before = user.first_name
    user.first_name = "Other"
    user.save(update_fields=["first_name"])
    user.first_name = before
    user.save()
    assert User.objects.get(pk=user.pk).first_name == before


def test_what_was_undone_is_saved_the_next_time(user):
    user = User.objects.get(pk=user.pk)
    user.first_name = "Other"
    with suppress(ZeroDivisionError), transaction.atomic():
        user.save()
        raise ZeroDivisionError
    user.save()
    assert User.objects.get(pk=user.pk).first_name == "Other"


def test_to_save_without_a_change_writes_nothing_then_nor_later(user):
    user = User.objects.get(pk=user.pk)
    user.save()
    QuerySet(User).filter(pk=user.pk).update(is_active=False)
    user.save()
    assert not User.objects.get(pk=user.pk).is_active
