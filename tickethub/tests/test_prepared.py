"""SQL that is made once gives what a QuerySet gives that is made each time."""

import gc
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from comments.tests.factories import CommentFactory
from projects.models import Project
from projects.tests.factories import InvitationFactory, LabelFactory, MembershipFactory
from tasks.models import Task
from tasks.tests.factories import TaskFactory, TaskRelationFactory
from tasks.views import TaskViewSet
from tickethub.prepared import REPEATED, Prepared, plans_kept
from tickethub.transactions import in_transaction
from tickethub.viewsets import ListModelMixin

pytestmark = pytest.mark.django_db


def rows(pk, user):
    return Session.objects.filter(pk=pk, user=user).select_related("user")


@pytest.fixture
def sessions():
    return [UserFactory().sessions.create() for _ in range(2)]


def columns(obj):
    return {field.attname: getattr(obj, field.attname) for field in obj._meta.concrete_fields}


def test_each_call_gives_the_row_of_its_ids_with_what_is_joined(sessions, django_assert_num_queries):
    prepared = Prepared(rows)
    for session in [*sessions, *sessions]:
        with django_assert_num_queries(1):
            found = prepared.first(session.pk, session.user_id)
            user = found.user
        assert (type(found), type(user)) == (Session, User)
        assert columns(found) == columns(Session.objects.get(pk=session.pk))
        assert columns(user) == columns(session.user)


def test_columns_are_those_of_the_queryset(sessions):
    prepared = Prepared(lambda pk: Session.objects.filter(pk=pk).values_list("pk", "user__email", "created_at"))
    for session in [*sessions, *sessions]:
        assert prepared.first(session.pk) == (session.pk, session.user.email, session.created_at)
    assert prepared.first(uuid4()) is None


def test_what_is_ordered_by_alone_is_no_column(sessions):
    made = Prepared(
        lambda pk: Session.objects.filter(pk=pk).order_by("created_at").distinct().values_list("user__email")
    )
    flat = Prepared(lambda pk: Session.objects.filter(pk=pk).values_list("user", flat=True))
    for session in [*sessions, *sessions]:
        assert list(made.all(session.pk)) == [(session.user.email,)]
        assert list(flat.all(session.pk)) == [session.user_id]


def test_a_row_that_is_not_there_or_does_not_fit_is_none(sessions):
    prepared, (one, other) = Prepared(rows), sessions
    assert prepared.first(one.pk, other.user_id) is None
    assert prepared.first(uuid4(), one.user_id) is None
    assert prepared.first(one.pk, one.user_id) == one


def test_an_id_may_stand_in_several_places(sessions):
    one, other = sessions
    prepared = Prepared(lambda a, b: Session.objects.filter(pk__in=[a, b]).exclude(pk=a).filter(user__sessions=b))
    assert prepared.first(one.pk, other.pk) == other
    assert prepared.first(other.pk, one.pk) == one
    assert prepared.first(one.pk, one.pk) is None


@pytest.mark.parametrize("value", ["nonsense", "TEA-1", "", None, 1.5, [], {}, -1, True])
def test_for_what_is_no_id_there_is_nothing(sessions, value):
    prepared, session = Prepared(rows), sessions[0]
    assert prepared.first(value, session.user_id) is None
    assert prepared.first(session.pk, session.user_id) == session


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_outside_of_a_transaction():
    prepared = Prepared(lambda pk: User.objects.filter(pk=pk).select_for_update())
    user = UserFactory()
    with transaction.atomic():
        assert prepared.first(user.pk) == user
    with pytest.raises(transaction.TransactionManagementError):
        prepared.first(user.pk)


def test_what_has_changed_since_is_seen(sessions):
    prepared, session = Prepared(rows), sessions[0]
    assert prepared.first(session.pk, session.user_id).user.is_active
    session.user.deactivate()
    assert not prepared.first(session.pk, session.user_id).user.is_active


@pytest.mark.django_db(transaction=True)
def test_threads_share_the_sql_and_nothing_else(sessions):
    prepared, made = Prepared(rows), []
    prepared.make = lambda *ids: made.append(ids) or rows(*ids)
    prepared.first(uuid4(), uuid4())

    def ask(session):
        try:
            return {prepared.first(session.pk, session.user_id) for _ in range(100)}
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(sessions)) as threads:
        assert list(threads.map(ask, sessions)) == [{session} for session in sessions]
    assert len(made) == 1


def test_the_sql_keeps_no_connection(sessions):
    prepared, gone = Prepared(rows), []

    def ask():
        prepared.first(uuid4(), uuid4())
        gone.append(weakref.ref(connections["default"]))
        connections["default"].close()

    thread = Thread(target=ask)
    thread.start()
    thread.join()
    gc.collect()
    assert prepared.statement
    assert gone[0]() is None


def test_the_sql_is_that_of_the_queryset_and_made_once(sessions):
    calls, session = [], sessions[0]

    def make(pk, user):
        calls.append(pk)
        return rows(pk, user)

    prepared = Prepared(make)
    with CaptureQueriesContext(connection) as queries:
        prepared.first(session.pk, session.user_id)
        prepared.first(session.pk, session.user_id)
        list(rows(session.pk, session.user_id))
    assert len({query["sql"] for query in queries}) == 1
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["users", "projects", "tasks", "comments", "statuses", "labels"])
def test_one_thing_is_shown_as_in_its_list_to_those_who_see_it(as_user, name):
    author, stranger = UserFactory(), UserFactory()
    CommentFactory(task__project__owner=author, task__project__key="TEA", author=author, task__created_by=author)
    LabelFactory(project=Project.objects.get(key="TEA"))
    shown = as_user(author).get(f"/api/v1/{name}/").json()["results"][-1]
    path = f"/api/v1/{name}/{shown['id']}/"
    for _ in range(2):
        assert as_user(author).get(path).json() == shown
        assert as_user(stranger).get(path).status_code == 404
    if "key" in shown:
        assert as_user(author).get(f"/api/v1/{name}/{shown['key']}/").json() == shown
        assert as_user(stranger).get(f"/api/v1/{name}/{shown['key']}/").status_code == 404


def test_numbers_of_a_slice_stand_in_the_sql(sessions):
    found = Session.objects.order_by("pk")
    prepared = Prepared(lambda other, start, limit: found.exclude(pk=other)[start : start + limit], numbers=2)
    first, second, third = sorted([*sessions, UserFactory().sessions.create()], key=lambda session: session.pk)
    assert list(prepared.all(uuid4(), 0, 2)) == [first, second]
    assert list(prepared.all(uuid4(), 1, 2)) == [second, third]
    assert list(prepared.all(second.pk, 1, 5)) == [third]
    with pytest.raises(ValueError, match="format code 'd'"):
        prepared.all(uuid4(), 1, "2 OR 1=1")


SCOPES = {
    "project": {"memberships", "invitations", "statuses", "labels", "tasks", "relations", "comments"},
    "task": {"relations", "comments"},
    "assignee": {"tasks"},
}
PAGES = ["", "&limit=1", "&limit=2", "&limit=2&offset=1", "&limit=1&offset=1", "&offset=9", "&limit=100&offset=0"]


@pytest.mark.parametrize(("scope", "name"), [(scope, name) for scope in SCOPES for name in sorted(SCOPES[scope])])
def test_the_list_of_a_scope_is_as_any_list(as_user, monkeypatch, name, scope):
    author, other = UserFactory(), UserFactory()
    for user in (author, other, author):
        relation = TaskRelationFactory(source__project__owner=user, source__created_by=user)
        project, task = relation.source.project, relation.source
        MembershipFactory(project=project)
        CommentFactory.create_batch(3, task=task, author=user)
        CommentFactory(task=relation.target, author=user)
        LabelFactory.create_batch(2, project=project)
        InvitationFactory.create_batch(2, project=project, invited_by=user)
        for each in (task, relation.target):
            each.assignees.add(user)
        named = {"project": project, "task": task, "assignee": user}[scope]
        path = f"/api/v1/{name}/?{scope}={named.pk}"
        stranger = as_user(other if user == author else author)
        for page in PAGES:
            found = as_user(user).get(path + page)
            with monkeypatch.context() as unkept:
                for viewset in (ListModelMixin, TaskViewSet):
                    unkept.setattr(viewset, "scope_of", lambda *_: None)
                    unkept.setattr(viewset, "scope_alone", lambda *_: None)
                assert as_user(user).get(path + page).json() == found.json()
            assert found.json()["count"] > 0
            assert stranger.get(path + page).status_code == 400
    if name == "comments" and scope == "task":
        CommentFactory(task=task, author=user)
        assert as_user(user).get(path).json()["count"] == found.json()["count"] + 1


@pytest.mark.parametrize("query", ["tasks/?project={project}", "tasks/?assignee=me", "comments/?task={task}&offset=1"])
def test_a_page_of_a_scope_that_has_rows_is_one_query_with_its_count(as_user, query):
    user = UserFactory()
    task = TaskFactory(project__owner=user)
    task.assignees.add(user)
    CommentFactory.create_batch(2, task=task, author=user)
    client, path = as_user(user), f"/api/v1/{query.format(project=task.project_id, task=task.pk)}"
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).json()["results"]
    assert len(queries) == 2, "one of them finds the session"


PAST_THE_END = [13, 10**17 - 1, 10**17, 10**17 + 1, 1_100_000_000_000_000_001, 2**63, 10**30]


@pytest.mark.parametrize("offset", PAST_THE_END)
@pytest.mark.parametrize(("scope", "name"), [(scope, name) for scope in SCOPES for name in sorted(SCOPES[scope])])
def test_a_page_past_the_end_of_a_scope_is_empty(as_user, name, scope, offset):
    user = UserFactory()
    relation = TaskRelationFactory(source__project__owner=user)
    task = relation.source
    task.assignees.add(user)
    MembershipFactory(project=task.project)
    CommentFactory.create_batch(2, task=task, author=user)
    LabelFactory.create_batch(2, project=task.project)
    InvitationFactory.create_batch(2, project=task.project, invited_by=user)
    named = {"project": task.project_id, "task": task.pk, "assignee": "me"}[scope]
    path = f"/api/v1/{name}/?{scope}={named}&limit=1"
    whole, page = (as_user(user).get(f"{path}{more}").json() for more in ("", f"&offset={offset}"))
    assert (page["results"], page["count"]) == ([], whole["count"])
    assert whole["count"] > 0


@pytest.mark.parametrize("wrong", ["limit=0", "limit=1%00", "offset=-1", "limit=1&limit=2", "other=1"])
@pytest.mark.parametrize("scope", ["project={pk}", "project=nonsense", "project=", "project={stranger}"])
def test_what_is_wrong_is_said_of_a_scope_as_of_any_list(as_user, scope, wrong):
    user = UserFactory()
    project = TaskFactory(project__owner=user).project
    query = scope.format(pk=project.pk, stranger=uuid4())
    alone, beside_another = (
        as_user(user).get(f"/api/v1/tasks/?{asked}&{wrong}") for asked in (query, f"{query}&priority=none")
    )
    assert alone.status_code == 400
    assert alone.json()["errors"] == beside_another.json()["errors"]


@pytest.mark.parametrize("name", ["comments", "relations"])
def test_of_a_scope_without_rows_nothing_is_counted(as_user, name):
    user = UserFactory()
    task = TaskFactory(project__owner=user)
    client = as_user(user)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/api/v1/{name}/?task={task.pk}").json()["count"] == 0
    assert len(queries) == 3, "the session, no rows, and whether there is such a task"


def test_pages_of_any_size_and_place_share_their_sql(as_user):
    user = UserFactory()
    task = TaskFactory(project__owner=user)
    TaskFactory.create_batch(3, project=task.project)
    client, made = as_user(user), set()
    TaskViewSet.within.cache_clear()  # of what other tests have asked for
    for page in ["limit=1", "limit=1&offset=1", *(f"limit={limit}&offset={limit - 1}" for limit in (1, 2, 3))]:
        assert client.get(f"/api/v1/tasks/?project={task.project.key}&{page}").json()["count"] == 4
        made.add(TaskViewSet.within.cache_info().currsize)
    assert max(made) - min(made) <= 1


# --- Plans ---

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans in no time")


def kept_plans(table):
    """How many plans of statements about a table the connection keeps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return sum(bool(re.search(rf'(FROM|UPDATE) "{table}"', statement)) for [statement] in cursor.fetchall())


@pytest.fixture
def task():
    owner = UserFactory()  # the rollback of the test before has dropped what that had asked
    task = TaskFactory(project__owner=owner)
    task.assignees.add(owner)
    return task


@on_postgresql
@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        ("tasks/{task}/", True),
        ("tasks/?project={project}", True),
        ("tasks/?project={project}&limit=20&ordering=-priority", True),
        ("comments/?task={task}", True),
        ("comments/?project={project}", False),
        ("tasks/", False),
        ("tasks/?ordering=priority", False),
        ("tasks/?project={project}&search=tea", False),
        ("tasks/?project={project}&status=todo", False),
        ("tasks/?assignee=me", True),
        ("tasks/?assignee=me&project={project}&limit=20", True),
        ("tasks/?assignee=me&ordering=priority", False),
        ("tasks/?assignee=me&status=todo", False),
        ("tasks/?assignee=me&assignee=none", False),
        ("tasks/?assignee=none", False),
    ],
)
def test_plans_are_kept_where_one_suits_all_values(as_user, task, path, is_kept):
    person = User.objects.get(memberships__role="owner")
    client, path = as_user(person), path.format(task=task.pk, project=task.project_id)
    for _ in range(REPEATED + 1):
        assert client.get(f"/api/v1/{path}").status_code == 200
    assert bool(kept_plans(f"{path.partition('/')[0]}_{path.partition('s/')[0]}")) == is_kept
    assert kept_plans("accounts_session") == 1


@on_postgresql
def test_changes_keep_their_plans(as_user, task):
    client = as_user(User.objects.get(memberships__role="owner"))
    for number in range(REPEATED + 1):
        assert client.patch(f"/api/v1/tasks/{task.pk}/", {"title": f"Take {number}"}).status_code == 200
    assert kept_plans("tasks_task") > 1


@pytest.fixture
def odds():
    """A table of whose column `widen` changes the type, as a migration does."""

    def widen(length):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE odds ALTER name TYPE varchar({length})")

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE odds (number integer, name varchar(10))")
    yield widen
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE odds")


def ask():
    with plans_kept(), connection.cursor() as cursor:
        cursor.execute('SELECT name FROM "odds" WHERE number = %s', [1])
        return cursor.fetchall()


@on_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asked", [ask, in_transaction(ask)], ids=["alone", "in a transaction"])
def test_a_plan_that_fits_no_more_is_made_anew(odds, asked):
    for length in (20, 30):
        assert [asked() for _ in range(REPEATED + 1)] == [[]] * (REPEATED + 1)
        assert kept_plans("odds") == 1
        odds(length)
        assert asked() == []
        assert kept_plans("odds") == 0


@on_postgresql
def test_any_number_of_values_is_asked_for_and_few_alone_keep_a_plan(task):
    ids = [task.pk, *(uuid4() for _ in range(70_000))]
    for count in (REPEATED, 70_001):
        with plans_kept():
            for _ in range(REPEATED + 1):
                found = list(Task.objects.filter(pk__in=ids[:count]))
        assert found == [task]
        assert kept_plans("tasks_task") == 1
