from django.db import migrations, models

from tickethub.operations import AddIndexMeanwhile


class Migration(migrations.Migration):
    atomic = False  # so that tasks can be written meanwhile

    dependencies = [
        ('tasks', '0007_indexes_in_others'),
    ]

    operations = [
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['project', 'priority', 'id'], name='task_by_priority'),
        ),
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['project', 'due_date', 'id'], name='task_by_due_date'),
        ),
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['project', 'updated_at', 'id'], name='task_by_update'),
        ),
    ]
