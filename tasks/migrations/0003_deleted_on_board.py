from django.db import migrations, models

# Boards that were there before: a number that no task has is of one that was deleted.
COUNT = """
    UPDATE tasks_board SET deleted = last_number - (
        SELECT COUNT(*) FROM tasks_task WHERE tasks_task.project_id = tasks_board.project_id
    )
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0002_spent_ids'),
    ]

    operations = [
        migrations.AddField(
            model_name='board',
            name='deleted',
            field=models.PositiveIntegerField(db_default=0, help_text='How many of those numbers are of deleted tasks.'),
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
