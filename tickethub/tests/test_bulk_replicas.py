"""Old state + its events = new state: for all that writes many rows at once."""

from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync

from accounts.tests.factories import UserFactory
from comments.models import Comment
from comments.tests.factories import CommentFactory
from projects.models import Label, Membership, Project, Status
from projects.tests.factories import LabelFactory, ProjectFactory
from realtime.tests.replica import Watch
from realtime.things import THINGS
from tasks.models import Task, TaskRelation
from tasks.tests.factories import TaskFactory
from tickethub.models import TrackedQuerySet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def scene():
    """A little of each, since every row is read before and after every way to write."""
    ada, bob = UserFactory(), UserFactory()
    project = ProjectFactory(owner=ada)
    task, other = [TaskFactory(project=project, created_by=ada) for _ in range(2)]
    comment = CommentFactory(task=task, author=ada)
    done, label = project.statuses.get(slug="done"), LabelFactory(project=project)
    return SimpleNamespace(**locals())


# How a row of each tracked model is made, and what changes it.
ROWS = {
    Project: (lambda scene, n: {"key": f"N{n}", "name": "New"}, {"name": "Other"}),
    Membership: (
        lambda scene, n: {"project": ProjectFactory(), "user": UserFactory(), "role": "viewer"},
        {"role": "admin"},
    ),
    Status: (lambda scene, n: {"project": scene.project, "name": f"New {n}"}, {"position": 9}),
    Label: (lambda scene, n: {"project": scene.project, "name": f"New {n}"}, {"color": "#123456"}),
    Task: (lambda scene, n: {"project": scene.project, "title": f"New {n}"}, {"priority": 4, "parent": None}),
    TaskRelation: (
        lambda scene, n: {name: TaskFactory(project=scene.project) for name in ("source", "target")},
        {"type": "duplicates"},
    ),
    Comment: (lambda scene, n: {"task": scene.task, "author": scene.ada, "body": f"New {n}"}, {"body": "Other"}),
}

# Each way to write, given rows that stand, the making of a new one's fields and what changes; and what the log tells.
WRITES = {
    "create": (lambda rows, make, values: ([], make()), "created", 1),
    "get_or_create": (lambda rows, make, values: ([], make()), "created", 1),
    "update_or_create": (lambda rows, make, values: ([], {"pk": rows[0].pk, "defaults": values}), "updated", 1),
    "bulk_create": (lambda rows, make, values: ([[type(rows[0])(**make()) for _ in range(2)]], {}), "created", 2),
    "bulk_update": (lambda rows, make, values: ([changed(rows, values), list(values)], {}), "updated", 2),
    "update": (lambda rows, make, values: ([], values), "updated", 2),
    "delete": (lambda rows, make, values: ([], {}), "deleted", 2),
}
CREATES = {"create", "get_or_create", "update_or_create"}  # which the managers of relations write anew


def changed(rows, values):
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
    return rows


def writers(manager):
    """The public methods of a manager or QuerySet that write, without the asynchronous twin of each."""
    names = {name for name in dir(manager) if not name.startswith("_")}
    names = {name for name in names if getattr(getattr(manager, name, None), "alters_data", False)}
    return {name for name in names if f"a{name}" in names or name[:1] != "a" or name[1:] not in names}


def call(manager, name, waits, /, *args, **kwargs):
    """Call a way to write, or its asynchronous twin."""
    write = async_to_sync(getattr(manager, f"a{name}")) if waits else getattr(manager, name)
    with Watch() as watch:
        write(*args, **kwargs)
    return Counter(watch.types)


@pytest.mark.parametrize("waits", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("model", THINGS, ids=lambda model: model.__name__)
def test_every_way_to_write_many_rows_is_told(scene, model, waits):
    make, values = ROWS[model]
    number = count()
    for name, (arguments, verb, times) in WRITES.items():
        rows = [model.objects.create(**make(scene, next(number))) for _ in range(2)]
        args, kwargs = arguments(rows, lambda: make(scene, next(number)), values)
        types = call(model.objects.filter(pk__in=[row.pk for row in rows]), name, waits, *args, **kwargs)
        with_it = {"status.created": 6 * times} if (model, verb) == (Project, "created") else {}
        assert types == {f"{THINGS[model].name}.{verb}": times, **with_it}, name


@pytest.mark.parametrize("model", THINGS, ids=lambda model: model.__name__)
def test_no_manager_of_a_tracked_model_has_a_way_past_the_log(model):
    for manager in (*model._meta.managers, model._base_manager):
        assert isinstance(manager.all(), TrackedQuerySet)
        assert writers(manager.all()) == set(WRITES)


# The relations of tracked models: who has the manager of the far side, and a row that comes and goes where one may.
RELATIONS = {
    (Membership, "project"): ("project", None),
    (Membership, "user"): ("bob", None),
    (Status, "project"): ("project", None),
    (Label, "project"): ("project", None),
    (Task, "project"): ("project", None),
    (Task, "status"): ("done", "other"),
    (Task, "parent"): ("task", "other"),
    (Task, "created_by"): ("bob", "other"),
    (Task, "assignees"): ("bob", "other"),
    (Task, "labels"): ("label", "other"),
    (TaskRelation, "source"): ("task", None),
    (TaskRelation, "target"): ("task", None),
    (Comment, "task"): ("task", None),
    (Comment, "author"): ("bob", "comment"),
}


def steps(manager, row, new, made, change):
    """Every way to write by a manager of a relation, and what each tells."""
    for name, fields in zip(("create", "get_or_create", "update_or_create"), new[:3], strict=True):
        yield name, [], fields, made
    if row:
        yield "add", [row], {}, {change: 1}
    if hasattr(manager, "clear"):
        yield "remove", [row], {}, {change: 1}
        lost = 0 if hasattr(manager, "source_field") and not manager.reverse else manager.count()
        yield "set", [[row]], {}, {change: lost + 1}
        yield "clear", [], {}, {change: 1}
    else:
        fresh = [manager.model(**fields, **{manager.field.name: manager.instance}) for fields in new[3:]]
        yield "add", fresh[:1], {"bulk": False}, made
        yield "set", [fresh[1:]], {"bulk": False}, made


def check(manager, row, makes, made, change):
    done = set()
    for waits in (False, True):
        for name, args, kwargs, types in steps(manager, row, [makes() for _ in range(5)], made, change):
            assert call(manager, name, waits, *args, **kwargs) == types, (name, waits)
            done.add(name)
    assert done == CREATES | writers(manager) - writers(manager.model.objects)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: f"{relation[0].__name__}.{relation[1]}")
def test_every_way_to_write_the_far_side_of_a_relation_is_told(scene, relation):
    model, name = relation
    of, row = [getattr(scene, name) if name else None for name in RELATIONS[relation]]
    field, kind, number = model._meta.get_field(name), THINGS[model].name, count()
    manager = getattr(of, field.remote_field.get_accessor_name())
    made = {f"{kind}.created": 1} | ({f"{kind}.updated": 1} if field.many_to_many else {})
    make = ROWS[model][0]

    def makes():
        return {key: value for key, value in make(scene, next(number)).items() if key != name}

    check(manager, row, makes, made, f"{kind}.updated")


def test_every_way_to_write_who_is_assigned_and_what_is_labelled_is_told(scene):
    number = count()
    make = ROWS[Label][0]
    made = {"label.created": 1, "task.updated": 1}
    check(scene.other.labels, scene.label, lambda: make(scene, next(number)), made, "task.updated")

    def person():
        return {"username": f"new{next(number)}", "email": f"new{next(number)}@example.org"}

    check(scene.other.assignees, scene.bob, person, {"task.updated": 1}, "task.updated")


def test_every_relation_of_a_tracked_model_is_in_the_table():
    fields = [(model, field) for model in THINGS for field in (*model._meta.fields, *model._meta.many_to_many)]
    assert {(model, field.name) for model, field in fields if field.is_relation} == set(RELATIONS)
