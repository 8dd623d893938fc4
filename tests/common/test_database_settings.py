"""How the product meets its database."""

from pathlib import Path

import pytest
from django.db import connection

from config import env

NOWHERE = Path("/nowhere")


@pytest.mark.django_db
def test_nothing_is_compiled_for_a_query():
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)


def test_options_of_the_address_are_kept_as_they_are(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example/market?options=-c%20work_mem%3D8MB")

    assert env.database(NOWHERE)["OPTIONS"]["options"] == "-c work_mem=8MB"
