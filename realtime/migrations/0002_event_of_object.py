from django.db import migrations, models

from tickethub.operations import AddIndexMeanwhile


class Migration(migrations.Migration):
    atomic = False  # so that events can be written meanwhile

    dependencies = [
        ('realtime', '0001_initial'),
    ]

    operations = [
        AddIndexMeanwhile(
            model_name='event',
            index=models.Index(condition=models.Q(('task_id', None)), fields=['object_id'], name='event_of_object'),
        ),
    ]
