"""Who may do what: the contract's table, for every route and method of the API."""

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import URLPattern, get_resolver, resolve
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.tests.checks import nothing_changes, refused
from accounts.tests.factories import PASSWORD, UserFactory, log_in
from comments.tests.factories import CommentFactory
from projects.models import Role
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory, ProjectFactory, StatusFactory
from tasks.tests.factories import TaskFactory, TaskRelationFactory

API = "/api/v1/"
ROLES = ["anonymous", "outsider", "staff", *Role.values]
SECRET = "what-outsiders-must-not-read"

# `{own_…}` is the caller's own, `{task}` and the like are another's. Outsiders and staff once were members: they have
# tasks and comments of their own here. The columns are those of ROLES.
NEW_TASK = {"project": "{project}", "title": "New"}
IN_BULK = {"set": {"title": "New"}}
TABLE = [
    # method, path, body                                                          anon out staff view memb admin owner
    ("POST", "auth/register/", {"email": "a@b.org", "username": "new", "password": "difference engine"}, "201" * 7),
    ("POST", "auth/token/", {"email": "{email}", "password": PASSWORD}, "200" * 7),
    ("POST", "auth/token/refresh/", {"refresh": "{refresh}"}, "200" * 7),
    ("POST", "auth/token/blacklist/", {"refresh": "{refresh}"}, "200" * 7),
    ("POST", "auth/password/change/", {"current_password": PASSWORD, "new_password": "a new one"}, "401" + "204" * 6),
    ("POST", "auth/password/reset/", {"email": "{email}"}, "202" * 7),
    (
        "POST",
        "auth/password/reset/confirm/",
        {"uid": "{uid}", "token": "{reset}", "new_password": "a new one"},
        "204" * 7,
    ),
    ("GET", "users/me/", None, "401 200 200 200 200 200 200"),
    ("PATCH", "users/me/", {"first_name": "New"}, "401 200 200 200 200 200 200"),
    ("DELETE", "users/me/", None, "401 204 204 204 204 204 204"),
    ("GET", "users/", None, "401 200 200 200 200 200 200"),
    ("GET", "users/{person}/", None, "401 404 404 200 200 200 200"),
    ("GET", "users/{own_id}/", None, "401 200 200 200 200 200 200"),
    ("GET", "projects/", None, "401 200 200 200 200 200 200"),
    ("POST", "projects/", {"key": "NEW", "name": "New"}, "401 201 201 201 201 201 201"),
    ("GET", "projects/MAIN/", None, "401 404 404 200 200 200 200"),
    ("GET", "projects/{project}/", None, "401 404 404 200 200 200 200"),
    ("PATCH", "projects/MAIN/", {"name": "New"}, "401 404 404 403 403 200 200"),
    ("PATCH", "projects/MAIN/", {"archived": True}, "401 404 404 403 403 403 200"),
    ("PATCH", "projects/MAIN/", {"archived": False}, "401 404 404 403 403 403 200"),
    ("DELETE", "projects/{project}/", None, "401 404 404 403 403 403 204"),
    ("GET", "memberships/", None, "401 200 200 200 200 200 200"),
    ("PATCH", "memberships/{viewer}/", {"role": "member"}, "401 404 404 403 403 200 200"),
    ("PATCH", "memberships/{member}/", {"role": "viewer"}, "401 404 404 403 403 200 200"),
    ("PATCH", "memberships/{member}/", {"role": "admin"}, "401 404 404 403 403 403 200"),
    ("PATCH", "memberships/{member}/", {"role": "owner"}, "401 404 404 403 403 403 200"),
    ("PATCH", "memberships/{admin}/", {"role": "member"}, "401 404 404 403 403 403 200"),
    ("PATCH", "memberships/{owner}/", {"role": "viewer"}, "401 404 404 403 403 403 200"),
    ("PATCH", "memberships/{own_membership}/", {"role": "owner"}, "401 404 404 403 403 403 200"),
    ("DELETE", "memberships/{viewer}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "memberships/{member}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "memberships/{admin}/", None, "401 404 404 403 403 403 204"),
    ("DELETE", "memberships/{owner}/", None, "401 404 404 403 403 403 204"),
    ("DELETE", "memberships/{own_membership}/", None, "401 404 404 204 204 204 204"),
    ("GET", "invitations/", None, "401 200 200 200 200 200 200"),
    ("POST", "invitations/", {"project": "{project}", "email": "a@b.org"}, "401 400 400 403 403 201 201"),
    (
        "POST",
        "invitations/",
        {"project": "{project}", "email": "a@b.org", "role": "admin"},
        "401 400 400 403 403 403 201",
    ),
    (
        "POST",
        "invitations/",
        {"project": "{project}", "email": "a@b.org", "role": "owner"},
        "401 400 400 403 403 403 201",
    ),
    ("DELETE", "invitations/{invitation}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "invitations/{owners_invitation}/", None, "401 404 404 403 403 403 204"),
    ("POST", "invitations/accept/", {"token": "{token}"}, "401 404 404 404 404 404 404"),
    ("POST", "invitations/accept/", {"token": "{own_token}"}, "401 201 201 409 409 409 409"),
    ("GET", "statuses/", None, "401 200 200 200 200 200 200"),
    ("POST", "statuses/", {"project": "{project}", "name": "New", "category": "todo"}, "401 400 400 403 403 201 201"),
    ("GET", "statuses/{status}/", None, "401 404 404 200 200 200 200"),
    ("PATCH", "statuses/{status}/", {"name": "New"}, "401 404 404 403 403 200 200"),
    ("DELETE", "statuses/{status}/", None, "401 404 404 403 403 204 204"),
    ("GET", "labels/", None, "401 200 200 200 200 200 200"),
    ("POST", "labels/", {"project": "{project}", "name": "New"}, "401 400 400 403 201 201 201"),
    ("GET", "labels/{label}/", None, "401 404 404 200 200 200 200"),
    ("PATCH", "labels/{label}/", {"name": "New"}, "401 404 404 403 200 200 200"),
    ("DELETE", "labels/{label}/", None, "401 404 404 403 204 204 204"),
    ("GET", "tasks/", None, "401 200 200 200 200 200 200"),
    ("POST", "tasks/", NEW_TASK, "401 400 400 403 201 201 201"),
    ("GET", "tasks/{task}/", None, "401 404 404 200 200 200 200"),
    ("GET", "tasks/{own_task}/", None, "401 404 404 200 200 200 200"),
    ("GET", "tasks/MAIN-1/", None, "401 404 404 200 200 200 200"),
    ("PATCH", "tasks/{task}/", {"title": "New"}, "401 404 404 403 200 200 200"),
    ("PATCH", "tasks/{own_task}/", {"title": "New"}, "401 404 404 403 200 200 200"),
    ("DELETE", "tasks/{task}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "tasks/{own_task}/", None, "401 404 404 403 204 204 204"),
    ("POST", "tasks/{task}/move/", {"status": "done"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/{task}/move/", {"before": "{own_task}"}, "401 404 404 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{task}"], **IN_BULK}, "401 400 400 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}"], **IN_BULK}, "401 400 400 403 200 200 200"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}"], "delete": True}, "401 400 400 403 204 204 204"),
    ("POST", "tasks/bulk/", {"ids": ["{own_task}", "{task}"], "delete": True}, "401 400 400 403 403 204 204"),
    ("GET", "relations/", None, "401 200 200 200 200 200 200"),
    (
        "POST",
        "relations/",
        {"source": "{task}", "target": "{own_task}", "type": "blocks"},
        "401 400 400 403 201 201 201",
    ),
    ("DELETE", "relations/{relation}/", None, "401 404 404 403 204 204 204"),
    ("GET", "comments/", None, "401 200 200 200 200 200 200"),
    ("POST", "comments/", {"task": "{task}", "body": "New"}, "401 400 400 403 201 201 201"),
    ("GET", "comments/{comment}/", None, "401 404 404 200 200 200 200"),
    ("GET", "comments/{own_comment}/", None, "401 404 404 200 200 200 200"),
    ("PATCH", "comments/{comment}/", {"body": "New"}, "401 404 404 403 403 403 403"),
    ("PATCH", "comments/{own_comment}/", {"body": "New"}, "401 404 404 200 200 200 200"),
    ("DELETE", "comments/{comment}/", None, "401 404 404 403 403 204 204"),
    ("DELETE", "comments/{own_comment}/", None, "401 404 404 403 204 204 204"),
    ("GET", "events/?project=MAIN", None, "401 404 404 200 200 200 200"),
    ("GET", "events/?project=MAIN&task={task}", None, "401 404 404 200 200 200 200"),
]


class World:
    """A project with everything in it, and somebody of every role."""

    def __init__(self, client_of):
        self.people = {role: UserFactory(first_name=SECRET) for role in ROLES if role != "staff"}
        self.people["staff"] = UserFactory(first_name=SECRET, is_staff=True, is_superuser=True)
        self.clients = {role: client_of(None if role == "anonymous" else self.people[role]) for role in ROLES}
        project = self.project = ProjectFactory(key="MAIN", name=SECRET)
        others = {role: MembershipFactory(project=project, role=role) for role in Role.values}
        task = TaskFactory(project=project, title=SECRET, created_by=others["member"].user)
        relation = TaskRelationFactory(source=task)
        self.names = {
            **{role: membership.pk for role, membership in others.items()},
            "project": project.pk,
            "person": others["member"].user_id,
            "task": task.pk,
            "relation": relation.pk,
            "comment": CommentFactory(task=task, author=others["member"].user, body=SECRET).pk,
            "label": LabelFactory(project=project, name=SECRET).pk,
            "status": StatusFactory(project=project, name=SECRET).pk,
            "invitation": InvitationFactory(project=project, email=f"{SECRET}@example.org").pk,
            "owners_invitation": InvitationFactory(project=project, role="owner").pk,
            "token": InvitationFactory(project=project).token,
        }
        self.own_names = {role: self.own(role, others["owner"]) for role in ROLES}

    def own(self, role, fallback):
        """What belongs to the person of a role; those who have no membership name another's."""
        person, project = self.people[role], self.project
        membership = MembershipFactory(project=project, user=person, role=role) if role in Role.values else fallback
        task = TaskFactory(project=project, title=SECRET, created_by=person)
        return {
            "own_id": person.pk,
            "own_membership": membership.pk,
            "own_task": task.pk,
            "own_comment": CommentFactory(task=task, author=person, body=SECRET).pk,
            "own_token": InvitationFactory(project=project, email=person.email).token,
            "email": person.email,
            "refresh": log_in(person),
            "uid": urlsafe_base64_encode(force_bytes(person.pk)),
            "reset": default_token_generator.make_token(person),
        }

    def request(self, role, method, path, body):
        names = {**self.names, **self.own_names[role]}
        call = getattr(self.clients[role], method.lower())
        return call(API + path.format(**names), filled(body, names))


def filled(value, names):
    """A body with the names in it replaced by what they name."""
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    return {key: filled(each, names) for key, each in value.items()} if isinstance(value, dict) else value


def columns(expected):
    """The seven statuses of a row, which may be written without the spaces where they are all one."""
    digits = expected.replace(" ", "")
    return {role: int(digits[3 * n : 3 * n + 3]) for n, role in enumerate(ROLES)}


@pytest.fixture
def world(db, as_user):
    return World(as_user)


@pytest.mark.parametrize(("method", "path", "body", "expected"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_who_may_do_what(world, method, path, body, expected):
    wrong = {}
    for role, status in columns(expected).items():
        with transaction.atomic():
            if status < 400:
                response = world.request(role, method, path, body)
            else:
                with nothing_changes():
                    response = world.request(role, method, path, body)
            transaction.set_rollback(True)
        if response.status_code != status:
            wrong[role] = (response.status_code, response.content[:300])
        elif status >= 400:
            refused(response, status)
            assert SECRET.encode() not in response.content
    assert wrong == {}


@pytest.mark.parametrize("path", [row[1] for row in TABLE if row[0] == "GET" and row[1].count("/") == 1])
def test_lists_hold_what_is_there_for_those_inside_alone(world, path):
    for role in ROLES[1:]:
        response = world.request(role, "GET", path, None)
        inside = role in Role.values
        if path.startswith("events/"):
            assert response.status_code == (200 if inside else 404)
        elif path == "users/":
            assert (response.json()["count"] > 1) == inside
        else:
            assert (response.json()["count"] > 0) == inside
            assert (SECRET in response.text) == (inside and path != "relations/")


def walk(resolver, prefix=""):
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route, entry.callback
        else:
            yield from walk(entry, route)


def offered():
    """Every route of the API with each method that its view answers; HEAD goes with GET, OPTIONS tells nothing."""
    for route, callback in walk(get_resolver()):
        if not route.startswith(API[1:]):
            continue
        view = callback.cls  # whatever stands there is a view of Django REST framework's
        bound = getattr(callback, "actions", None) or {name for name in view.http_method_names if hasattr(view, name)}
        for method in set(bound) & set(view.http_method_names) - {"head", "options"}:
            yield route, method.upper()


def test_the_table_lacks_no_route_and_method_and_has_no_other():
    any_id = "01900000-0000-7000-8000-000000000000"
    in_table = {
        (resolve(API + path.partition("?")[0].format_map(AnyName(any_id))).route, method) for method, path, *_ in TABLE
    }
    assert in_table == set(offered())
    assert len(in_table) > 40


class AnyName(dict):
    """Gives one value for every name."""

    def __init__(self, value):
        self.value = value

    def __missing__(self, name):
        return self.value
