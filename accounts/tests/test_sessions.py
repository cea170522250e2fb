"""Sessions: what a login begins and a logout ends."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Session, User
from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.test_admin import Desk, told
from accounts.tokens import AccessToken, RefreshToken
from tickethub.transactions import TURN

pytestmark = pytest.mark.django_db
LOGIN, REFRESH, LOGOUT = (f"/api/v1/auth/token/{end}" for end in ("", "refresh/", "blacklist/"))
ME = "/api/v1/users/me/"


@pytest.fixture
def user():
    return UserFactory()


def login(user):
    response = APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD})
    assert response.status_code == 200
    return response.json()


def refresh(pair):
    return APIClient().post(REFRESH, {"refresh": pair["refresh"]})


def logout(pair):
    return APIClient().post(LOGOUT, {"refresh": pair["refresh"]})


def get_me(pair):
    return APIClient(headers={"Authorization": f"Bearer {pair['access']}"}).get(ME)


def claims(pair):
    """The sessions that the tokens of a pair name."""
    return {RefreshToken(pair["refresh"], verify=False)["session"], AccessToken(pair["access"])["session"]}


def test_login_begins_a_session_that_both_tokens_name(user):
    pair = login(user)
    session = Session.objects.get()
    assert (session.user, session.ended_at) == (user, None)
    assert claims(pair) == {str(session.pk)}


def test_each_login_is_a_session_of_its_own(user):
    assert claims(login(user)) != claims(login(user))
    assert user.sessions.open().count() == 2


def test_a_refused_login_begins_none(user):
    with nothing_changes():
        refused(APIClient().post(LOGIN, {"email": user.email, "password": "wrong"}), 401)


def set_new_password(user):
    user.set_password("a wholly new one")
    user.save()


@pytest.mark.parametrize("end", [User.deactivate, set_new_password], ids=["closed", "a new password"])
def test_a_login_that_is_overtaken_by_what_ends_sessions_begins_none(user, monkeypatch, end):
    check = User.check_password

    def overtaken(self, password):
        is_right = check(self, password)
        end(User.objects.get(pk=self.pk))
        return is_right

    monkeypatch.setattr(User, "check_password", overtaken)
    refused(APIClient().post(LOGIN, {"email": user.email, "password": PASSWORD}), 401, "no_active_account")
    assert not user.sessions.open().exists()


def test_a_session_goes_on_in_the_tokens_that_come_of_it(user):
    first = login(user)
    second = refresh(first).json()
    third = refresh(second).json()
    assert claims(first) == claims(second) == claims(third)
    assert Session.objects.count() == 1


def test_logout_ends_the_session_and_what_would_refresh_it(user):
    first = login(user)
    pair = refresh(first).json()
    response = logout(pair)
    assert (response.status_code, response.json()) == (200, {})
    session = Session.objects.get()
    assert session.ended_at > session.created_at
    with nothing_changes():
        for dead in (first, pair):
            refused(refresh(dead), 401, "token_not_valid")
            refused(logout(dead), 401, "token_not_valid")


def test_logout_ends_the_access_tokens_of_the_session(user):
    first = login(user)
    second = refresh(first).json()
    logout(second)
    for pair in (first, second):
        refused(get_me(pair), 401, "token_not_valid")


def test_logout_with_a_spent_token_logs_out(user):
    first = login(user)
    second = refresh(first).json()
    assert logout(first).status_code == 200
    refused(get_me(second), 401, "token_not_valid")


def test_logout_leaves_the_other_sessions_be(user):
    here, there, of_another = login(user), login(user), login(UserFactory())
    logout(here)
    assert Session.objects.open().count() == 2
    for pair in (there, of_another):
        assert refresh(pair).status_code == 200


def test_a_new_password_ends_every_session(user):
    pairs, other = [login(user), login(user)], login(UserFactory())
    user.set_password("another long word")
    user.save(update_fields=["password"])
    for pair in pairs:
        refused(refresh(pair), 401, "password_changed")
        refused(get_me(pair), 401, "password_changed")
    assert [session.user for session in Session.objects.open()] != [user]
    assert get_me(other).status_code == 200


def test_what_changes_neither_password_nor_account_ends_no_session(user):
    pair = login(user)
    user.first_name = "Ada"
    user.save()
    assert get_me(pair).status_code == 200
    assert refresh(pair).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_a_logout_and_refreshes_at_once_nothing_comes_that_outlives_the_logout(user):
    for _ in range(5):
        pair = login(user)
        answers = []

        def refresh_and_keep(pair=pair, answers=answers):
            answers.append(refresh(pair))
            return answers[-1]

        statuses = all_at_once([refresh_and_keep, partial(logout, pair)])
        assert statuses in ([200, 200], [200, 401])
        assert Session.objects.get(pk=next(iter(claims(pair)))).ended_at
        for child in (answer.json() for answer in answers if answer.status_code == 200):
            refused(refresh(child), 401, "token_not_valid")


# --- Forgetting ---


def prune(*arguments):
    out = StringIO()
    call_command("prune_sessions", *arguments, stdout=out)
    return out.getvalue()


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def test_what_is_long_over_is_forgotten_and_nothing_else(user):
    user.sessions.create(ended_at=days_ago(31))
    user.sessions.create(expires_at=days_ago(31))
    stay = [user.sessions.create(**times) for times in ({}, {"ended_at": days_ago(29)}, {"expires_at": days_ago(29)})]
    assert prune() == "Deleted 2 sessions that were over for 30 days.\n"
    assert list(Session.objects.order_by("pk")) == stay
    assert prune("--days", "28") == "Deleted 2 sessions that were over for 28 days.\n"
    assert Session.objects.get() == stay[0]


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "100001", "x"])
def test_an_age_that_is_none_is_refused(user, days):
    user.sessions.create(ended_at=days_ago(400))
    with pytest.raises(CommandError):
        prune("--days", days)
    assert Session.objects.exists()


# --- The admin ---


@pytest.fixture
def desk():
    return Desk()


def test_sessions_are_looked_at_and_neither_made_nor_changed_nor_deleted(desk, user):
    login(user)
    session = Session.objects.get()
    assert desk.open(Session, "changelist").context["cl"].result_count == 1
    assert desk.open(session).status_code == 200
    assert desk.open(Session, "add").status_code == 403
    assert desk.client.post(desk.url(session), {"ended_at_0": "2031-12-10"}).status_code == 403
    assert desk.delete(session).status_code == 403
    assert Session.objects.get().ended_at is None


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_sessions_are_ended(desk, user, page):
    pair, other = login(user), login(user)
    session = Session.objects.get(pk=claims(pair).pop())
    assert told(desk.act("end", session, page=page)) == ["Ended: 1."]
    assert told(desk.act("end", session, page=page))[-1] == "Ended: 0."
    assert [entry.change_message for entry in LogEntry.objects.filter(object_id=session.pk)] == ["Ended."]
    assert [refresh(each).status_code for each in (pair, other)] == [401, 200]


def test_who_may_only_look_ends_none(client, user):
    login(user)
    session = Session.objects.get()
    looker = UserFactory(is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_session", content_type__app_label="accounts"))
    client.force_login(looker)
    data = {"action": "end", "_selected_action": [str(session.pk)]}
    assert client.get(Desk.url(Session, "changelist")).status_code == 200
    client.post(Desk.url(Session, "changelist"), data)
    assert Session.objects.get().ended_at is None


@pytest.mark.django_db(transaction=True)
def test_of_logging_in_and_closing_at_once_no_session_is_left(as_user, user):
    """However the two come about each other: an account that is opened again has no login of before."""
    for _ in range(5):
        person = UserFactory()
        credentials = {"email": person.email, "password": PASSWORD}
        logins = [partial(as_user().post, LOGIN, credentials) for _ in range(4)]
        all_at_once([partial(as_user(person).delete, ME), *logins])
        assert not person.sessions.open().exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="writers to PostgreSQL do not queue")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", [refresh, logout, lambda pair: APIClient().post(LOGIN, pair["login"])])
def test_on_sqlite_they_queue_as_all_who_write(user, call):
    pair = login(user) | {"login": {"email": user.email, "password": PASSWORD}}

    def ask():
        try:
            return call(pair).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with TURN:  # somebody imports a large project
            asking = pool.submit(ask)
            time.sleep(0.3)
            assert not asking.done()
        assert asking.result(10) == 200


def make_in_admin(desk):
    assert desk.save(User, "add", email="a@example.org", username="a", usable_password="false").status_code == 302


@pytest.mark.skipif(connection.vendor != "sqlite", reason="writers to PostgreSQL do not queue")
@pytest.mark.parametrize("call", [lambda desk: login(desk.user), make_in_admin], ids=["login", "admin"])
def test_on_sqlite_all_is_written_at_the_head_of_the_queue(call):
    """Nor does anybody who waits in it have a transaction already, and the database with it."""
    desk, seen = Desk(), []

    def watch(execute, sql, params, many, context):
        if sql.startswith("SAVEPOINT") or ("accounts_" in sql and sql.startswith(("INSERT", "UPDATE"))):
            seen.append((sql, TURN._is_owned()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        call(desk)
    assert seen[0][1]
    assert [sql for sql, is_owned in seen if not is_owned and "accounts_" in sql] == []
