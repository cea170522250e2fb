"""Old state + its events = new state, both read from REST: for every route of the API that writes."""

import uuid
from collections import Counter

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.db.models import Count
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.utils.json import dumps, loads

from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory, log_in
from comments.tests.factories import CommentFactory
from projects.models import Membership, Project
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from realtime.models import Event
from realtime.serializers import EventSerializer
from realtime.tests.replica import Replica
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub.tests.test_permissions import offered, route_of
from tickethub.tests.world import API, filled

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = {
    "project": "projects/",
    "membership": "memberships/",
    "status": "statuses/",
    "label": "labels/",
    "task": "tasks/",
    "relation": "relations/",
    "comment": "comments/",
}
NEW_PROJECT = ["project.created", *["status.created"] * 6, "membership.created"]
ALL_OF_A_TASK = {
    "title": "New",
    "description": "*New*",
    "status": "done",
    "priority": "urgent",
    "assignees": ["{ada}", "{eve}"],
    "labels": ["{blue}"],
    "parent": "{third}",
    "due_date": "2031-12-10",
}

AN_EXPORT = '[{"number": 7, "title": "New", "state": "open", "labels": [{"name": "steam", "color": "1f6feb"}]}]'
# method, path, body, who asks, and what the log then tells. Ada asks, an owner, unless another does.
ROUTES = [
    ("POST", "auth/register/", {"email": "a@b.org", "username": "new", "password": "difference engine"}, None, []),
    ("POST", "auth/token/", {"email": "{email}", "password": PASSWORD}, None, []),
    ("POST", "auth/token/refresh/", {"refresh": "{refresh}"}, None, []),
    ("POST", "auth/token/blacklist/", {"refresh": "{refresh}"}, None, []),
    ("POST", "auth/password/change/", {"current_password": PASSWORD, "new_password": "difference engine"}, "ada", []),
    ("POST", "auth/password/reset/", {"email": "{email}"}, None, []),
    (
        "POST",
        "auth/password/reset/confirm/",
        {"uid": "{uid}", "token": "{reset}", "new_password": "difference engine"},
        None,
        [],
    ),
    ("PATCH", "users/me/", {"first_name": "Augusta"}, "ada", ["membership.updated"] * 3),
    ("PATCH", "users/me/", {"username": "countess", "email": "c@example.org"}, "ada", ["membership.updated"] * 3),
    ("PATCH", "users/me/", {"last_name": "New"}, "guest", []),
    ("DELETE", "users/me/", None, "ada", []),
    ("POST", "projects/", {"key": "NEW", "name": "New"}, "ada", NEW_PROJECT),
    ("PATCH", "projects/MAIN/", {"name": "New", "description": "New"}, "ada", ["project.updated"]),
    ("PATCH", "projects/{project}/", {"archived": True}, "ada", ["project.updated"]),
    ("PATCH", "projects/OLD/", {"archived": False}, "ada", ["project.updated"]),
    ("DELETE", "projects/MAIN/", None, "ada", ["project.deleted"]),
    ("DELETE", "projects/OLD/", None, "ada", ["project.deleted"]),
    ("PATCH", "memberships/{membership}/", {"role": "owner"}, "ada", ["membership.updated"]),
    ("DELETE", "memberships/{membership}/", None, "ada", ["task.updated", "task.updated", "membership.deleted"]),
    ("DELETE", "memberships/{own_membership}/", None, "ada", ["task.updated", "membership.deleted"]),
    ("POST", "invitations/", {"project": "{project}", "email": "a@b.org"}, "ada", []),
    ("DELETE", "invitations/{invitation}/", None, "ada", []),
    ("POST", "invitations/accept/", {"token": "{token}"}, "guest", ["membership.created"]),
    (
        "POST",
        "statuses/",
        {"project": "{project}", "name": "New", "category": "todo", "position": 3},
        "ada",
        ["status.created"],
    ),
    (
        "POST",
        "statuses/",
        {"project": "{project}", "name": "New", "category": "todo", "is_default": True},
        "ada",
        ["status.updated", "status.created"],
    ),
    (
        "PATCH",
        "statuses/{status}/",
        {"name": "New", "category": "done", "position": 7},
        "ada",
        ["status.updated"],
    ),
    ("PATCH", "statuses/{status}/", {"is_default": True}, "ada", ["status.updated"] * 2),
    ("DELETE", "statuses/{status}/", None, "ada", ["status.deleted"]),
    ("POST", "labels/", {"project": "{project}", "name": "New", "color": "#123456"}, "ada", ["label.created"]),
    ("PATCH", "labels/{red}/", {"name": "New", "color": "#123456"}, "ada", ["label.updated"]),
    ("DELETE", "labels/{red}/", None, "ada", ["task.updated", "task.updated", "label.deleted"]),
    ("POST", "tasks/", {"project": "{project}", "title": "New"}, "bob", ["task.created"]),
    ("POST", "tasks/", {"project": "{project}", "id": "{new}", **ALL_OF_A_TASK}, "ada", ["task.created"]),
    ("POST", "tasks/", {"project": "{project}", "id": "{first}", "title": "Again"}, "ada", []),
    *[
        ("PATCH", "tasks/{second}/", {name: value}, "bob", ["task.updated"])
        for name, value in [*ALL_OF_A_TASK.items(), ("assignees", []), ("labels", []), ("parent", None)]
    ],
    ("PATCH", "tasks/MAIN-2/", ALL_OF_A_TASK, "ada", ["task.updated"]),
    ("PATCH", "tasks/{second}/", {"labels": ["{red}"]}, "ada", []),
    ("DELETE", "tasks/{first}/", None, "ada", ["task.updated", "task.deleted"]),
    ("DELETE", "tasks/{second}/", None, "ada", ["task.deleted"]),
    ("POST", "projects/{project}/import/", {"data": AN_EXPORT}, "ada", ["task.created", "label.created"]),
    ("POST", "projects/{project}/import/", {"data": AN_EXPORT, "dry_run": True}, "ada", []),
    ("POST", "tasks/{first}/move/", {"status": "done"}, "bob", ["task.updated"]),
    ("POST", "tasks/{first}/move/", {"after": "{second}"}, "ada", ["task.updated"]),
    ("POST", "tasks/{third}/move/", {"before": "{first}", "status": "done"}, "ada", ["task.updated"]),
    ("POST", "tasks/bulk/", {"ids": ["{first}", "{elsewhere}"], "set": {"title": "New"}}, "bob", ["task.updated"] * 2),
    ("POST", "tasks/bulk/", {"ids": ["{first}", "{second}"], "set": ALL_OF_A_TASK}, "ada", ["task.updated"] * 2),
    (
        "POST",
        "tasks/bulk/",
        {"ids": ["{first}", "{second}", "{elsewhere}"], "delete": True},
        "ada",
        ["task.deleted"] * 3,
    ),
    (
        "POST",
        "tasks/bulk/",
        {"ids": ["{first}", "{third}"], "delete": True},
        "ada",
        ["task.updated", *["task.deleted"] * 2],
    ),
    (
        "POST",
        "relations/",
        {"source": "{third}", "target": "{first}", "type": "duplicates"},
        "bob",
        ["relation.created"],
    ),
    ("DELETE", "relations/{relation}/", None, "bob", ["relation.deleted"]),
    ("POST", "comments/", {"task": "{first}", "body": "New"}, "bob", ["comment.created"]),
    ("PATCH", "comments/{comment}/", {"body": "New"}, "bob", ["comment.updated"]),
    ("DELETE", "comments/{comment}/", None, "ada", ["comment.deleted"]),
]


class World:
    """Two projects and an archived one, in which everything hangs on something."""

    def __init__(self, client_of):
        self.client_of = client_of
        names = ["ada", "bob", "eve", "guest", "witness"]
        self.people = {name: UserFactory(username=name) for name in names}
        ada, bob, eve, guest, witness = self.people.values()
        self.project, self.side, self.old = [ProjectFactory(key=key, owner=ada) for key in ("MAIN", "SIDE", "OLD")]
        for project in (self.project, self.side, self.old):
            MembershipFactory(project=project, user=witness, role="owner")
        MembershipFactory(project=self.side, user=bob)
        self.membership = MembershipFactory(project=self.project, user=bob)
        self.own_membership = Membership.objects.get(project=self.project, user=ada)
        MembershipFactory(project=self.project, user=eve, role="viewer")
        self.status = StatusFactory(project=self.project, name="Extra")
        self.red, self.blue = [LabelFactory(project=self.project, name=name) for name in ("red", "blue")]
        self.first = TaskFactory(project=self.project, created_by=ada)
        self.second = TaskFactory(project=self.project, created_by=bob, parent=self.first)
        self.third = TaskFactory(project=self.project, created_by=ada)
        self.elsewhere = TaskFactory(project=self.side, created_by=ada)
        self.first.assignees.set([ada, bob])
        self.second.assignees.set([bob])
        for task in (self.first, self.second):
            task.labels.add(self.red)
        self.relation = TaskRelationFactory(source=self.second, target=self.first)
        self.comment = CommentFactory(task=self.first, author=bob)
        CommentFactory(task=self.second, author=ada)
        self.invitation = InvitationFactory(project=self.project, email=guest.email)
        TaskFactory(project=self.old)
        Project.objects.filter(pk=self.old.pk).update(archived_at=timezone.now())

    def names(self):
        """What the bodies and paths of ROUTES may name."""
        ada = self.people["ada"]
        rows = {name: row.pk for name, row in {**vars(self), **self.people}.items() if hasattr(row, "pk")}
        return rows | {
            "new": uuid.uuid4(),
            "email": ada.email,
            "token": self.invitation.token,
            "refresh": log_in(ada),
            "uid": urlsafe_base64_encode(force_bytes(ada.pk)),
            "reset": default_token_generator.make_token(ada),
        }


def as_json(data):
    return loads(dumps(data, cls=JSONEncoder))


class RestReplica(Replica):
    """All projects, as people who see them together read them by REST."""

    @classmethod
    def load(cls, client_of):
        replica = cls()
        for project in Project.objects.all():
            if str(project.pk) not in replica.objects["project"]:
                replica.read(client_of(reader_of(project)))
        return replica

    def read(self, client):
        for name, path in LISTS.items():
            page = client.get(API + path, {"limit": 100}).json()
            assert page["next"] is None
            self.objects[name].update({row["id"]: row for row in page["results"]})
        for project in self.objects["project"].values():
            project.pop("role", None)  # each reader's own


def reader_of(project):
    """Who in a project sees the most besides it."""
    people = User.objects.filter(is_active=True, pk__in=project.memberships.values("user"))
    return people.annotate(seen=Count("memberships")).latest("seen", "pk")


class RestWatch:
    """Asserts of what happens within it that the state before and the events give the state after.

    And that the events are numbered without a gap, one for each object, and are the same by REST.
    """

    def __init__(self, client_of):
        self.client_of = client_of

    def __enter__(self):
        self.before = RestReplica.load(self.client_of)
        self.cursors = {}
        for event in Event.objects.order_by("seq"):
            self.cursors[event.project_id] = event
        return self

    def __exit__(self, exc_type, exc, traceback):
        if exc_type is not None:
            return
        self.events = []
        for pk in sorted(set(Event.objects.values_list("project_id", flat=True))):
            self.events += self.new_events_of(pk)
        now = RestReplica.load(self.client_of)
        self.changed = self.before != now
        for event in self.events:
            self.before.apply(event)
        assert self.before.objects == now.objects
        objects = Counter(event["id"] for event in self.events)
        assert set(objects.values()) <= {1}, self.types

    def new_events_of(self, pk):
        start = self.cursors.get(pk)
        seq = start.seq if start else 0
        events = as_json(EventSerializer(Event.objects.of(pk).filter(seq__gt=seq), many=True).data)
        assert [event["seq"] for event in events] == [seq + 1 + n for n in range(len(events))]
        if start and (project := Project.objects.filter(pk=pk).first()):
            answer = self.client_of(reader_of(project)).get(
                f"{API}events/", {"project": str(pk), "after": start.cursor}
            )
            assert answer.json()["results"] == events
        return events

    @property
    def types(self):
        return [event["type"] for event in self.events]


@pytest.fixture
def world(as_user):
    return World(as_user)


def called(route):
    method, path, body, who, _types = route
    return f"{method} {path} {sorted(body) if body else ''} {who}"


@pytest.mark.parametrize("route", ROUTES, ids=called)
def test_every_route_tells_what_it_changed(world, as_user, route):
    method, path, body, who, types = route
    path, body = filled(path, body, world.names())
    client = as_user(world.people.get(who))
    with RestWatch(as_user) as watch:
        call = getattr(client, method.lower())
        answer = call(API + path, body, headers={"X-Request-ID": "the-request"})
        assert answer.status_code < 300, answer.content
    assert Counter(watch.types) == Counter(types)
    assert watch.changed == bool(types)
    assert {event["request_id"] for event in watch.events} <= {"the-request"}
    assert {event["actor"] for event in watch.events} <= {str(world.people[who].pk) if who else None}


def test_the_table_has_every_route_that_writes_and_no_other():
    in_table = {(route_of(path), method) for method, path, *_ in ROUTES}
    assert in_table == {(route, method) for route, method, *_ in offered() if method != "GET"}
    assert len(in_table) > 25
