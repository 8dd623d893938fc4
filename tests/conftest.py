"""The test database: migrated once into a template, then cloned for every process that tests (0.2 s each).

Migrations run for real, since triggers and constraints live in them. Templates are named after what made them, so a
changed migration makes a new one. `DATABASE_URL` says where; `make test` starts a cluster of its own for it.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as examples
from psycopg import sql

from scheduler import references
from scheduler.core.warm import warm

ROOT = Path(__file__).resolve().parent.parent
# No test is timed: a busy machine draws examples slowly.
examples.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("untimed")
TEMPLATE_LOCK = 7_300_411  # any number of ours: one process at a time makes the template


def maintenance_connection() -> psycopg.Connection[Any]:
    """A connection outside the database under test, able to create and drop databases."""
    asked = connection.get_connection_params()
    params = {name: asked[name] for name in ("user", "password", "host", "port") if asked.get(name)}
    try:
        return psycopg.connect(**params, dbname="postgres", autocommit=True)
    except psycopg.OperationalError as error:
        pytest.exit(f"No PostgreSQL for the tests ({error}).\nRun `make test`, or `make services` beside pytest.", 4)


def what_makes_the_schema() -> str:
    """A digest of all migrations of this project, of what follows them, and of the packages that bring their own."""
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes() + (ROOT / "config" / "roles.py").read_bytes())
    for app in apps.get_app_configs():
        folder = Path(app.path)
        if folder.is_relative_to(ROOT) and ".venv" not in folder.parts:
            for path in sorted(folder.glob("migrations/*.py")):
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def use_database(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def run(server: psycopg.Connection[Any], statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]


def make_template(server: psycopg.Connection[Any]) -> str:
    """The name of a migrated database, made now when no earlier run left one."""
    template = f"joulemart_template_{what_makes_the_schema()}"
    server.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
    try:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            unfinished = f"{template}_unfinished"
            run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", unfinished)
            run(server, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", unfinished)
            use_database(unfinished)
            call_command("migrate", verbosity=0, interactive=False)
            connection.close()
            run(server, "ALTER DATABASE {} RENAME TO {}", unfinished, template)
    finally:
        server.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
    return template


def address_of(name: str) -> str:
    """DATABASE_URL of `name`, for the processes that a test starts."""
    at = connection.settings_dict | connection.settings_dict.get("OPTIONS", {})
    host, port = str(at.get("host") or at["HOST"]), at.get("port") or at["PORT"]
    login = quote(at["USER"] or "", safe="") + (f":{quote(at['PASSWORD'], safe='')}" if at["PASSWORD"] else "")
    return f"postgresql://{login}@{quote(host, safe='')}{f':{port}' if port else ''}/{name}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Clone the template for this process; tests and the processes they start see only the clone."""
    before = settings.DATABASES["default"]["NAME"]
    name = f"test_joulemart_{os.getpid()}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    warm()  # a round inside a test's transaction must not wait for the compiler: the server ends idle ones after 60 s
    with django_db_blocker.unblock(), maintenance_connection() as server:
        template = make_template(server)
        run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        run(server, "CREATE DATABASE {} TEMPLATE {}", name, template)
        use_database(name)
        patch = pytest.MonkeyPatch()
        patch.setenv("DATABASE_URL", address_of(name))
        yield
        patch.undo()
        use_database(before)
        run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@pytest.fixture(scope="session", autouse=True)
def books_are_emptied_between_tests() -> Iterator[None]:
    """Tests whose transactions are real end with TRUNCATE, which the ledger refuses everybody."""
    empty = DatabaseOperations.sql_flush

    def sql_flush(self: Any, style: Any, tables: list[str], **options: Any) -> list[str]:
        books = [name for name in tables if name.startswith("ledger_")]
        off, on = ([f'ALTER TABLE "{name}" {how} TRIGGER USER' for name in books] for how in ("DISABLE", "ENABLE"))
        return [*off, *empty(self, style, tables, **options), *on]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the running product share one xdist worker, so that it is started once."""
    for item in items:
        if item.get_closest_marker("running"):
            item.add_marker(pytest.mark.xdist_group("running"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that was skipped for want of a Debian package is a failure: there it can be installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return
    reasons = {str(report.longrepr) for report in reporter.stats.get("skipped", []) if "Debian" in str(report.longrepr)}
    if reasons:
        reporter.write_line(f"skipped in CI, which is a failure there: {'; '.join(sorted(reasons))}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Every test finds an empty database and a page in English, whatever the one before knew or spoke."""
    references._known.clear()
    translation.deactivate()
