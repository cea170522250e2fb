from django.db import migrations

# On PostgreSQL alone: there, lists of a million tasks are worth what SQLite's few can do without. That a task is of a
# project since a moment never changes, so a trigger at the insert is enough to keep both beside each assignment. Those
# that are there already get both in the next migration; a process of before neither sees the columns nor need fill them.
FORWARDS = """
    ALTER TABLE tasks_task_assignees ADD COLUMN project_id uuid, ADD COLUMN created_at timestamptz;
    CREATE FUNCTION tasks_complete_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SELECT t.project_id, t.created_at INTO NEW.project_id, NEW.created_at FROM tasks_task t WHERE t.id = NEW.task_id;
        RETURN NEW;
    END $$;
    CREATE TRIGGER tasks_complete_assignment BEFORE INSERT ON tasks_task_assignees
    FOR EACH ROW EXECUTE FUNCTION tasks_complete_assignment()
"""
BACKWARDS = """
    DROP TRIGGER tasks_complete_assignment ON tasks_task_assignees;
    DROP FUNCTION tasks_complete_assignment();
    ALTER TABLE tasks_task_assignees DROP COLUMN project_id, DROP COLUMN created_at
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(FORWARDS)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(BACKWARDS)


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0004_search'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
