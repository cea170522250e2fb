"""A dump of everything, loaded into an empty database: how an installation gets from SQLite to PostgreSQL."""

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from accounts.tests.checks import everything
from accounts.tests.factories import log_in
from tasks.models import Task
from tasks.tallies import Tally, are_kept
from tickethub.tests.world import World

MADE_BY_MIGRATIONS = ["contenttypes", "auth.permission"]


@pytest.fixture
def world(as_user, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        world = World(as_user)
        staff = world.people["staff"]
        log_in(staff)
        group = Group.objects.create(name="support")
        group.permissions.add(Permission.objects.get(codename="view_task"))
        staff.groups.add(group)
        LogEntry.objects.create(
            user=staff, content_type=ContentType.objects.get_for_model(Task), object_id="1", action_flag=CHANGE
        )
        world.dark.project.delete()
        world.main.project.save()  # once more, so that something has changed
    return world


def rows():
    """All rows of all tables, without what the database numbers by itself: the ids of relations, and tallies."""
    found, _ = everything()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.auto_created:
            found.pop(model._meta.label, None)
            if not issubclass(model, Tally) and model._meta.managed:
                ends = [field.attname for field in model._meta.fields if field.is_relation]
                found[model._meta.label] = sorted(map(str, model.objects.values_list(*ends)))
    return found


@pytest.mark.django_db
def test_a_dump_loaded_into_an_empty_database_makes_all_of_it_as_it_was(world, tmp_path):
    dump = tmp_path / "tickethub.jsonl"
    before = rows()
    call_command("dumpdata", format="jsonl", natural_foreign=True, exclude=MADE_BY_MIGRATIONS, output=dump, verbosity=0)

    call_command("flush", interactive=False, inhibit_post_migrate=True, verbosity=0)
    assert not Task.objects.exists()
    call_command("loaddata", dump, verbosity=0)

    after = rows()
    assert after == before
    assert all(before[label] for label in ("tasks.Task", "realtime.Event", "accounts.Session", "tasks.SpentKey"))
    assert all(before[label] for label in ("tasks.Task_labels", "tasks.Task_assignees"))
    if are_kept():
        assert [tally.recount() for tally in Tally.__subclasses__()] == [0, 0]
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM tasks_task_assignees WHERE project_id IS NULL OR created_at IS NULL")
            assert cursor.fetchone() == (0,)
