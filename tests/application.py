"""The role of the application in the database under test, beside the owner whom the tests are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from config.launcher.folders import APPLICATION
from config.roles import give_rights, make_role


def prepare() -> None:
    """The role is there and has its rights, as after `manage.py migrate`."""
    make_role(APPLICATION)
    give_rights(APPLICATION)


@contextmanager
def as_application() -> Iterator[None]:
    """Within, Django's connection is the application's."""
    owner = connection.settings_dict
    connection.close()
    connection.settings_dict = owner | {"USER": APPLICATION}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = owner


def sign_in() -> psycopg.Connection[Any]:
    """A connection of the application beside Django's; every statement is a transaction."""
    asked = connection.get_connection_params()
    at = {name: asked[name] for name in ("host", "port", "dbname") if asked.get(name)}
    return psycopg.connect(**at, user=APPLICATION, autocommit=True)
