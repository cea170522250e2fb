from django.db import migrations, models

from tickethub.operations import AddIndexMeanwhile

BATCH = 5_000
COMPLETE = """
    UPDATE tasks_task_assignees SET project_id = tasks_task.project_id, created_at = tasks_task.created_at
    FROM tasks_task WHERE tasks_task.id = tasks_task_assignees.task_id AND tasks_task_assignees.id BETWEEN %s AND %s
"""
INDEXES = {
    'assigned_newest': '(user_id, created_at DESC, task_id DESC, project_id)',
    'assigned_in_project': '(project_id, user_id, created_at DESC, task_id DESC)',
}


def complete_assignments(apps, schema_editor):
    """Give the assignments of before what the trigger gives new ones, a few at a time: nobody waits for long."""
    if schema_editor.connection.vendor != 'postgresql':
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute('SELECT COALESCE(MAX(id), 0) FROM tasks_task_assignees')
        for first in range(1, cursor.fetchone()[0] + 1, BATCH):
            cursor.execute(COMPLETE, [first, first + BATCH - 1])


def add_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        for name, columns in INDEXES.items():
            schema_editor.execute(f'DROP INDEX IF EXISTS {name}')  # that a broken attempt left unfinished
            schema_editor.execute(f'CREATE INDEX CONCURRENTLY {name} ON tasks_task_assignees {columns}')


def remove_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        for name in INDEXES:
            schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS {name}')


class Migration(migrations.Migration):
    atomic = False  # so that tasks can be written meanwhile

    dependencies = [
        ('tasks', '0005_assignments'),
    ]

    operations = [
        migrations.RunPython(complete_assignments, migrations.RunPython.noop),
        migrations.RunPython(add_indexes, remove_indexes),
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['-created_at', '-id', 'project'], name='task_newest_of_all'),
        ),
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['status', '-created_at', '-id', 'project'], name='task_newest_of_status'),
        ),
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['created_by', '-created_at', '-id', 'project'], name='task_newest_of_maker'),
        ),
    ]
