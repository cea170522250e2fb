"""The database has what the models say of it: Django drops some conditional constraints with an index beside them."""

import pytest
from django.apps import apps
from django.db import connection

OURS = {"accounts", "projects", "tasks", "comments", "realtime"}
MODELS = [model for model in apps.get_models() if model._meta.app_label in OURS and model._meta.managed]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.django_db
def test_it_has_all_constraints_and_indexes(model):
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)
    assert {each.name for each in [*model._meta.constraints, *model._meta.indexes]} <= there.keys()
