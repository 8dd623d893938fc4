"""Who may do what in the database: the owner of the tables makes them, the role of the application writes rows.

What that role may not do follows from the models: an operation that a trigger always refuses it is not even granted.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pgtrigger
from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, OperationalError, connection, models, transaction
from psycopg import errors, sql

from config.env import BadSetting
from marketplace.common.triggers import UpdatedByTriggersAlone

log = logging.getLogger(__name__)
Rights = frozenset[str]
READ, WRITES = "SELECT", ("INSERT", "UPDATE", "DELETE")
ALL = (READ, *WRITES, "TRUNCATE", "REFERENCES", "TRIGGER")
ROLES_LOCK = 7_300_413  # any number of ours: one process at a time gives rights
BOOKS = "ledger_journal"

# Tables, sequences and definers' functions of ours: what belongs to others (extensions) is not ours to give.
OURS = """
    SELECT relname, relkind FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND pg_has_role(relowner, 'USAGE') ORDER BY relname
"""
DEFINERS = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND prokind = 'f'"
TOO_MIGHTY = """
    SELECT rolsuper OR rolbypassrls OR rolcreaterole OR EXISTS (
        SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_has_role(role.oid, relowner, 'MEMBER')
    ) OR has_schema_privilege(role.oid, 'public', 'CREATE') FROM pg_roles AS role WHERE rolname = %s
"""
NOT_IGNORED = """
    CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name name) RETURNS boolean
    LANGUAGE sql IMMUTABLE RETURN false
"""
MAY_CHANGE_THE_BOOKS = "SELECT coalesce(has_table_privilege(to_regclass(%s), 'UPDATE'), false)"


@contextmanager
def as_owner() -> Iterator[None]:
    """Within, the connection is the owner's of the tables; the same one where the application owns them itself."""
    before, owner = connection.settings_dict, settings.DATABASE_OF_OWNER
    if application() == owner["USER"]:
        yield
        return
    connection.close()
    connection.settings_dict = before | {key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before


def application() -> str:
    """The role of the application, as its address names it."""
    return str(settings.DATABASES["default"]["USER"])


def rights() -> dict[str, Rights]:
    """{table of a model: what the application may do with it}."""
    found: dict[str, Rights] = {}
    for model in apps.get_models(include_auto_created=True):
        found[model._meta.db_table] = frozenset({READ, *WRITES}) - refused_always(model)
    return found


def refused_always(model: type[models.Model]) -> Rights:
    """The operations that a trigger of the model refuses whatever the row."""
    refused = set()
    for trigger in getattr(model._meta, "triggers", ()):
        if trigger.condition is None and isinstance(trigger, (pgtrigger.Protect, UpdatedByTriggersAlone)):
            refused |= {str(each) for each in trigger.operation or ()}
    return frozenset(refused & set(WRITES))


def settle() -> str:
    """After migrations, as the owner: no session may have triggers ignored, and the application gets its rights.

    Answers what was done, for a person. Raises CommandError when the role would still be able to do more.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        cursor.execute(NOT_IGNORED)
        cursor.execute("SELECT current_user")
        owner = cursor.fetchone()[0]
    role = application()
    if role in {"", owner}:
        return "the application owns its tables and may change its books; DATABASE_OWNER_URL divides the two"
    make_role(role, settings.DATABASES["default"]["PASSWORD"])
    give_rights(role)
    return f"{role} may write rows and owns nothing"


def make_role(role: str, password: str = "") -> None:
    """Make the role where there is none; one that is there is left as it is. Raises CommandError when it may not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [role])
        if cursor.fetchone() is not None:
            return
    statement = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role))
    if password:  # its digest, as PostgreSQL keeps it: statements stand in logs
        server = connection.connection.pgconn
        digest = server.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        statement += sql.SQL(" PASSWORD {}").format(sql.Literal(digest))
    try:
        with transaction.atomic():
            _run(statement)
    except DatabaseError as error:
        if isinstance(error.__cause__, (errors.DuplicateObject, errors.UniqueViolation)):
            return  # somebody else made it, for another database of the same server
        raise CommandError(
            f"The role {role} of DATABASE_URL could not be made: {str(error).strip()}. "
            f"Mend: CREATE ROLE \"{role}\" LOGIN PASSWORD '…', as somebody who may."
        ) from error


@transaction.atomic
def give_rights(role: str) -> None:
    """Give the role what `rights` says and take everything else from it and from PUBLIC. Safe to repeat.

    Raises CommandError, having changed nothing, when it can still do more: by another role it is a member of.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        cursor.execute(OURS)
        ours = cursor.fetchall()
        cursor.execute(DEFINERS)
        definers = [name for (name,) in cursor.fetchall()]
    allowed = rights()
    tables = {name: allowed.get(name, frozenset({READ})) for name, kind in ours if kind != "S"}
    _give("SEQUENCE", {name: frozenset({READ, "USAGE"}) for name, kind in ours if kind == "S"}, role)
    _give("TABLE", tables, role)
    who = sql.Identifier(role)
    for name in definers:
        _run(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC, {}").format(sql.Identifier("public", name), who))
    _run(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(who))
    _run(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(who))
    base = sql.Identifier(connection.settings_dict["NAME"])
    _run(sql.SQL("REVOKE TEMPORARY, CREATE ON DATABASE {} FROM PUBLIC, {}").format(base, who))
    refuse_more(role, tables)


def _give(kind: str, things: Mapping[str, Rights], role: str) -> None:
    """Take all rights to `things` from everybody but their owner, then give each of them what is meant for it."""
    alike: dict[Rights, list[str]] = defaultdict(list)
    for name, each in things.items():
        alike[each].append(name)
    who = sql.Identifier(role)
    for each, names in alike.items():
        these = sql.SQL(", ").join(sql.Identifier("public", name) for name in names)
        given = sql.SQL(", ").join(map(sql.SQL, sorted(each)))
        _run(sql.SQL(f"REVOKE ALL ON {kind} {{}} FROM PUBLIC, {{}}").format(these, who))
        _run(sql.SQL(f"GRANT {{}} ON {kind} {{}} TO {{}}").format(given, these, who))


def refuse_more(role: str, tables: Mapping[str, Rights]) -> None:
    """Raises CommandError when the role may do more than is meant for it."""
    with connection.cursor() as cursor:
        cursor.execute(TOO_MIGHTY, [role])
        mighty = cursor.fetchone()[0]
        cursor.execute(
            "SELECT name, right_ FROM unnest(%s::text[]) AS name, unnest(%s::text[]) AS right_ "
            "WHERE has_table_privilege(%s, format('public.%%I', name), right_)",
            [list(tables), list(ALL), role],
        )
        more = [f"{right} on {name}" for name, right in cursor.fetchall() if right not in tables[name]]
    if mighty or more:
        reason = "it owns tables, may make some, or may take any rights" if mighty else ", ".join(more[:3])
        raise CommandError(
            f"The role {role} of DATABASE_URL can do more than the application should: {reason}. "
            "Mend: name a role of its own that is no superuser and member of no other."
        )


def refuse_owner() -> None:
    """At the start of a process that serves: raises BadSetting in production when its role may change the books.

    Elsewhere that is only said. A database that does not answer yet stops no start.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(MAY_CHANGE_THE_BOOKS, [BOOKS])
            may = cursor.fetchone()[0]
    except OperationalError as error:
        log.warning("the rights of the application were not looked at: %s", str(error).strip())
        return
    finally:
        connection.close()
    if may and settings.IN_PRODUCTION:
        raise BadSetting(
            'Environment variable "DATABASE_URL" names a role that may change the books. '
            "Mend: a role of its own there, the owner of the tables in DATABASE_OWNER_URL, then manage.py migrate."
        )
    if may:
        log.warning("the role of the application may change the books: see docs/how-to/divide-the-roles.md")


def _run(statement: sql.Composed | sql.SQL) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
