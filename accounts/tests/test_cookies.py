"""The sessions of browsers."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.cookies import SessionStore, name_of
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def cookie(client):
    """The cookie of somebody who is logged in to the admin."""
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client.cookies["sessionid"].value


def comes_in(cookie):
    client = Client()
    client.cookies["sessionid"] = cookie
    return client.get("/admin/").status_code == 200


def test_who_has_the_cookie_comes_in_and_who_reads_the_database_does_not(cookie):
    row = Session.objects.get()

    assert comes_in(cookie)
    assert row.session_key != cookie
    assert not comes_in(row.session_key)


def test_a_row_that_has_a_key_in_clear_lets_nobody_in(cookie):
    Session.objects.update(session_key=cookie)

    assert not comes_in(cookie)


def test_logging_out_ends_the_session(client, cookie):
    client.post("/admin/logout/")

    assert not comes_in(cookie)
    assert not Session.objects.filter(session_key=name_of(cookie)).exists()


def test_a_session_that_expired_lets_nobody_in(cookie):
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    assert not comes_in(cookie)


def test_a_key_can_be_asked_for(cookie):
    assert SessionStore().exists(cookie)
    assert not SessionStore().exists(Session.objects.get().session_key)


def test_it_is_the_same_for_who_does_not_wait():
    store = SessionStore()
    async_to_sync(store.aset)("a", 1)
    async_to_sync(store.asave)()

    assert Session.objects.get().session_key == name_of(store.session_key)
    assert async_to_sync(SessionStore(store.session_key).aget)("a") == 1
    assert async_to_sync(store.aexists)(store.session_key)
    async_to_sync(store.adelete)(store.session_key)
    assert not Session.objects.exists()
