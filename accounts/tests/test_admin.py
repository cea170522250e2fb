"""The admin of people; and `Desk`, through which the tests of every app's admin work."""

from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory, log_in
from projects.models import Membership, Role
from projects.tests.factories import MembershipFactory, ProjectFactory

pytestmark = pytest.mark.django_db


class Fields(HTMLParser):
    """What a browser submits of a page when nothing is touched: `{name: [values]}`, without buttons."""

    def __init__(self, html):
        super().__init__()
        self.found, self.select, self.area = {}, None, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "select":
            self.select = None if "disabled" in attrs else attrs.get("name")
        elif tag == "option" and self.select and "selected" in attrs:
            self.found.setdefault(self.select, []).append(attrs.get("value", ""))
        elif tag == "textarea" and attrs.get("name"):
            self.area = attrs["name"]
            self.found[self.area] = [""]
        elif tag == "input":
            self.handle_input(attrs)

    def handle_input(self, attrs):
        is_box = attrs.get("type") in {"checkbox", "radio"}
        sent = attrs.get("name") and "disabled" not in attrs and attrs.get("type") != "submit"
        if sent and (not is_box or "checked" in attrs):
            self.found.setdefault(attrs["name"], []).append(attrs.get("value", "on" if is_box else ""))

    def handle_data(self, data):
        if self.area:
            self.found[self.area][0] += data

    def handle_endtag(self, tag):
        if tag == "textarea" and self.area:
            written = self.found[self.area][0].removeprefix("\r\n").removeprefix("\n")
            self.found[self.area] = [written.replace("\r\n", "\n").replace("\n", "\r\n")]
            self.area = None
        elif tag == "select":
            self.select = None


class Desk:
    """A superuser at the admin: opens pages, sends their forms as a browser would, and reads what they are told."""

    def __init__(self):
        self.user = UserFactory(is_staff=True, is_superuser=True)
        self.client = Client()
        self.client.force_login(self.user)

    @staticmethod
    def url(of, page="change"):
        args = [of.pk] if page in {"change", "delete", "history"} else []
        return reverse(f"admin:{of._meta.app_label}_{of._meta.model_name}_{page}", args=args)

    def open(self, of, page="change", **query):
        return self.client.get(self.url(of, page), query)

    def save(self, of, page="change", *, opened=None, **changes):
        """Open a page, change some of its fields and save it. `opened` is a page that was opened before."""
        opened = opened or self.open(of, page)
        assert opened.status_code == 200
        fields = Fields(opened.content.decode()).found
        fields.pop("_selected_action", None)
        fields |= {name: value if isinstance(value, list) else [value] for name, value in changes.items()}
        fields = {name: [str(item) for item in items] for name, items in fields.items() if items != [None]}
        return self.client.post(self.url(of, page), {**fields, "_save": ["Save"]})

    def act(self, action, *rows, page="changelist", **more):
        """Carry out an action on rows, on their list or on the page of one."""
        prefix = "" if page == "changelist" else "CHANGE_FORM-"
        data = {f"{prefix}action": action, "_selected_action": [str(row.pk) for row in rows], **more}
        return self.client.post(self.url(rows[0], page), data)

    def delete(self, *rows):
        """Delete a row from its page, several from their list, past the page that asks whether one is sure."""
        if len(rows) == 1:
            return self.client.post(self.url(rows[0], "delete"), {"post": "yes"})
        return self.act("delete_selected", *rows, post="yes")


def told(response):
    """The messages that a person sees next."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def errors(response):
    """Everything a form complains of."""
    assert response.status_code == 200, told(response)
    return " ".join(str(error) for error in response.context["errors"])


def written(desk, response):
    """What the log tells of a request of the desk: what, which object and which changes, in order."""
    log = apps.get_model("realtime.Event").objects  # by its name, since the apps know nothing of it
    events = log.filter(request_id=response["X-Request-ID"]).order_by("project_id", "seq")
    assert all(event.actor_id == desk.user.pk for event in events)
    return [(event.type, event.object_id, event.changes) for event in events]


@pytest.fixture
def desk():
    return Desk()


def test_person_logs_in_to_the_admin_with_their_email(client):
    user = UserFactory(is_staff=True)
    response = client.post(reverse("admin:login"), {"username": user.email.upper(), "password": PASSWORD})
    assert response.status_code == 302
    assert client.session[SESSION_KEY] == str(user.pk)


def test_person_without_staff_status_is_not_let_in(client):
    client.force_login(UserFactory())
    assert client.get(reverse("admin:index")).status_code == 302


def test_person_made_in_the_admin_can_log_in(desk, client):
    response = desk.save(
        User,
        "add",
        email="Ada@Example.org",
        username="ada",
        first_name="Ada",
        usable_password="true",
        password1=PASSWORD,
        password2=PASSWORD,
    )
    assert response.status_code == 302
    ada = User.objects.get(username="ada")
    assert (ada.email, ada.first_name) == ("ada@example.org", "Ada")
    assert client.login(username="ada@example.org", password=PASSWORD)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "TAKEN@example.org", "username": "new"}, "Somebody has this address already."),
        ({"email": "new@example.org", "username": "TAKEN"}, "already exists"),
        ({"email": "", "username": "new"}, "This field is required."),
        ({"email": "new@example.org", "username": "no spaces"}, "Letters, digits"),
    ],
)
def test_person_is_made_with_a_free_address_and_handle(desk, fields, words):
    UserFactory(username="taken", email="taken@example.org")
    response = desk.save(User, "add", **fields, usable_password="true", password1=PASSWORD, password2=PASSWORD)
    assert words in errors(response)
    assert User.objects.filter(username="new").count() == 0


def test_change_of_a_person_writes_only_what_changed(desk):
    user = UserFactory(first_name="Ada")
    opened = desk.open(user)
    User.objects.filter(pk=user.pk).update(last_name="Lovelace", password="changed meanwhile")
    assert desk.save(user, opened=opened, first_name="Augusta", last_name="Lovelace").status_code == 302
    user.refresh_from_db()
    assert (user.first_name, user.last_name, user.password) == ("Augusta", "Lovelace", "changed meanwhile")


def test_password_is_set_in_the_admin(desk):
    user = UserFactory()
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    data = {"usable_password": "true", "password1": "a wholly new phrase", "password2": "a wholly new phrase"}
    assert desk.client.post(url, {**data, "set-password": "yes"}).status_code == 302
    user.refresh_from_db()
    assert user.check_password("a wholly new phrase")


def test_nobody_is_deleted(desk):
    user = UserFactory()
    assert desk.open(user, "delete").status_code == 403
    assert desk.delete(user).status_code == 403
    assert told(desk.delete(user, UserFactory())) == ["No action selected."]
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("page", ["changelist", "change"])
def test_people_are_deactivated_and_reactivated(desk, page):
    user = UserFactory()
    assert told(desk.act("deactivate", user, page=page)) == ["Deactivated: 1."]
    user.refresh_from_db()
    assert not user.is_active
    assert "Reactivated: 1." in told(desk.act("reactivate", user, page=page))
    user.refresh_from_db()
    assert user.is_active
    trail = LogEntry.objects.filter(object_id=user.pk, user=desk.user).order_by("pk")
    assert [entry.change_message for entry in trail] == ["Deactivated.", "Reactivated."]


def test_last_owner_is_not_deactivated(desk):
    user, other = UserFactory(username="ada"), UserFactory()
    project = ProjectFactory(key="TEA", owner=user)
    MembershipFactory(project=project, user=UserFactory(is_active=False), role=Role.OWNER)
    words = ["@ada in TEA: A project needs an owner. Give it another one first."]
    assert told(desk.act("deactivate", other, user)) == words
    assert User.objects.filter(pk__in=[user.pk, other.pk], is_active=True).count() == 2


def test_of_two_owners_deactivated_together_none_is(desk):
    users = [UserFactory(), UserFactory()]
    project = ProjectFactory(owner=users[0])
    MembershipFactory(project=project, user=users[1], role=Role.OWNER)
    assert "A project needs an owner." in told(desk.act("deactivate", *users))[0]
    assert User.objects.filter(pk__in=[user.pk for user in users], is_active=True).count() == 2


def test_nobody_deactivates_themselves(desk):
    assert told(desk.act("deactivate", desk.user)) == ["You cannot deactivate yourself."]
    desk.user.refresh_from_db()
    assert desk.user.is_active


@pytest.fixture
def clerk():
    """Staff who may change people, and nothing else."""
    clerk = Desk()
    clerk.user.is_superuser = False
    clerk.user.save(update_fields=["is_superuser"])
    clerk.user.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    return clerk


@pytest.mark.parametrize("name", ["is_staff", "is_superuser", "groups", "user_permissions"])
def test_who_is_no_superuser_gives_nobody_rights(clerk, name):
    rows = {"groups": Group.objects.create(name="Lords"), "user_permissions": Permission.objects.first()}
    for user in (UserFactory(), clerk.user):
        before = User.objects.filter(pk=user.pk).values("is_staff", "is_superuser").get()
        value = rows[name].pk if name in rows else "on"
        assert clerk.save(user, first_name="New", **{name: value}).status_code == 302
        user.refresh_from_db()
        assert user.first_name == "New"
        assert {key: getattr(user, key) for key in before} == before
        assert not user.groups.exists()
        assert user.user_permissions.count() == (2 if user == clerk.user else 0)


RIGHTS = ["is_staff", "is_superuser", "groups", "user_permissions"]


def give(user, right):
    if right.startswith("is_"):
        setattr(user, right, True)
        user.save(update_fields=[right])
    else:
        row = Group.objects.create(name="Lords") if right == "groups" else Permission.objects.first()
        getattr(user, right).add(row)


@pytest.mark.parametrize("right", RIGHTS)
def test_who_is_no_superuser_changes_no_other_who_has_rights(clerk, right):
    boss = UserFactory(first_name="Boss")
    give(boss, right)
    assert clerk.open(boss).status_code == 200
    assert clerk.client.post(clerk.url(boss), {"first_name": "New"}).status_code == 403
    new = {"usable_password": "true", "password1": "a new horse", "password2": "a new horse", "set-password": "1"}
    assert clerk.client.post(reverse("admin:auth_user_password_change", args=[boss.pk]), new).status_code == 403
    response = clerk.act("deactivate", boss)
    assert told(response) == [f"Only a superuser changes {boss}, who has rights."]
    boss.refresh_from_db()
    assert boss.is_active
    assert boss.first_name == "Boss"
    assert boss.check_password(PASSWORD)


def test_who_is_no_superuser_ends_no_login_of_other_staff(clerk):
    clerk.user.user_permissions.set(Permission.objects.filter(codename__in=["view_session", "change_session"]))
    boss, user = UserFactory(is_staff=True, is_superuser=True), UserFactory()
    sessions = [each.sessions.create() for each in (user, boss, clerk.user)]
    assert told(clerk.act("end", *sessions)) == [f"Only a superuser changes {boss}, who has rights."]
    assert Session.objects.open().count() == 3
    assert told(clerk.act("end", sessions[0], sessions[2]))[-1] == "Ended: 2."
    assert Session.objects.open().get() == sessions[1]


def test_who_is_no_superuser_changes_no_group(clerk):
    group = Group.objects.create(name="Lords")
    clerk.user.user_permissions.set(Permission.objects.filter(content_type__model="group"))
    assert clerk.open(group).status_code == 200
    assert clerk.client.post(clerk.url(group), {"name": "New"}).status_code == 403
    assert clerk.client.post(clerk.url(group, "add"), {"name": "New"}).status_code == 403
    assert clerk.delete(group).status_code == 403
    assert [group.name for group in Group.objects.all()] == ["Lords"]


def test_superuser_gives_a_group_rights(desk):
    right = Permission.objects.first()
    assert desk.save(Group, "add", name="Lords", permissions=right.pk).status_code == 302
    assert Group.objects.get().permissions.get() == right
    assert desk.client.get(desk.url(Group, "changelist"), {"name__exact": "\0"}, follow=True).status_code == 200


def test_who_is_no_superuser_changes_who_is_no_staff(clerk):
    user = UserFactory()
    assert clerk.save(user, email="new@example.org").status_code == 302
    clerk.act("deactivate", user)
    user.refresh_from_db()
    assert (user.email, user.is_active) == ("new@example.org", False)


def test_deactivated_person_keeps_their_memberships(desk):
    user = UserFactory()
    MembershipFactory(user=user)
    desk.act("deactivate", user)
    assert Membership.objects.filter(user=user).count() == 1


def set_password(user):
    user.set_password("a wholly new phrase")
    user.save(update_fields=["password"])


@pytest.mark.parametrize("end", [set_password, User.deactivate])
def test_a_login_to_the_admin_ends_with_the_password_and_with_the_account(desk, end):
    assert desk.client.get(reverse("admin:index")).status_code == 200
    end(desk.user)
    assert desk.client.get(reverse("admin:index")).status_code == 302


def test_password_that_is_set_in_the_admin_ends_the_sessions(desk):
    user = UserFactory()
    log_in(user)
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    data = {"usable_password": "true", "password1": "a wholly new phrase", "password2": "a wholly new phrase"}
    assert desk.client.post(url, {**data, "set-password": "yes"}).status_code == 302
    assert not user.sessions.open().exists()
