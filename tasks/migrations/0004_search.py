import sys

from django.db import DatabaseError, migrations, transaction

INDEX = r"""
    CREATE INDEX CONCURRENTLY task_search ON tasks_task
    USING gin (project_id, UPPER(title || E'\n' || description) gin_trgm_ops)
"""


def index_search(apps, schema_editor):
    """Let PostgreSQL find words in tasks by an index. An install that may not have the extensions goes on without it."""
    if schema_editor.connection.vendor != 'postgresql':
        return
    try:
        with transaction.atomic():
            schema_editor.execute('CREATE EXTENSION IF NOT EXISTS pg_trgm')
            schema_editor.execute('CREATE EXTENSION IF NOT EXISTS btree_gin')
    except DatabaseError as error:
        print(f'\n  Searches stay slow: {error}  See docs/deployment.md.', file=sys.stderr)
    else:
        schema_editor.execute('DROP INDEX IF EXISTS task_search')  # that a broken attempt left unfinished
        schema_editor.execute(INDEX)


def forget_index(apps, schema_editor):
    schema_editor.execute('DROP INDEX IF EXISTS task_search')


class Migration(migrations.Migration):
    atomic = False  # so that tasks can be written while the index is made

    dependencies = [
        ('tasks', '0003_deleted_on_board'),
    ]

    operations = [
        migrations.RunPython(index_search, forget_index),
    ]
