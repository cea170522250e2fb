from django.db import migrations

INDEX = 'CREATE INDEX CONCURRENTLY task_search ON tasks_task USING gin (project_id, {} gin_trgm_ops)'
AS_IT_STANDS = r"""((title || E'\n' || description) COLLATE "C")"""
IN_CAPITALS = r"UPPER(title || E'\n' || description)"


def index_of(text):
    """What indexes this instead, on an install that has the extensions which 0004 asked for."""

    def replace(apps, schema_editor):
        if schema_editor.connection.vendor != 'postgresql':
            return
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM pg_extension WHERE extname IN ('pg_trgm', 'btree_gin')")
            if cursor.fetchone() == (2,):
                cursor.execute('DROP INDEX CONCURRENTLY IF EXISTS task_search')
                cursor.execute(INDEX.format(text))
                cursor.execute('ANALYZE tasks_task')  # or the planner knows nothing of the words until many tasks change

    return replace


class Migration(migrations.Migration):
    atomic = False  # so that tasks can be written while the index is made

    dependencies = [
        ('tasks', '0008_indexes_of_orders'),
    ]

    operations = [
        migrations.RunPython(index_of(AS_IT_STANDS), index_of(IN_CAPITALS)),
    ]
