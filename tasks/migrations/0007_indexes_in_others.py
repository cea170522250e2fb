import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What Django makes for each relation, where another index begins with the same column.
INDEXES = {
    'tasks_task_assignees_user_id_80d67fcf': 'tasks_task_assignees (user_id)',
    'tasks_task_assignees_task_id_e57e7ae7': 'tasks_task_assignees (task_id)',
    'tasks_task_labels_task_id_78ec38df': 'tasks_task_labels (task_id)',
}


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        for name in INDEXES:
            schema_editor.execute(f'DROP INDEX IF EXISTS {name}')


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == 'postgresql':
        for name, columns in INDEXES.items():
            schema_editor.execute(f'CREATE INDEX {name} ON {columns}')


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0006_indexes_of_lists'),
    ]

    operations = [
        migrations.RunPython(forwards, backwards),
        migrations.AlterField(
            model_name='task',
            name='created_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='created_tasks', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='task',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='projects.project'),
        ),
        migrations.AlterField(
            model_name='task',
            name='status',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.RESTRICT, related_name='tasks', to='projects.status'),
        ),
    ]
