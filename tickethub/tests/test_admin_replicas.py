"""Old state + its events = new state: for all that the admin writes."""

from collections import Counter

import pytest
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import ActionLocation
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from accounts.tests.test_admin import Desk, Fields
from comments.models import Comment
from projects.models import Invitation, Label, Membership, Project, Status
from projects.tests.factories import MembershipFactory, ProjectFactory, StatusFactory
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory
from tickethub.tests.test_replicas import RestWatch, World
from tickethub.tests.world import filled

pytestmark = pytest.mark.django_db(transaction=True)

DELETE_SELECTED = "changelist delete_selected"
ONE_OF_EACH = "{0}.created {0}.updated {0}.deleted"
A_PROJECT = "project.created status.created*6 membership.created"
ALL_IN_A_TASK = "task.updated relation.created*2 relation.deleted comment.deleted"
ALL_IN_A_PROJECT = "project.updated task.updated*2 " + " ".join(
    map(ONE_OF_EACH.format, ["membership", "status", "label"])
)
NEW_PERSON = {"email": "a@b.org", "username": "new", "usable_password": "true", "password1": PASSWORD}
NEW_PERSON |= {"password2": PASSWORD}
NEW_PASSWORD = {"usable_password": "true", "password1": "difference engine", "password2": "difference engine"}
MEMBERSHIPS_OF_BOB = {
    "memberships-new-project": "{fourth}",
    "memberships-new-role": "viewer",
    "memberships-membership-role": "admin",
    "memberships-in_side-DELETE": "on",
}
ALL_OF_A_PROJECT = {
    "name": "New",
    "description": "New",
    "memberships-new-user": "{guest}",
    "memberships-new-role": "member",
    "memberships-of_eve-role": "admin",
    "memberships-membership-DELETE": "on",
    "statuses-new-name": "New",
    "statuses-new-category": "done",
    "statuses-new-position": 3,
    "statuses-status-name": "Renamed",
    "statuses-unused-DELETE": "on",
    "labels-new-name": "New",
    "labels-new-color": "#123456",
    "labels-blue-name": "azure",
    "labels-red-DELETE": "on",
    "invitations-invitation-DELETE": "on",
}
ALL_OF_A_TASK = {
    "title": "New",
    "description": "*New*",
    "status": "{done}",
    "priority": 4,
    "assignees": ["{ada}", "{eve}"],
    "labels": ["{blue}"],
    "parent": "{third}",
    "due_date": "2031-12-10",
}
RELATIONS_OF_A_TASK = {
    "relations_from-new-target": "{third}",
    "relations_from-new-type": "blocks",
    "relations_to-new-source": "{third}",
    "relations_to-new-type": "duplicates",
}

NEW_MEMBER = {"memberships-new-user": "{eve}", "memberships-new-role": "viewer"}
IN_A_PROJECT = {"memberships-new-project": "{project}", "memberships-new-role": "member"}
A_MEMBERSHIP = {"project": "{project}", "user": "{guest}", "role": "admin"}
A_LABEL = {"project": "{project}", "name": "New", "color": "#123456"}
A_RELATION = {"source": "{third}", "target": "{first}", "type": "blocks"}
WITH_RELATIONS = {**ALL_OF_A_TASK, **RELATIONS_OF_A_TASK, "relations_to-new-source": "{first}"}
OFF_FIRST = {"relations_to-relation-DELETE": "on", "comments-comment-DELETE": "on"}
OFF_SECOND = {"relations_from-relation-DELETE": "on", "comments-of_ada-DELETE": "on"}

# Page and action, model, rows by their names in the world, what is sent, and what the log then tells.
# In `labels-new-name` and `labels-red-name` an inline's new row and one that stands are named.
ADMIN = [
    ("add", Group, "", {"name": "New"}, ""),
    ("change", Group, "group", {"name": "New"}, ""),
    ("delete", Group, "group", {}, ""),
    (DELETE_SELECTED, Group, "group", {}, ""),
    ("add", User, "", NEW_PERSON, ""),
    ("add", User, "", {**NEW_PERSON, **IN_A_PROJECT}, "membership.created"),
    ("change", User, "bob", {"first_name": "Robert"}, "membership.updated*2"),
    ("change", User, "ada", {"username": "countess", "email": "c@example.org"}, "membership.updated*4"),
    ("change", User, "guest", {"first_name": "New"}, ""),
    ("change", User, "bob", {"is_staff": "on", "groups": ["{group}"]}, ""),
    ("change", User, "bob", MEMBERSHIPS_OF_BOB, ONE_OF_EACH.format("membership")),
    ("change", User, "bob", {**MEMBERSHIPS_OF_BOB, "last_name": "New"}, ONE_OF_EACH.format("membership")),
    ("auth_user_password_change", User, "bob", NEW_PASSWORD, ""),
    ("changelist deactivate", User, "bob", {}, ""),
    ("changelist reactivate", User, "gone", {}, ""),
    ("change deactivate", User, "bob", {}, ""),
    ("change reactivate", User, "gone", {}, ""),
    ("changelist end", Session, "session", {}, ""),
    ("change end", Session, "session", {}, ""),
    ("add", Project, "", {"key": "NEW", "name": "New"}, A_PROJECT),
    ("add", Project, "", {"key": "NEW", "name": "New", **NEW_MEMBER}, f"{A_PROJECT}*2"),
    ("change", Project, "project", {"name": "New"}, "project.updated"),
    ("change", Project, "project", ALL_OF_A_PROJECT, ALL_IN_A_PROJECT),
    ("delete", Project, "project", {}, "project.deleted"),
    (DELETE_SELECTED, Project, "project old", {}, "project.deleted*2"),
    ("changelist archive", Project, "project side old", {}, "project.updated*2"),
    ("change archive", Project, "project", {}, "project.updated"),
    ("changelist restore", Project, "project old", {}, "project.updated"),
    ("change restore", Project, "old", {}, "project.updated"),
    ("add", Membership, "", A_MEMBERSHIP, "membership.created"),
    ("change", Membership, "membership", {"role": "owner"}, "membership.updated"),
    ("delete", Membership, "membership", {}, "task.updated*2 membership.deleted"),
    (DELETE_SELECTED, Membership, "membership own_membership in_side", {}, "task.updated*2 membership.deleted*3"),
    ("add", Status, "", {"project": "{project}", "name": "New", "category": "todo", "position": 3}, "status.created"),
    ("change", Status, "status", {"name": "New", "category": "done", "position": 7}, "status.updated"),
    ("delete", Status, "status", {}, "status.deleted"),
    (DELETE_SELECTED, Status, "status unused", {}, "status.deleted*2"),
    ("changelist make_default", Status, "status in_side_done", {}, "status.updated*4"),
    ("changelist make_default", Status, "status unused", {}, "status.updated*3"),
    ("change make_default", Status, "status", {}, "status.updated*2"),
    ("add", Label, "", A_LABEL, "label.created"),
    ("change", Label, "red", {"name": "New", "color": "#123456"}, "label.updated"),
    ("delete", Label, "red", {}, "task.updated*2 label.deleted"),
    (DELETE_SELECTED, Label, "red blue", {}, "task.updated*2 label.deleted*2"),
    ("delete", Invitation, "invitation", {}, ""),
    (DELETE_SELECTED, Invitation, "invitation", {}, ""),
    ("add", Task, "", {"project": "{project}", "title": "New"}, "task.created"),
    ("add", Task, "", {"project": "{project}", **WITH_RELATIONS}, "task.created relation.created*2"),
    ("change", Task, "second", ALL_OF_A_TASK, "task.updated"),
    ("change", Task, "second", {"assignees": []}, "task.updated"),
    ("change", Task, "second", {"labels": []}, "task.updated"),
    ("change", Task, "second", {"parent": ""}, "task.updated"),
    ("change", Task, "second", {"labels": ["{red}"]}, ""),
    ("change", Task, "first", OFF_FIRST, "relation.deleted comment.deleted"),
    ("change", Task, "second", {**ALL_OF_A_TASK, **RELATIONS_OF_A_TASK, **OFF_SECOND}, ALL_IN_A_TASK),
    ("delete", Task, "first", {}, "task.updated task.deleted"),
    (DELETE_SELECTED, Task, "first third elsewhere", {}, "task.updated task.deleted*3"),
    (DELETE_SELECTED, Task, "first second", {}, "task.deleted*2"),
    ("changelist complete", Task, "first second elsewhere finished", {}, "task.updated*3"),
    ("changelist reopen", Task, "first finished", {}, "task.updated"),
    ("changelist prioritize", Task, "first elsewhere", {"priority": "4"}, "task.updated*2"),
    ("changelist unassign", Task, "first third", {}, "task.updated"),
    ("add", TaskRelation, "", A_RELATION, "relation.created"),
    ("delete", TaskRelation, "relation", {}, "relation.deleted"),
    (DELETE_SELECTED, TaskRelation, "relation", {}, "relation.deleted"),
    ("add", Comment, "", {"task": "{first}", "body": "New"}, "comment.created"),
    ("change", Comment, "comment", {"body": "New"}, "comment.updated"),
    ("delete", Comment, "comment", {}, "comment.deleted"),
    (DELETE_SELECTED, Comment, "comment of_ada", {}, "comment.deleted*2"),
]


class DeskWorld(World):
    """The world, and a superuser at the admin, who is in none of its projects."""

    def __init__(self, client_of):
        super().__init__(client_of)
        ada, bob, eve, *_ = self.people.values()
        self.desk = Desk()
        self.fourth = ProjectFactory(key="FOURTH", owner=ada)
        self.in_side = Membership.objects.get(project=self.side, user=bob)
        self.of_eve = Membership.objects.get(project=self.project, user=eve)
        self.of_ada = self.second.comments.get()
        self.unused = StatusFactory(project=self.project, name="Unused")
        self.done = self.project.statuses.get(slug="done")
        self.finished = TaskFactory(project=self.project, status=self.done)
        self.in_side_done = self.side.statuses.get(slug="done")
        self.gone = MembershipFactory(project=self.project, user__is_active=False).user
        self.session = bob.sessions.create()
        self.group = Group.objects.create(name="Old")

    def row(self, name):
        return {**vars(self), **self.people}.get(name)

    def send(self, page, model, rows, fields):
        """Do at the admin what an entry of the table says."""
        rows = [self.row(name) for name in rows.split()]
        _, fields = filled("", fields, self.names())
        page, _, action = page.partition(" ")
        if action:
            return self.desk.act(action, *rows, page=page, post="yes", **fields)
        if page == "delete":
            return self.desk.delete(*rows)
        if page not in {"add", "change"}:
            return self.desk.client.post(reverse(f"admin:{page}", args=[rows[0].pk]), fields | {"set-password": "yes"})
        of = rows[0] if rows else model
        opened = self.desk.open(of, page)
        return self.desk.save(of, page, opened=opened, **self.numbered(fields, opened))

    def numbered(self, fields, opened):
        """What is sent with the rows of inlines by their number on the page, as a browser sends them."""
        found, sent = Fields(opened.content.decode()).found, {}
        for name, value in fields.items():
            prefix, *of_row = name.split("-")
            if of_row:
                row, field = of_row
                number = int(found[f"{prefix}-TOTAL_FORMS"][0])
                if row == "new":
                    sent[f"{prefix}-TOTAL_FORMS"] = number + 1
                else:
                    pks = [found[f"{prefix}-{n}-id"] for n in range(number)]
                    number = pks.index([str(vars(self)[row].pk)])
                name = f"{prefix}-{number}-{field}"
            sent[name] = value
        return sent


@pytest.fixture
def world(as_user):
    return DeskWorld(as_user)


def counted(types):
    """`a.created b.updated*2` as a Counter."""
    split = [name.partition("*") for name in types.split()]
    return Counter({name: int(count or 1) for name, _, count in split})


def called(entry):
    page, model, rows, fields, _types = entry
    return f"{page} {model.__name__} {rows} {' '.join(list(fields)[:1])}"


@pytest.mark.parametrize("entry", ADMIN, ids=called)
def test_every_page_and_action_of_the_admin_tells_what_it_changed(world, as_user, entry):
    *what, types = entry
    with RestWatch(as_user) as watch:
        answer = world.send(*what)
        assert answer.status_code == 302, answer.context["errors"]
    assert {message.level for message in get_messages(answer.wsgi_request)} == {messages.SUCCESS}
    assert types or LogEntry.objects.filter(user=world.desk.user).exists()
    assert Counter(watch.types) == counted(types)
    assert watch.changed == bool(types)
    assert {event["request_id"] for event in watch.events} <= {answer["X-Request-ID"]}
    assert {event["actor"] for event in watch.events} <= {str(world.desk.user.pk)}


def offered():
    """What a superuser may write: `(model, page and action)`, and of inlines their prefix and verb as well."""
    request = RequestFactory().get("/")
    request.user = User(is_active=True, is_staff=True, is_superuser=True)
    for model, model_admin in admin.site._registry.items():
        pages = {"add": model_admin.has_add_permission(request)}
        pages |= {"change": model_admin.has_change_permission(request, model())}
        pages |= {"delete": model_admin.has_delete_permission(request, model())}
        yield from [(model, page) for page, may in pages.items() if may]
        for page, location in (("changelist", ActionLocation.CHANGE_LIST), ("change", ActionLocation.CHANGE_FORM)):
            yield from [(model, f"{page} {name}") for name in model_admin.get_actions(request, location)]
        yield from [(model, f"changelist {name}") for name in model_admin.list_editable]
        yield from [(model, name) for name in more_pages(model_admin)]
        for page, row in (("add", None), ("change", model())):
            for inline in model_admin.get_inline_instances(request, row) if pages[page] else ():
                yield from [(model, page, *what) for what in offered_in(inline, request, row)]


def more_pages(model_admin):
    usual = model_admin.opts.app_label, model_admin.opts.model_name
    known = {"{}_{}_{}".format(*usual, page) for page in ("changelist", "add", "history", "delete", "change")}
    return {url.name for url in model_admin.get_urls()} - known - {None}  # of before the pages had names


def offered_in(inline, request, row):
    prefix = inline.get_formset(request, row).get_default_prefix()
    if inline.has_add_permission(request, row):
        yield prefix, "new"
    if row and inline.has_change_permission(request, row):
        yield prefix, "change"
    if row and inline.can_delete and inline.has_delete_permission(request, row):
        yield prefix, "DELETE"


def in_table():
    for page, model, _rows, fields, _types in ADMIN:
        yield model, page
        for name in fields:
            if "-" in name:
                prefix, row, field = name.split("-")
                yield model, page, prefix, row if row == "new" else field if field == "DELETE" else "change"


def test_the_table_has_all_that_the_admin_writes_and_nothing_else():
    assert set(in_table()) == set(offered())
    assert len(set(in_table())) > 60
