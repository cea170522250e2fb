"""The admin of every model, walked."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, models
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from psycopg.errors import ForeignKeyViolation

from accounts.models import Session, User
from accounts.tests.checks import nothing_changes
from accounts.tests.factories import UserFactory
from accounts.tests.test_admin import Desk, told, written
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Invitation, Label, Membership, Project, Status
from projects.tests.factories import LabelFactory, MembershipFactory, StatusFactory
from realtime.models import Event, Stream
from tasks.board import Board
from tasks.bulk import SpentId, SpentKey
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tickethub import transactions

OURS = [User, Session, Project, Membership, Status, Label, Invitation, Task, TaskRelation, Comment, Event, Stream]
MADE_ELSEWHERE = {Session, Invitation, Event, Stream}

# What does not read the whole of a table that grows.
BOUNDED = re.compile(r"WHERE|LIMIT|COUNT|FROM .auth_")

each_model = pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)


@pytest.fixture
def desk(db):
    return Desk()


class Corner:
    """One task, project and person, on whose pages ever more hangs; and ever more rows beside them."""

    def __init__(self):
        self.task = TaskFactory()
        self.project = self.task.project
        self.user = MembershipFactory(project=self.project).user

    def grow(self):
        self.user.sessions.create()
        CommentFactory(task=self.task, author=self.user)
        TaskRelationFactory(source=self.task)
        TaskRelationFactory(target=self.task, source=TaskFactory(project=self.project))
        self.task.labels.add(LabelFactory(project=self.project))
        self.task.assignees.add(MembershipFactory(project=self.project).user)
        StatusFactory(project=self.project)
        self.invite(self.project)
        elsewhere = MembershipFactory(user=self.user).project
        self.invite(elsewhere)
        task = TaskFactory(project=elsewhere, parent=TaskFactory(project=elsewhere))
        task.assignees.add(self.user)
        task.labels.add(LabelFactory(project=elsewhere))
        CommentFactory(task=task, author=UserFactory())
        TaskRelationFactory(source=task)

    @staticmethod
    def invite(project):
        invitation = Invitation(project=project, email="guest@example.org")
        invitation.make_token()
        invitation.save()

    def row(self, model):
        """The row of a model that most hangs on."""
        known = {User: self.user, Project: self.project, Task: self.task}
        return known.get(model) or model.objects.order_by("pk").first()


@pytest.fixture
def corner(desk):
    corner = Corner()
    corner.grow()
    return corner


def test_every_model_of_ours_is_in_the_admin_but_for_the_counters():
    apps_of_ours = {"accounts", "projects", "tasks", "comments", "realtime"}
    models = {model for model in apps.get_models() if model._meta.app_label in apps_of_ours}
    assert models == {*OURS, Board, SpentId, SpentKey}
    assert set(admin.site._registry) == {*OURS, Group}


@each_model
def test_every_model_is_searched_filtered_and_chosen_by_searching(model):
    model_admin = admin.site.get_model_admin(model)
    assert model_admin.search_fields
    assert model_admin.list_filter
    assert model_admin.ordering
    relations = {field.name for field in [*model._meta.fields, *model._meta.many_to_many] if field.is_relation}
    read_only = set(model_admin.readonly_fields) | {"groups", "user_permissions"}
    if model not in MADE_ELSEWHERE:
        assert relations - read_only == set(model_admin.autocomplete_fields)


@each_model
def test_every_page_is_shown(desk, corner, model):
    row = corner.row(model)
    assert desk.open(model, "changelist").status_code == 200
    assert desk.open(row).status_code == 200
    assert desk.open(row, "history").status_code == 200
    assert desk.open(model, "add").status_code == (403 if model in MADE_ELSEWHERE else 200)


LEAVES = [  # to which nothing refers, and what somebody changes of them
    (MembershipFactory, {"role": "viewer"}),
    (StatusFactory, {"name": "Brewing"}),
    (LabelFactory, {"name": "green"}),
    (CommentFactory, {"body": "Boil the water first."}),
]


@pytest.mark.parametrize(("factory", "changes"), LEAVES, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("verb", ["change", "delete"])
def test_row_that_is_removed_after_it_was_read_is_said_to_be_gone(desk, factory, changes, verb, monkeypatch):
    row, read = factory(), []
    opened, model_admin = desk.open(row), admin.site.get_model_admin(type(row))
    get_object = model_admin.get_object

    def read_before_it_goes(*args):
        read.append(None if read else get_object(*args))
        if len(read) == 1:  # the rollback of the first attempt brings it back
            models.QuerySet(type(row)).filter(pk=row.pk)._raw_delete("default")
        return read[-1]

    monkeypatch.setattr(model_admin, "get_object", read_before_it_goes)
    response = desk.delete(row) if verb == "delete" else desk.save(row, opened=opened, **changes)
    assert read == [row, None]
    assert response.status_code == 302
    assert "Perhaps it was deleted?" in told(response)[0]
    assert written(desk, response) == []


def test_only_the_attempt_that_counts_is_told_of(desk, monkeypatch):
    label, attempts = LabelFactory(), []

    def fail_at_the_commit(handler, *args, **kwargs):
        answer = handler(*args, **kwargs)
        attempts.append(answer)
        raise IntegrityError from ForeignKeyViolation() if len(attempts) == 1 else None

    monkeypatch.setattr(transactions, "checked_again", fail_at_the_commit)
    response = desk.save(label, name="green")
    assert len(attempts) == 2
    assert told(response) == ["Somebody else has just made the same, or removed what this names."]


@each_model
def test_every_list_is_searched(desk, corner, model):
    row = corner.row(model)
    assert desk.open(model, "changelist", q="nothing has this").context["cl"].result_count == 0
    found = desk.open(model, "changelist", q=str(row.pk)).context["cl"].result_list
    assert row in found
    assert desk.open(model, "changelist", q="0").status_code == 200
    assert desk.open(model, "changelist", q='"\x00').status_code == 200


@each_model
def test_every_filter_filters(desk, corner, model):
    page = desk.open(model, "changelist").context["cl"]
    for filter_spec in page.filter_specs:
        for choice in filter_spec.choices(page):
            response = desk.client.get(desk.url(model, "changelist") + choice["query_string"])
            assert response.status_code == 200, choice


def pages(desk, corner):
    """Every list, page, and choice of a relation, to be fetched: `{name: address}`."""
    yield "index", reverse("admin:index")
    for model in OURS:
        name = model.__name__
        yield f"list of {name}", desk.url(model, "changelist")
        yield f"found of {name}", desk.url(model, "changelist") + "?q=e"
        yield f"page of {name}", desk.url(corner.row(model))
        if model not in MADE_ELSEWHERE:
            yield f"new {name}", desk.url(model, "add")
        for field in admin.site.get_model_admin(model).autocomplete_fields:
            query = f"?app_label={model._meta.app_label}&model_name={name.lower()}&field_name={field}"
            yield f"choice of {name}.{field}", reverse("admin:autocomplete") + query


def count_queries(desk, corner):
    counts = {}
    for name, address in pages(desk, corner):
        with CaptureQueriesContext(connection) as queries:
            assert desk.client.get(address).status_code == 200
        counts[name] = len(queries)
        whole_tables = [query["sql"] for query in queries if not BOUNDED.search(query["sql"])]
        assert name.startswith(("list", "found")) or not whole_tables, name  # a list's filters offer all projects
    return counts


def test_every_page_takes_as_many_queries_for_thirty_rows_as_for_one(desk, corner):
    ContentType.objects.get_for_models(*OURS)  # which Django keeps once it has them
    few = count_queries(desk, corner)
    for _ in range(29):
        corner.grow()
    assert count_queries(desk, corner) == few
    assert {name: count for name, count in few.items() if count > 8} == {}


def test_staff_without_permissions_sees_nothing(client, corner):
    client.force_login(UserFactory(is_staff=True))
    for model in OURS:
        assert client.get(Desk.url(model, "changelist")).status_code == 403
        assert client.get(Desk.url(corner.row(model))).status_code == 403


NOT_AS_ASKED = "This cannot be done as it was asked for."
ODD = ["x", "\0", "99999999999999999999", "-1"]


@pytest.mark.parametrize("value", ODD)
@each_model
def test_an_odd_address_gets_an_answer(desk, corner, model, value):
    model_admin = admin.site.get_model_admin(model)
    asked = {"q": value, "p": value, "o": value}
    for named in [*model_admin.list_filter, model_admin.date_hierarchy]:
        name = getattr(named, "parameter_name", named[0] if isinstance(named, tuple) else named)
        if name:
            asked |= {name: value, f"{name}__exact": value, f"{name}__year": value, f"{name}__gte": value}
    address = desk.url(model, "changelist")
    for name, given in asked.items():
        response = desk.client.get(address, {name: given})
        assert response.status_code in {200, 400} or response.get("Location") == f"{address}?e=1", (name, response)
    assert desk.client.get(address, {"e": 1}).status_code == 200
    for name in model_admin.autocomplete_fields:
        if model not in MADE_ELSEWHERE:
            assert desk.open(model, "add", **{name: value}).status_code == 200
            assert desk.client.post(desk.url(model, "add"), {name: value}).status_code == 200
        field = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": name}
        found = desk.client.get(reverse("admin:autocomplete"), {"term": value, **field})
        assert found.status_code == 200


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    "model", [Group, *sorted({*OURS} - {Event, Stream}, key=str)], ids=lambda model: model.__name__
)
def test_an_odd_selection_does_nothing(desk, corner, model, value):
    Group.objects.create(name="Group")
    choices = desk.open(model, "changelist").context["action_form"].fields["action"].choices
    [_, *actions] = [name for name, _ in choices]
    assert actions
    for action in actions:
        with nothing_changes():
            data = {"action": action, "_selected_action": value, "post": "yes"}
            response = desk.client.post(desk.url(model, "changelist"), data, follow=True)
        assert response.status_code == 200, (action, response)


@pytest.mark.parametrize("value", ["9" * 30, "x"])
def test_odd_rights_are_refused(desk, corner, value):
    group = Group.objects.create(name="Group")
    for row, name in [(corner.user, "user_permissions"), (corner.user, "groups"), (group, "permissions")]:
        with nothing_changes():
            response = desk.save(row, **{name: value})
        assert response.context["errors"] if response.status_code == 200 else told(response)[-1] == NOT_AS_ASKED


def test_enter_saves_a_page_that_has_actions(desk, corner):
    """A browser presses the first button of a form then."""
    with_actions = [corner.project, corner.user, corner.project.statuses.first()]
    for row in with_actions:
        form = re.search("<form[^>]*_form.*", desk.open(row).text, re.DOTALL)[0]
        assert re.search(r'<(?:button|input)[^>]*type="submit"[^>]*>', form)[0] == (
            '<input type="submit" name="_save" value="Save" hidden>'
        )
    desk.save(corner.project, name="Renamed", **{"CHANGE_FORM-action": "archive"})
    corner.project.refresh_from_db()
    assert (corner.project.name, corner.project.archived_at) == ("Renamed", None)
    session = corner.user.sessions.create()
    assert 'name="_save"' not in desk.open(session).text
