"""That the database keeps no token that somebody who reads it could use."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from projects.tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db
API = "/api/v1/"
LINK = re.compile(r"/password/reset/\S+")


def everything_stored():
    """Every column of every row of every table, models or none, and what sessions hold, as one text."""
    stored = [repr(session.get_decoded()) for session in Session.objects.all()]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 a table of this database
            stored += [str(value) for row in cursor.fetchall() for value in row]
    return "\n".join(stored)


def post(path, *, access=None, **body):
    headers = {"Authorization": f"Bearer {access}"} if access else {}
    response = APIClient(headers=headers).post(API + path, body)
    assert response.status_code < 300, response.content
    return response.json() if response.content else None


def test_no_token_is_kept_in_clear(django_capture_on_commit_callbacks):
    owner, guest = UserFactory(), UserFactory()
    project = ProjectFactory(owner=owner)
    login = post("auth/token/", email=owner.email, password=PASSWORD)
    fresh = post("auth/token/refresh/", refresh=login["refresh"])
    guests = post("auth/token/", email=guest.email, password=PASSWORD)
    invite = {"project": str(project.pk), "role": "member", "access": fresh["access"]}
    with django_capture_on_commit_callbacks(execute=True):
        pending = post("invitations/", email="new@example.org", **invite)["token"]
        accepted = post("invitations/", email=guest.email, **invite)["token"]
        post("auth/password/reset/", email=owner.email)
    post("invitations/accept/", token=accepted, access=guests["access"])
    mails = "".join(message.body for message in mail.outbox)
    reset = re.search(r"and token (\S+)", mails)[1]
    post("auth/token/blacklist/", refresh=guests["refresh"])
    browser = Client()
    assert browser.get(LINK.search(mails)[0], follow=True).context["validlink"]
    browser.force_login(owner)
    cookies = [cookie.value for cookie in browser.cookies.values()]

    stored = everything_stored()
    pairs = [login, fresh, guests]
    tokens = [token for pair in pairs for token in pair.values()] + [pending, accepted, reset, *cookies]
    parts = [part for token in tokens for part in (token, token.split(".")[-1])]  # what is signed, and the signature
    assert not [part for part in parts if part in stored]
    assert User.objects.get(pk=owner.pk).password in stored  # so it would be found
    assert "new@example.org" in stored
    assert f"'_auth_user_id': '{owner.pk}'" in stored
