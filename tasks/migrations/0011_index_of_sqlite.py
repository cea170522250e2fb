from django.db import migrations

# For SQLite alone: whose a task is, by an index that has the task in it. PostgreSQL has one with its age and project.
ASSIGNED = 'assigned_to', 'tasks_task_assignees (user_id, task_id)'
BY_USER = 'tasks_task_assignees_user_id_80d67fcf', 'tasks_task_assignees (user_id)'  # Django's own


def forwards(apps, schema_editor):
    change(schema_editor, BY_USER, ASSIGNED)


def backwards(apps, schema_editor):
    change(schema_editor, ASSIGNED, BY_USER)


def change(schema_editor, old, new):
    """A migration that makes the table anew, as SQLite's do, brings Django's own back, and can do this again."""
    if schema_editor.connection.vendor == 'sqlite':
        name, columns = new
        schema_editor.execute(f'DROP INDEX IF EXISTS {old[0]}')
        schema_editor.execute(f'CREATE INDEX IF NOT EXISTS {name} ON {columns}')


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0010_tallies'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
