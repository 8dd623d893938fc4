"""The two roles of the database: how each is named, who uses which, and what a start says of it."""

import logging
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.idempotency import Answer, once
from config import env, roles
from config.env import BadSetting
from config.launcher.folders import APPLICATION, CHECKOUT, DataFolder
from tests.application import as_application, prepare
from tests.common.test_database_settings import NOWHERE
from tests.market import NOON

OURS, OWNERS = "postgresql://jm_app@db.example/market", "postgresql://owner:secret@db.example/market"


@pytest.fixture
def unset(monkeypatch):
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def users():
    return env.database(NOWHERE)["USER"], env.database_of_owner(NOWHERE)["USER"]


def test_the_embedded_database_has_both_roles(unset):
    assert users() == ("jm_app", "joulemart")
    assert "/joulemart" in DataFolder(NOWHERE).owner_url


def test_one_address_is_of_both_and_a_second_is_of_the_owner(unset):
    unset.setenv("DATABASE_URL", OURS)
    assert users() == ("jm_app", "jm_app")
    unset.setenv("DATABASE_OWNER_URL", OWNERS)
    assert users() == ("jm_app", "owner")


@pytest.mark.parametrize(("ours", "owners"), [(OURS, OWNERS + "2"), ("", OWNERS), (OURS, "mysql://owner@h/market")])
def test_the_owner_of_another_database_is_refused(unset, ours, owners):
    unset.setenv("DATABASE_URL", ours)
    unset.setenv("DATABASE_OWNER_URL", owners)
    with pytest.raises(BadSetting, match="DATABASE_OWNER_URL"):
        env.database_of_owner(NOWHERE)


def who():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return cursor.fetchone()[0]


@pytest.fixture
def divided(transactional_db, settings, monkeypatch):
    """As in the product: the connection is the application's, the owner has an address of his own."""
    prepare()
    settings.DATABASE_OF_OWNER = dict(connection.settings_dict)
    monkeypatch.setattr(roles, "application", lambda: APPLICATION)
    with as_application():
        yield settings.DATABASE_OF_OWNER["USER"]


def test_migrations_are_the_owners_and_everything_else_the_applications(divided, capsys):
    with roles.as_owner():
        assert who() == divided
    assert who() == APPLICATION

    call_command("migrate")

    assert f"rights: {APPLICATION} may write rows and owns nothing" in capsys.readouterr().out
    assert who() == APPLICATION


def test_a_migration_gives_back_the_rights_that_somebody_changed(divided):
    with roles.as_owner(), connection.cursor() as cursor:
        cursor.execute(f"GRANT UPDATE ON ledger_journal TO {APPLICATION}")
        cursor.execute(f"REVOKE INSERT ON ledger_journal FROM {APPLICATION}")

    call_command("migrate", verbosity=0)

    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('ledger_journal', 'UPDATE'), "
                       "has_table_privilege('ledger_journal', 'INSERT')")  # fmt: skip
        assert cursor.fetchone() == (False, True)


def test_the_self_test_of_the_checks_runs_as_the_owner(divided, capsys):
    once(actor="org_a", key="one", fingerprint="f", now=NOON, effect=lambda: Answer(status=201, body={}))

    call_command("verify_invariants", "--self-test", "--only", "A1")

    assert "A1  reports its broken row" in capsys.readouterr().out
    assert who() == APPLICATION


def test_a_start_as_the_application_says_nothing(divided, caplog):
    roles.refuse_owner()
    assert caplog.records == []


def test_a_start_as_the_owner_is_told_about_and_refused_in_production(transactional_db, settings, caplog):
    with caplog.at_level(logging.WARNING):
        roles.refuse_owner()
    assert "may change the books" in caplog.text

    settings.IN_PRODUCTION = True
    with pytest.raises(BadSetting, match="DATABASE_OWNER_URL"):
        roles.refuse_owner()


def test_a_database_that_does_not_answer_stops_no_start(transactional_db, settings, caplog):
    before, settings.IN_PRODUCTION = connection.settings_dict, True
    connection.close()
    connection.settings_dict = before | {"HOST": "/nowhere"}
    try:
        roles.refuse_owner()
    finally:
        connection.settings_dict = before
    assert "were not looked at" in caplog.text


@pytest.mark.parametrize("program", [["-c", "import config.wsgi"], ["-c", "import config.asgi"],
                                     ["-m", "celery", "-A", "config", "worker", "--pool", "solo"]])  # fmt: skip
def test_in_production_no_process_that_serves_starts_as_the_owner(transactional_db, program):
    stopped = subprocess.run(
        [sys.executable, *program], cwd=CHECKOUT, env=os.environ | {"WEB_URL": "https://market.example"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert stopped.returncode == 1, stopped.stderr
    assert "names a role that may change the books" in stopped.stderr.splitlines()[-1]
    assert "Traceback" not in stopped.stderr
