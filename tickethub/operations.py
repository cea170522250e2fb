"""Operations of migrations that run while processes of the version before go on."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import AddIndex


class AddIndexMeanwhile(AddIndexConcurrently):
    """Add an index while rows are written, which PostgreSQL can. It takes a migration with `atomic = False`."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX IF EXISTS {self.index.name}")  # that a broken attempt left unfinished
        self.parent(schema_editor).database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        self.parent(schema_editor).database_backwards(self, app_label, schema_editor, from_state, to_state)

    @staticmethod
    def parent(schema_editor):
        return AddIndexConcurrently if schema_editor.connection.vendor == "postgresql" else AddIndex
