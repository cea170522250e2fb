from django.db import migrations
from django.db.models import CharField, F
from django.db.models.functions import Cast


def keep_ids(apps, schema_editor):
    """Leave projects that were imported into the key that their tasks' ids were made with: they are known by it."""
    tasks = apps.get_model('tasks', 'Task').objects.annotate(text=Cast('pk', CharField(max_length=36)))
    imported = tasks.filter(text__regex=r'^[0-9a-f]{8}-?[0-9a-f]{4}-?5').values_list('project', flat=True).distinct()
    apps.get_model('projects', 'Project').objects.filter(pk__in=list(imported)).update(import_key=F('pk'))


class Migration(migrations.Migration):

    dependencies = [
        ('projects', '0005_import_key'),
        ('tasks', '0011_index_of_sqlite'),
    ]

    operations = [
        migrations.RunPython(keep_ids, migrations.RunPython.noop),
    ]
