from django.db import migrations, models

from tickethub.operations import AddIndexMeanwhile


class Migration(migrations.Migration):
    atomic = False  # so that comments can be written meanwhile

    dependencies = [
        ('comments', '0001_initial'),
    ]

    operations = [
        AddIndexMeanwhile(
            model_name='comment',
            index=models.Index(fields=['created_at', 'id'], name='comment_oldest_of_all'),
        ),
    ]
