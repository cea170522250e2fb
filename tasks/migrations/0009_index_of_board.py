from django.db import migrations, models

from tickethub.operations import AddIndexMeanwhile


class Migration(migrations.Migration):
    atomic = False  # so that tasks can be written meanwhile

    dependencies = [
        ('tasks', '0008_indexes_of_orders'),
    ]

    operations = [
        AddIndexMeanwhile(
            model_name='task',
            index=models.Index(fields=['status', 'position', 'id', 'project'], name='task_placed_of_status'),
        ),
    ]
