"""A database of its own for a benchmark, beside the one that DATABASE_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


@contextmanager
def own_database(*, migrated: bool = True) -> Iterator[None]:
    """Django on a fresh database, which is dropped in the end; processes started meanwhile find it in DATABASE_URL."""
    from config.settings import DATABASES  # noqa: PLC0415  (reads DATABASE_URL, or the embedded server's socket)

    name, before = f"joulemart_benchmark_{os.getpid()}", os.environ.get("DATABASE_URL")
    given = before or _address(DATABASES["default"])
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        try:
            with _connected(name, migrated=migrated):
                yield
        finally:
            os.environ["DATABASE_URL"] = given
            if before is None:
                del os.environ["DATABASE_URL"]
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _connected(name: str, *, migrated: bool) -> Iterator[None]:
    import django  # noqa: PLC0415

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    connections["default"].settings_dict["NAME"] = name
    try:
        if migrated:
            call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        connections.close_all()


def _address(database: dict[str, Any]) -> str:
    return f"postgresql://{database['USER']}@{database['HOST'].replace('/', '%2F')}/{database['NAME']}"
