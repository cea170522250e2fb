from django.db import migrations

TABLES = ['tasks_task', 'tasks_task_assignees', 'tasks_task_labels', 'tasks_taskrelation', 'comments_comment']


def look_often(apps, schema_editor):
    """Have PostgreSQL look at what is there after each 0.5 % of new rows, where its default is 10 %.

    A project that is new among a million tasks seems empty to it until it looks, and it would go through all of it for
    each of the tasks that a filter finds.
    """
    if schema_editor.connection.vendor == 'postgresql':
        for table in TABLES:
            schema_editor.execute(f'ALTER TABLE {table} SET (autovacuum_analyze_scale_factor = 0.005)')


def look_as_always(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        for table in TABLES:
            schema_editor.execute(f'ALTER TABLE {table} RESET (autovacuum_analyze_scale_factor)')


def know_statuses(apps, schema_editor):
    """Have PostgreSQL know that all tasks of a status are of one project. It took the tasks of both for a part of a part,
    and read all that are done rather than ask which of somebody's few are.
    """
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute(
            'CREATE STATISTICS IF NOT EXISTS status_of_project (dependencies) ON project_id, status_id FROM tasks_task'
        )


def forget_statuses(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('DROP STATISTICS IF EXISTS status_of_project')


class Migration(migrations.Migration):

    dependencies = [
        ('comments', '0003_indexes_in_others'),
        ('tasks', '0013_spent_keys'),
    ]

    operations = [
        migrations.RunPython(look_often, look_as_always),
        migrations.RunPython(know_statuses, forget_statuses),
    ]
