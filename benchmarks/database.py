"""A database of its own for a benchmark, beside the one that DATABASE_URL names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

ADDRESSES = ("DATABASE_OWNER_URL", "DATABASE_URL")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


@contextmanager
def own_database(*, migrated: bool = True) -> Iterator[None]:
    """Django on a fresh database, which is dropped in the end; processes started meanwhile find it in DATABASE_URL.

    Made and used by the owner: DATABASE_OWNER_URL where it is set, DATABASE_URL, or the embedded server's.
    """
    from config.launcher.folders import DataFolder  # noqa: PLC0415

    name, before = f"joulemart_benchmark_{os.getpid()}", {each: os.environ.get(each) for each in ADDRESSES}
    given = next(filter(None, before.values()), None) or DataFolder.from_environment().owner_url
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        os.environ.pop("DATABASE_OWNER_URL", None)
        os.environ["DATABASE_URL"] = urlunsplit(urlsplit(given)._replace(path=f"/{name}"))
        try:
            with _connected(migrated=migrated):
                yield
        finally:
            del os.environ["DATABASE_URL"]
            os.environ.update({each: url for each, url in before.items() if url is not None})
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _connected(*, migrated: bool) -> Iterator[None]:
    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    from config.env import database  # noqa: PLC0415

    connections["default"].settings_dict.update(database(settings.DATA_DIR))
    try:
        if migrated:
            call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        connections.close_all()
