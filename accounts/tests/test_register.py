"""POST auth/register/"""

from functools import partial
from unittest.mock import patch

import pytest
from rest_framework.validators import UniqueValidator

from accounts.models import User
from accounts.tests.checks import all_at_once, nothing_changes, refused
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
URL = "/api/v1/auth/register/"
ADA = {
    "email": "ada@example.org",
    "username": "ada",
    "password": "difference engine",
    "first_name": "Ada",
    "last_name": "Lovelace",
}


def test_registering_gives_the_user_and_no_password(anonymous):
    response = anonymous.post(URL, ADA)
    assert response.status_code == 201
    user = User.objects.get()
    assert response.json() == {
        "id": str(user.pk),
        "username": "ada",
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }
    assert user.pk.version == 7
    assert user.check_password(ADA["password"])


def test_names_may_be_left_out(anonymous):
    response = anonymous.post(URL, {name: ADA[name] for name in ("email", "username", "password")})
    assert response.status_code == 201
    assert (response.json()["first_name"], response.json()["last_name"]) == ("", "")


@pytest.mark.parametrize("name", ["email", "username", "password"])
def test_what_is_needed_may_not_be_left_out(anonymous, name):
    with nothing_changes():
        refused(anonymous.post(URL, {**ADA, name: None}), 400, errors={name: "null"})
        refused(anonymous.post(URL, {each: ADA[each] for each in ADA if each != name}), 400, errors={name: "required"})


def test_an_address_is_kept_in_lower_case(anonymous):
    response = anonymous.post(URL, {**ADA, "email": "  Ada@Example.ORG "})
    assert response.json()["email"] == "ada@example.org"


@pytest.mark.parametrize("letters", ["İ" * 66 + "@" + ".".join(["b" * 60] * 3), "İ@example"])
def test_an_address_that_is_none_in_lower_case_is_refused(anonymous, letters):
    """Each of these letters becomes two: the first address is then longer than 254 characters."""
    with nothing_changes():
        body = refused(anonymous.post(URL, {**ADA, "email": f"{letters}.org"}), 400)
    assert {each["code"] for each in body["errors"]["email"]} <= {"invalid", "max_length"}


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@example.ORG"])
def test_an_address_is_taken_once_whatever_its_case(anonymous, email):
    UserFactory(email="Ada@example.org")
    with nothing_changes():
        body = refused(anonymous.post(URL, {**ADA, "email": email}), 400, errors={"email": "unique"})
    assert body["errors"]["email"][0]["detail"] == "Somebody has this address already."


@pytest.mark.parametrize("username", ["ada", "ADA"])
def test_a_handle_is_taken_once_whatever_its_case(anonymous, username):
    UserFactory(username="Ada", email="other@example.org")
    with nothing_changes():
        body = refused(anonymous.post(URL, {**ADA, "username": username}), 400, errors={"username": "unique"})
    assert body["errors"]["username"][0]["detail"] == "This handle is taken."


@pytest.mark.parametrize("username", ["a", "7", "Ada.Love_lace-1", "a" * 30])
def test_a_handle_has_letters_digits_and_some_signs(anonymous, username):
    assert anonymous.post(URL, {**ADA, "username": username}).json()["username"] == username


@pytest.mark.parametrize("username", ["", " ", "-ada", "@ada", "ada lovelace", "ada\nx", "àda", "a" * 31, "a/b", "٣"])
def test_a_handle_is_nothing_else(anonymous, username):
    with nothing_changes():
        body = refused(anonymous.post(URL, {**ADA, "username": username}), 400)
    assert set(body["errors"]) == {"username"}


def test_a_handle_that_is_too_long_is_told_so_once(anonymous):
    body = refused(anonymous.post(URL, {**ADA, "username": "a" * 31}), 400)
    assert len(body["errors"]["username"]) == 1


@pytest.mark.parametrize(
    "email",
    ["", "ada", "ada@", "@example.org", "a b@example.org", "a@example.org\nBcc: b@example.org", "a@" + "e" * 260],
)
def test_an_address_is_one(anonymous, email):
    with nothing_changes():
        body = refused(anonymous.post(URL, {**ADA, "email": email}), 400)
    assert set(body["errors"]) == {"email"}


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("password", "password_too_common"),
        ("8264910357", "password_entirely_numeric"),
        ("lovelace1", "password_too_similar"),
        ("", "blank"),
        ("x" * 129, "max_length"),
    ],
)
def test_a_weak_password_is_refused(anonymous, password, code):
    with nothing_changes():
        refused(anonymous.post(URL, {**ADA, "password": password}), 400, errors={"password": code})


def test_a_password_keeps_its_spaces_from_registering_to_login(anonymous):
    password = "  two spaces before, one behind "
    assert anonymous.post(URL, {**ADA, "password": password}).status_code == 201
    credentials = {"email": ADA["email"], "password": password}
    assert anonymous.post("/api/v1/auth/token/", credentials).status_code == 200
    credentials["password"] = password.strip()
    assert anonymous.post("/api/v1/auth/token/", credentials).status_code == 401


def test_nobody_makes_themselves_staff_or_chooses_an_id(anonymous):
    wishes = {"is_staff": True, "is_superuser": True, "is_active": False, "id": "0" * 32, "groups": [1]}
    assert anonymous.post(URL, {**ADA, **wishes}).status_code == 201
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert user.pk.int != 0


def test_a_token_that_ended_does_not_keep_one_from_registering(anonymous):
    anonymous.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")
    assert anonymous.post(URL, ADA).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_two_that_pass_validation_together_the_second_gets_409(anonymous):
    UserFactory(username="other", email=ADA["email"])
    with patch.object(UniqueValidator, "__call__"), nothing_changes():
        refused(anonymous.post(URL, ADA), 409, "conflict")


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_the_address(as_user):
    answers = all_at_once([partial(as_user().post, URL, {**ADA, "username": f"ada{n}"}) for n in range(4)])
    assert answers.count(201) == 1
    assert set(answers) <= {201, 400, 409}
    assert User.objects.count() == 1
