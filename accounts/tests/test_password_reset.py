"""POST auth/password/reset/ and auth/password/reset/confirm/"""

import re
from datetime import timedelta
from functools import partial
from unittest.mock import patch

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.core import mail
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/password/reset/"
CONFIRM = "/api/v1/auth/password/reset/confirm/"
NEW = "a wholly new one"


@pytest.fixture
def user():
    return UserFactory(username="grace", email="grace@example.org")


@pytest.fixture
def link(user):
    """What a mailed link is made of."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return {"uid": uid, "token": default_token_generator.make_token(user), "new_password": NEW}


def ask(client, email, capture):
    with capture(execute=True):
        return client.post(URL, {"email": email})


def test_the_mail_brings_a_link_and_its_parts(anonymous, user, settings, django_capture_on_commit_callbacks):
    settings.PUBLIC_URL = "https://tickets.example.org"
    ask(anonymous, "Grace@Example.org", django_capture_on_commit_callbacks)
    [message] = mail.outbox
    assert message.to == ["grace@example.org"]
    assert "TicketHub" in message.subject
    assert "grace" in message.body
    assert "60 minutes" in message.body
    uid, token = re.search(r"uid (\S+) and token (\S+)", message.body).groups()
    assert f"https://tickets.example.org/password/reset/{uid}/{token}/" in message.body
    assert anonymous.post(CONFIRM, {"uid": uid, "token": token, "new_password": NEW}).status_code == 204
    user.refresh_from_db()
    assert user.check_password(NEW)


def test_known_unknown_and_closed_addresses_get_the_same_answer(anonymous, user, django_capture_on_commit_callbacks):
    closed = UserFactory(is_active=False)
    emails = [user.email, "nobody@example.org", closed.email]
    answers = [ask(anonymous, email, django_capture_on_commit_callbacks) for email in emails]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert [message.to for message in mail.outbox] == [[user.email]]


def test_the_answer_is_the_same_while_no_mail_can_be_sent(anonymous, user, django_capture_on_commit_callbacks):
    with patch("accounts.mail.send_mail", side_effect=ConnectionRefusedError):
        known = ask(anonymous, user.email, django_capture_on_commit_callbacks)
    unknown = ask(anonymous, "nobody@example.org", django_capture_on_commit_callbacks)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


def test_asking_for_a_reset_changes_no_row_and_ends_no_token(as_user, anonymous, user):
    client = as_user(user)
    anonymous.post(URL, {"email": user.email})
    assert client.get("/api/v1/users/me/").status_code == 200
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("email", ["", "grace", None, [], {}, True, 7, f"a@{'e' * 255}.org", "a@b.org\nBcc: c@d.org"])
def test_what_is_no_address_is_refused(anonymous, user, email):
    with nothing_changes():
        assert set(refused(anonymous.post(URL, {"email": email}), 400)["errors"]) == {"email"}


def test_a_reset_ends_every_earlier_token(as_user, anonymous, user, link):
    client, refresh = as_user(user), log_in(user)
    assert anonymous.post(CONFIRM, link).status_code == 204
    refused(client.get("/api/v1/users/me/"), 401, "password_changed")
    refused(anonymous.post("/api/v1/auth/token/refresh/", {"refresh": str(refresh)}), 401, "password_changed")
    assert not user.sessions.open().exists()
    login = {"email": user.email, "password": PASSWORD}
    assert anonymous.post("/api/v1/auth/token/", login).status_code == 401
    assert anonymous.post("/api/v1/auth/token/", {**login, "password": NEW}).status_code == 200


def test_a_link_works_once(anonymous, user, link):
    assert anonymous.post(CONFIRM, link).status_code == 204
    with nothing_changes():
        refused(anonymous.post(CONFIRM, {**link, "new_password": "another new one"}), 400)


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_of_a_link_at_once_one_works(as_user, link):
    uses = [partial(as_user().post, CONFIRM, {**link, "new_password": f"{NEW} {n}"}) for n in range(20)]
    assert all_at_once(uses) == [204] + [400] * 19


def test_a_link_ends_with_a_login_after_it(anonymous, user, link):
    anonymous.post("/api/v1/auth/token/", {"email": user.email, "password": PASSWORD})
    with nothing_changes():
        refused(anonymous.post(CONFIRM, link), 400, errors={"non_field_errors": "bad_link"})


def test_an_old_link_is_dead(anonymous, user, link, settings):
    too_late = PasswordResetTokenGenerator()._now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 60)
    with patch.object(PasswordResetTokenGenerator, "_now", return_value=too_late), nothing_changes():
        refused(anonymous.post(CONFIRM, link), 400, errors={"non_field_errors": "bad_link"})


def test_bad_links_of_all_kinds_get_the_same_answer(anonymous, user, link):
    other = UserFactory()
    closed = UserFactory(is_active=False)
    links = [
        {**link, "token": "x-y"},
        {**link, "token": link["token"][:-1] + "é"},
        {**link, "uid": urlsafe_base64_encode(force_bytes(other.pk))},
        {**link, "uid": urlsafe_base64_encode(b"\0")},
        {**link, "uid": urlsafe_base64_encode(b"\xff\xfe")},
        {**link, "uid": urlsafe_base64_encode(b"1")},
        {**link, "uid": "é"},
        {**link, "uid": "====="},
        {
            **link,
            "uid": urlsafe_base64_encode(force_bytes(closed.pk)),
            "token": default_token_generator.make_token(closed),
        },
    ]
    with nothing_changes():
        answers = [anonymous.post(CONFIRM, each) for each in links]
    for answer in answers:
        refused(answer, 400, errors={"non_field_errors": "bad_link"})
    assert len({answer.content for answer in answers}) == 1


def test_a_weak_password_is_refused_and_the_link_lives_on(anonymous, user, link):
    with nothing_changes():
        body = refused(anonymous.post(CONFIRM, {**link, "new_password": "grace"}), 400)
    assert set(body["errors"]) == {"new_password"}
    assert anonymous.post(CONFIRM, link).status_code == 204


def test_a_bad_link_does_not_tell_whether_the_password_would_do(anonymous, user, link):
    with nothing_changes():
        refused(
            anonymous.post(CONFIRM, {**link, "token": "x-y", "new_password": "grace"}),
            400,
            errors={"non_field_errors": "bad_link"},
        )


@pytest.mark.parametrize("name", ["uid", "token", "new_password"])
@pytest.mark.parametrize(
    ("value", "code"),
    [("", "blank"), (None, "null"), ([], "invalid"), ({}, "invalid"), (True, "invalid"), ("x" * 1000, "max_length")],
)
def test_what_is_no_text_is_refused(anonymous, user, link, name, value, code):
    with nothing_changes():
        refused(anonymous.post(CONFIRM, {**link, name: value}), 400, errors={name: code})
