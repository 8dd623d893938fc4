"""The schema that the migrations leave is the one the models state: a constraint can be lost on the way unseen."""

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db
MODELS = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_constraint_and_index_of_a_model_is_in_the_database(model):
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)

    stated = {each.name for each in (*model._meta.constraints, *model._meta.indexes)}

    assert stated - set(there) == set()
