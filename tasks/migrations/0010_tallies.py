from django.db import migrations, transaction

# On PostgreSQL alone, as what stands beside an assignment. A tally is how many rows have one project and one thing more in
# common. It may stand in several rows, which add up: whoever writes adds to one that nobody else is adding to just then,
# or makes another one, so that no writer waits for it. Processes of the version before keep them as well.
TALLY = """
    CREATE TABLE {table} (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), project_id uuid NOT NULL, {column} {type} NOT NULL,
        tasks bigint NOT NULL
    );
    CREATE INDEX {table}_by ON {table} ({columns});
    CREATE FUNCTION {table}_add() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        change record;
        tally record;
    BEGIN
        FOR change IN
            SELECT project_id AS project, {value} AS value, COUNT(*) * TG_ARGV[0]::integer AS tasks
            FROM changed WHERE project_id IS NOT NULL GROUP BY 1, 2
        LOOP
            UPDATE {table} SET tasks = tasks + change.tasks WHERE id = (
                SELECT id FROM {table} WHERE project_id = change.project AND {column} = change.value
                LIMIT 1 FOR UPDATE SKIP LOCKED
            ) RETURNING id, tasks INTO tally;
            IF NOT FOUND THEN
                INSERT INTO {table} (project_id, {column}, tasks) VALUES (change.project, change.value, change.tasks);
            ELSIF tally.tasks = 0 THEN
                DELETE FROM {table} WHERE id = tally.id;
            END IF;
        END LOOP;
        RETURN NULL;
    END $$;
    CREATE FUNCTION {table}_forget() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM {table};
        RETURN NULL;
    END $$;
    CREATE TRIGGER {table}_more AFTER INSERT ON {source} REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_add('1');
    CREATE TRIGGER {table}_less AFTER DELETE ON {source} REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_add('-1');
    CREATE TRIGGER {table}_none AFTER TRUNCATE ON {source} FOR EACH STATEMENT EXECUTE FUNCTION {table}_forget()
"""
# What is not in the tallies yet. It stays right whatever is written while it is counted, since that goes into both.
MISSING = """
    INSERT INTO {table} (project_id, {column}, tasks)
    SELECT project_id, value, SUM(many) FROM (
        SELECT project_id, {value} AS value, 1 AS many FROM {source} WHERE project_id IS NOT NULL
        UNION ALL SELECT project_id, {column}, -tasks FROM {table}
    ) AS found GROUP BY 1, 2 HAVING SUM(many) <> 0
"""
NO_TALLY = """
    DROP TRIGGER {table}_more ON {source};
    DROP TRIGGER {table}_less ON {source};
    DROP TRIGGER {table}_none ON {source};
    DROP FUNCTION {table}_add();
    DROP FUNCTION {table}_forget();
    DROP TABLE {table}
"""
TALLIES = [
    {
        'table': 'tasks_day',
        'source': 'tasks_task',
        'column': 'day',
        'type': 'date',
        'value': "(created_at AT TIME ZONE 'UTC')::date",
        'columns': 'project_id, day',
    },
    {
        'table': 'tasks_share',
        'source': 'tasks_task_assignees',
        'column': 'user_id',
        'type': 'uuid',
        'value': 'user_id',
        'columns': 'user_id, project_id',
    },
]


def forwards(apps, schema_editor):
    for tally in TALLIES:
        change(schema_editor, TALLY, tally, is_there=False)
        if schema_editor.connection.vendor == 'postgresql':
            schema_editor.execute(MISSING.format(**tally))


def backwards(apps, schema_editor):
    for tally in reversed(TALLIES):
        change(schema_editor, NO_TALLY, tally, is_there=True)


def change(schema_editor, sql, tally, is_there):
    """Make a tally or remove it, in a transaction of its own: in one for both, those who write both tables and this
    could wait for each other. What a broken attempt has done already is not done again.
    """
    connection = schema_editor.connection
    if connection.vendor == 'postgresql' and (tally['table'] in connection.introspection.table_names()) == is_there:
        with transaction.atomic(connection.alias):
            schema_editor.execute(sql.format(**tally))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('tasks', '0009_index_of_board'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
    ]
