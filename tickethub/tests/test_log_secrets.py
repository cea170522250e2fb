"""No password and no token gets into the log, wherever it is sent, and at every level."""

import json
import re
import secrets

import pytest
from channels.db import database_sync_to_async as in_db
from django.core import mail
from django.db import connection
from django.test import Client

from accounts.models import User
from accounts.tests.factories import UserFactory
from realtime import reader
from realtime.tests.conftest import open_line, token_of
from tasks.views import TaskViewSet
from tickethub import views

REQUESTS = 1000
LINK = re.compile(r"/password/reset/(\S+)/(\S+)/")


class Person:
    """Somebody who asks for all that there is, with secrets that are put down. Passwords are words of their own."""

    def __init__(self, number, secret):
        self.number, self.secret, self.asked = number, secret, 0
        self.client = Client(raise_request_exception=False)
        self.email, self.headers = f"person{number}@example.org", {}

    def password(self):
        return self.note(f"pw-{secrets.token_hex(8)}")

    def note(self, *words):
        """Put down what must not be told. Of a token each part."""
        self.secret.update(part for word in words for part in word.split(".") if len(part) > 8)
        return words[-1]

    def ask(self, method, path, body=None, **options):
        self.asked += 1
        options = {"content_type": "application/json", "headers": self.headers} | options
        return self.client.generic(method, path, body if isinstance(body, str) else json.dumps(body or {}), **options)

    def post(self, path, **body):
        return self.ask("POST", f"/api/v1/{path}", body)

    def log_in(self, password):
        tokens = self.post("auth/token/", email=self.email, password=password).json()
        self.note(*tokens.values())
        self.headers = {"Authorization": f"Bearer {tokens['access']}"}
        return tokens

    def link(self, pattern):
        found = pattern.search(mail.outbox[-1].body).groups()
        self.note(*found)
        return found

    def go_through_accounts(self):
        password = self.password()
        body = {"email": self.email, "username": f"person{self.number}", "password": password}
        assert self.post("auth/register/", **body).status_code == 201
        assert self.post("auth/register/", **body).status_code == 400
        assert self.post("auth/token/", email=self.email, password=self.password()).status_code == 401
        tokens = self.log_in(password)
        fresh = self.post("auth/token/refresh/", refresh=tokens["refresh"]).json()
        self.note(*fresh.values())
        assert self.post("auth/token/refresh/", refresh=tokens["refresh"]).status_code == 401
        assert self.post("auth/token/blacklist/", refresh=fresh["refresh"]).status_code in {200, 401}
        self.log_in(password)
        new = self.password()
        assert self.post("auth/password/change/", current_password=new, new_password="12").status_code == 400
        assert self.post("auth/password/change/", current_password=password, new_password=new).status_code == 204
        assert self.ask("GET", "/api/v1/users/me/").status_code == 401
        self.headers = {}
        assert self.post("auth/password/reset/", email=self.email).status_code == 202
        uid, token = self.link(LINK)
        newest = self.password()
        body = {"uid": uid, "token": token, "new_password": newest}
        assert self.ask("GET", f"/password/reset/{uid}/{token}/").status_code == 302
        assert self.ask("GET", f"/password/reset/{uid}/{token}").status_code == 301
        assert self.ask("GET", f"/password/resets/{uid}/{token}/").status_code == 404
        assert self.post("auth/password/reset/confirm/", **body).status_code == 204
        assert self.post("auth/password/reset/confirm/", **body).status_code == 400
        return self.log_in(newest), newest

    def go_through_invitations(self, guest):
        project = self.post("projects/", key=f"LOG{self.number}", name="A project").json()["id"]
        invitation = self.post("invitations/", project=project, email=guest.email, role="member").json()
        token = self.note(invitation["token"])
        for path in (
            f"/invitations/accept/{token}/",
            f"/api/v1/invitations/accept/{token}/",
            f"/api/{token}",
            f"/{token}",
        ):
            assert self.ask("GET", path).status_code == 404
        assert self.post("invitations/accept/", token=token).status_code == 404
        assert guest.post("invitations/accept/", token=token).status_code == 201
        return project

    def lose_secrets(self, tokens, password):
        """Send them where they do not belong."""
        for secret in (tokens["access"], tokens["refresh"], password):
            self.ask("GET", f"/api/v1/tasks/?token={secret}")
            self.ask("GET", f"/api/v1/tasks/{secret}/")
            self.ask("GET", f"/api/v1/{secret}/")
            self.ask("GET", f"/admin/{secret}/")
            self.ask("GET", f"/healthz?{secret}")
            self.ask("GET", "/api/v1/tasks/", headers={"Authorization": secret})
            self.ask("GET", "/api/v1/tasks/", headers={"X-Token": secret, "Cookie": f"sessionid={secret}"})
            self.ask(
                "GET", "/nothing/", headers={"Referer": f"http://testserver/?token={secret}", "User-Agent": secret}
            )
            self.ask("POST", "/api/v1/auth/token/", f'{{"email": "a@example.org", "password": "{secret}"')
            self.ask("POST", "/api/v1/auth/token/", f'"{secret}"')
            self.ask("POST", "/api/v1/auth/token/", f'{{"{secret}": 1, "password": "\\u0000{secret}"}}')
            self.ask("POST", f"/api/v1/auth/token/?password={secret}", f"password={secret}", content_type="text/plain")
            self.post("projects/", key=secret, name="x" * 10_000, description=secret)

    def go_through_admin(self, password):
        form = "application/x-www-form-urlencoded"
        for tried in (self.password(), password):
            body = f"username={self.email}&password={tried}&next=/admin/"
            self.ask("POST", "/admin/login/", body, content_type=form, headers={})
        self.note(self.client.cookies["sessionid"].value)
        assert self.ask("GET", "/admin/", headers={}).status_code == 200

    def crash(self, tokens):
        """Ask for what the test broke: the exception tells the token, and Django the path."""
        uid, token = self.note(secrets.token_urlsafe(9)), self.note(f"cx-{secrets.token_hex(16)}")
        assert self.ask("GET", f"/password/reset/{uid}/{token}/").status_code == 500
        assert self.ask("GET", f"/api/v1/tasks/?token={tokens['access']}", headers=self.headers).status_code == 500


def crash(request, *args, **kwargs):
    raise RuntimeError(f"Could not answer {request.get_full_path()} {request.headers.get('Authorization')}")


@pytest.mark.django_db(transaction=True)  # mails go out on commit
def test_a_thousand_requests_tell_no_password_and_no_token(log, monkeypatch):
    secret, people = set(), []
    connection.force_debug_cursor = True  # as under DEBUG: then Django tells queries, were they asked for
    try:
        for number in range(4):
            person, guest = Person(2 * number, secret), Person(2 * number + 1, secret)
            people += [person, guest]
            for each in (guest, person):
                tokens, password = each.go_through_accounts()
            User.objects.filter(email=person.email).update(is_staff=True)
            person.go_through_invitations(guest)
            person.lose_secrets(tokens, password)
            person.go_through_admin(password)
            with monkeypatch.context() as patch:
                patch.setattr(views.PasswordResetPage, "dispatch", lambda view, request, **kwargs: crash(request))
                patch.setattr(TaskViewSet, "list", lambda view, request: crash(request))
                person.crash(tokens)
        person.ask("GET", "/", headers={"Host": person.note(secrets.token_hex(16))})
        while sum(each.asked for each in people) < REQUESTS:
            person.ask("GET", f"/api/v1/{secrets.choice(['tasks', 'users', 'projects'])}/?{person.password()}")
    finally:
        connection.force_debug_cursor = False

    text, lines = log.text, log.lines()
    assert len(secret) > 100
    assert sorted(word for word in secret if word in text) == []
    assert "$argon2" not in text
    assert "md5$" not in text
    access = [line for line in lines if line["logger"] == "tickethub.access"]
    assert len(access) == REQUESTS
    assert len({line["request_id"] for line in access}) == REQUESTS
    ids = {line["request_id"] for line in lines if line["logger"] != "asyncio"}  # event loops begin and end unasked
    assert ids == {line["request_id"] for line in access}
    assert {200, 201, 204, 301, 302, 400, 401, 404, 500} <= {line["status"] for line in access}
    assert sum("RuntimeError: Could not answer" in line.get("exception", "") for line in lines) == 8


async def test_a_socket_tells_what_becomes_of_it_and_no_token(log, hub, transactional_db, monkeypatch):
    user = await in_db(UserFactory)()
    token = await in_db(token_of)(user)
    async with open_line() as line:
        assert (await line.ask(type="authenticate", token=token))["type"] == "authenticated"
        await line.ask(type="authenticate", token=token)
        await line.ask(type=token, ref=token)
    async with open_line() as line:
        await line.ask(type="authenticate", token=f"{token}x")
        assert await line.closed_with() == 4401
    monkeypatch.setattr(reader, "authenticate", fail_with_it)
    async with open_line() as line:
        await line.ask(type="authenticate", token=token)
        assert await line.closed_with() == 1011

    lines = log.lines("realtime.consumers")
    assert not any(part in log.text for part in token.split("."))
    told = [(line["message"], line.get("user"), line.get("code")) for line in lines]
    assert told == [
        ("A WebSocket opened", None, None),
        ("A WebSocket authenticated", str(user.pk), None),
        ("A WebSocket closed", None, 1000),
        ("A WebSocket opened", None, None),
        ("A WebSocket closed", None, 4401),
        ("A WebSocket opened", None, None),
        ("A token could not be looked at", None, None),
        ("A WebSocket closed", None, 1011),
    ]
    assert [line["request_id"] for line in lines[:3]] == [lines[0]["request_id"]] * 3
    assert len({line["request_id"] for line in lines}) == 3


async def fail_with_it(token):
    raise RuntimeError(f"Could not look at {token.decode()}")
