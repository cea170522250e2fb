"""What the caller may not see is not locked either by asking for it."""

from uuid import UUID

import pytest
from django.db import connection
from django.db.models.expressions import RawSQL

from accounts.models import User
from comments.models import Comment
from projects.models import Invitation, Label, Membership, Project, Status
from tasks.models import Task, TaskRelation
from tickethub.tests.world import ROWS_WITH_IDS, World, asked_twice

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="rows are locked on PostgreSQL alone")
def test_asking_for_what_is_hidden_locks_nothing_of_it(as_user):
    """A lock would let a stranger hold up those inside. PostgreSQL leaves its trace in the row, even if taken back."""
    world = World(as_user)
    for role in ("outsider", "owner"):
        before = lock_traces(world.hidden(role))
        assert len(before) > 10
        for method, path, body in ROWS_WITH_IDS:
            for _, _, ask_hidden, _ in asked_twice(world, role, path, body):
                world.request(role, method, *ask_hidden)
        assert lock_traces(world.hidden(role)) == before


def lock_traces(site):
    """By table and id, who was the last to lock or change each row that a project's names mean."""
    ids = [value for value in site.names.values() if isinstance(value, UUID)]
    return {
        (model, *row)
        for model in (User, Project, Membership, Invitation, Status, Label, Task, TaskRelation, Comment)
        for row in model._base_manager.filter(pk__in=ids).values_list("pk", RawSQL("xmax::text", []))
    }
