"""Direct SQL as the role the product runs with: refused by grant, and what the grant leaves, by trigger.

The same attempts as the owner of the tables, whom only triggers refuse, are in test_books.py.
"""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.core.management import CommandError
from django.db import connection, transaction

from config.launcher.folders import APPLICATION
from config.roles import give_rights, make_role, rights
from marketplace.events.services import record
from marketplace.ledger.errors import InsufficientFunds
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Entry, Journal
from marketplace.ledger.services import balance_of, post, reverse
from scheduler.models import Allocation
from tests.application import as_application, prepare, sign_in
from tests.invariants.scene import Market, findings
from tests.ledger.test_books import ENTRY, account, clearing, sql, top_up
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db(transaction=True)
NOT_GRANTED, BY_CHECK, BY_PROTECT = "42501", "23514", "P0001"
JOURNAL = """
    INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, posted_at, actor, xid)
    VALUES ('jrn_sql', 'money', 'correction', 'r', false, now(), 'sql', 0) RETURNING id
"""
ACCOUNT = """
    INSERT INTO ledger_account (public_id, kind, owner_id, asset, livemode, normal, kept, balance)
    SELECT 'acc_sql', kind, owner_id, {asset}, livemode, normal, {kept}, {balance} FROM ledger_account
    WHERE kind = 'buyer_available'
"""
MOVES_BALANCE = "pgtrigger_entry_moves_balance_96056()"


@pytest.fixture
def wallet():
    prepare()
    wallet = account(make_organization(funds=0))
    top_up(wallet, 100)
    return wallet


@pytest.fixture
def server(wallet):
    with sign_in() as server:
        yield server


def refusal(server, *statements):
    """(SQLSTATE, constraint) with which the last statement, or its COMMIT, is refused."""
    with pytest.raises(psycopg.Error) as refused, server.transaction():
        for statement in statements:
            server.execute(statement)
    return refused.value.sqlstate, refused.value.diag.constraint_name


def facts():
    """All of the books, to see that nothing changed."""
    return [list(model.objects.order_by("pk").values()) for model in (Account, Journal, Entry)]


BOOKS = ("ledger_account", "ledger_journal", "ledger_entry")
FROZEN = (*BOOKS, "events_event", "booking_contract", "booking_usagerecord")


@pytest.mark.parametrize("table", FROZEN)
def test_what_is_append_only_is_not_changed_deleted_or_emptied(server, table):
    before = facts()
    for statement in (
        f"UPDATE {table} SET public_id = 'other'", f"UPDATE {table} SET id = id + 1", f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE", f"SELECT FROM {table} FOR UPDATE",
        f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET id = excluded.id",
        f"MERGE INTO {table} USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
    ):  # fmt: skip
        if table != "ledger_entry" or "public_id" not in statement:
            assert refusal(server, statement)[0] == NOT_GRANTED, statement
    assert facts() == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_account SET balance = balance + 1", "UPDATE ledger_account SET kept = false, balance = 0",
        "UPDATE ledger_entry SET amount = amount * 2", "UPDATE ledger_journal SET ref = 'other'",
        "UPDATE ledger_journal SET xid = pg_current_xact_id()::text::bigint",
    ],
)  # fmt: skip
def test_no_number_of_the_books_is_changed(server, change):
    before = facts()
    assert refusal(server, change)[0] == NOT_GRANTED
    assert facts() == before


@pytest.mark.parametrize(
    "attempt",
    [
        "ALTER TABLE ledger_entry DISABLE TRIGGER ALL", "ALTER TABLE ledger_journal DISABLE TRIGGER USER",
        "ALTER TABLE ledger_account DROP CONSTRAINT account_never_negative", "DROP TABLE ledger_entry",
        "SET session_replication_role = replica", "SET ROLE joulemart", "ALTER ROLE jm_app SUPERUSER",
        "GRANT joulemart TO jm_app", "CREATE ROLE another",
        "CREATE TABLE mine (id int)", "CREATE TEMPORARY TABLE mine (id int)", "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1", "CREATE VIEW mine AS SELECT 1",
        "CREATE OR REPLACE FUNCTION _pgtrigger_should_ignore(trigger_name name) RETURNS boolean RETURN true",
        "CREATE TRIGGER mine AFTER INSERT ON ledger_entry EXECUTE FUNCTION " + MOVES_BALANCE,
        "CREATE RULE mine AS ON INSERT TO ledger_entry DO INSTEAD NOTHING", "SELECT " + MOVES_BALANCE,
        "SELECT setval('ledger_journal_id_seq', 1)", "DELETE FROM django_migrations",
        "COPY ledger_journal TO PROGRAM 'cat'",
    ],
)  # fmt: skip
def test_the_rules_are_not_taken_off(server, attempt):
    assert refusal(server, attempt.replace("joulemart", connection.settings_dict["USER"]))[0] == NOT_GRANTED


def test_nobody_gives_himself_a_right(server):
    server.execute("GRANT UPDATE, DELETE ON ledger_journal TO jm_app")  # PostgreSQL warns, and does nothing
    assert refusal(server, "UPDATE ledger_journal SET ref = 'other'")[0] == NOT_GRANTED


def test_an_unbalanced_journal_does_not_commit(server, wallet):
    clear = clearing()

    def entries(*amounts, asset="USD"):
        for where, amount in zip((wallet, clear), amounts, strict=False):
            yield (
                "INSERT INTO ledger_entry (journal_id, account_id, asset, livemode, amount) "
                f"SELECT max(id), {where.pk}, '{asset}', false, {amount} FROM ledger_journal"
            )

    look = "SET CONSTRAINTS ALL IMMEDIATE"
    every = "SELECT set_config('pgtrigger.ignore', array_agg(tgname)::text, true) FROM pg_trigger"
    assert refusal(server, JOURNAL) == (BY_CHECK, "journal_has_two_entries")
    assert refusal(server, JOURNAL, *entries(-5)) == (BY_CHECK, "journal_has_two_entries")
    assert refusal(server, JOURNAL, *entries(-5, 4)) == (BY_CHECK, "journal_sums_to_zero")
    assert refusal(server, every, JOURNAL, *entries(-5, 4)) == (BY_CHECK, "journal_sums_to_zero")
    held = account(wallet.owner, "buyer_held")
    late = next(entries(-5)).replace(str(wallet.pk), str(held.pk), 1)
    before = facts()
    assert refusal(server, JOURNAL, *entries(-5, 5), look, late) == (BY_CHECK, "journal_sums_to_zero")
    assert refusal(server, JOURNAL.replace("'money'", "'CU'"), *entries(-5, 5)) == (BY_CHECK, "entry_of_its_book")
    assert refusal(server, JOURNAL, *entries(-5, 5, asset="EUR"))[1] == "entry_of_its_account"
    assert refusal(server, *entries(-5, 5)) == (BY_CHECK, "journal_is_closed")
    assert facts() == before


def test_nobody_is_overdrawn(server, wallet):
    before = facts()
    spend = [
        "INSERT INTO ledger_entry (journal_id, account_id, asset, livemode, amount) "
        f"SELECT max(id), {where.pk}, 'USD', false, {amount} FROM ledger_journal"
        for where, amount in ((wallet, 101), (clearing(), -101))
    ]
    assert refusal(server, JOURNAL, *spend) == (BY_CHECK, "account_never_negative")
    assert facts() == before


def test_a_fact_is_not_doubled(server):
    before = facts()
    again = """
        INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, posted_at, actor, xid)
        SELECT 'jrn_again', book, kind, ref, livemode, posted_at, actor, xid FROM ledger_journal
    """
    assert refusal(server, again) == ("23505", "journal_once_per_fact")
    assert facts() == before


def test_no_account_begins_with_money_or_as_another_kind(server):
    before = facts()
    given = ACCOUNT.format(asset="'EUR'", kept="true", balance="100")
    unkept = ACCOUNT.format(asset="'EUR'", kept="false", balance="0")
    second = ACCOUNT.format(asset="asset", kept="true", balance="0")
    assert refusal(server, given) == (BY_CHECK, "account_begins_at_nothing")
    assert refusal(server, unkept) == (BY_CHECK, "account_is_as_its_kind")
    assert refusal(server, second) == ("23505", "account_once")
    assert facts() == before


@pytest.mark.parametrize(
    ("grant", "change", "then"),
    [
        ("UPDATE ON ledger_journal", "UPDATE ledger_journal SET ref = 'other'", BY_PROTECT),
        ("DELETE ON ledger_entry", "DELETE FROM ledger_entry", BY_PROTECT),
        ("UPDATE ON ledger_account", "UPDATE ledger_account SET balance = balance + 1", BY_CHECK),
        ("TRUNCATE ON ledger_entry, ledger_payline", "TRUNCATE ledger_entry, ledger_payline", BY_CHECK),
        ("UPDATE ON events_event", "UPDATE events_event SET type = 'other'", BY_PROTECT),
    ],
)
def test_the_control_with_the_grant_is_stopped_by_a_trigger_alone(server, grant, change, then):
    """So the attempts above do meet the grant, and the next migration takes a stray one back."""
    record("job.queued", object_id="job_1", seq=1, now=NOON)
    assert refusal(server, change)[0] == NOT_GRANTED
    sql(f"GRANT {grant} TO {APPLICATION}")
    assert refusal(server, change)[0] == then
    give_rights(APPLICATION)
    assert refusal(server, change)[0] == NOT_GRANTED


@pytest.mark.parametrize("callable_", [False, True], ids=["as it is", "the control in which all may call it"])
def test_the_owners_function_is_not_hung_onto_a_table_of_ones_own(server, wallet, callable_):
    """A trigger on a temporary table with the columns of an entry would move any balance by nothing at all."""
    sql(f"GRANT TEMPORARY ON DATABASE {connection.settings_dict['NAME']} TO {APPLICATION}")
    if callable_:
        sql(f"GRANT EXECUTE ON FUNCTION {MOVES_BALANCE} TO {APPLICATION}")
    theft = (
        "CREATE TEMPORARY TABLE mine (account_id bigint, amount bigint)",
        f"CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION {MOVES_BALANCE}",
        f"INSERT INTO mine VALUES ({wallet.pk}, -900)",
    )
    try:
        if callable_:
            for statement in theft:
                server.execute(statement)
        else:
            assert refusal(server, *theft)[0] == NOT_GRANTED
        assert balance_of(wallet) == (1000 if callable_ else 100)
    finally:
        server.execute("DROP TABLE IF EXISTS mine")
        give_rights(APPLICATION)


def test_a_schema_in_front_of_ours_does_not_lead_the_owners_function_astray(server, wallet):
    """Its search path is fixed: a table that merely has the name of ours is never written in its place."""
    sql(f"GRANT TEMPORARY ON DATABASE {connection.settings_dict['NAME']} TO {APPLICATION}")
    server.execute("CREATE TEMPORARY TABLE ledger_account AS SELECT * FROM public.ledger_account")
    server.execute("SET search_path = pg_temp, public")
    with server.transaction():
        [[journal]] = server.execute(JOURNAL).fetchall()
        for where, amount in ((wallet, 5), (clearing(), -5)):
            server.execute(ENTRY, [journal, where.pk, "USD", False, amount])

    assert balance_of(wallet) == 95
    give_rights(APPLICATION)


def test_the_application_posts_spends_and_undoes_as_it_should(wallet):
    with as_application():
        held = account(wallet.owner, "buyer_held")
        hold = post(kind="hold", ref="hld_1", lines=[debit(wallet, 40), credit(held, 40)], now=NOON, actor="test")
        assert (balance_of(wallet), balance_of(held)) == (60, 40)
        with pytest.raises(InsufficientFunds):
            post(kind="hold", ref="hld_2", lines=[debit(wallet, 61), credit(held, 61)], now=NOON, actor="test")
        reverse(journal=hold, now=NOON, actor="test")

        assert (balance_of(wallet), balance_of(held), balance_of(clearing())) == (100, 0, 100)
    assert all(each.balance == each.summed for each in Account.objects.with_sum().filter(kept=True))


def test_eight_writers_of_the_application_never_overdraw(wallet):
    held = account(wallet.owner, "buyer_held")

    def spend(writer):
        done = 0
        with as_application():
            for number in range(10):
                lines = [debit(wallet, 3), credit(held, 3)]
                try:
                    post(kind="hold", ref=f"{writer}:{number}", lines=lines, now=NOON, actor="test")
                    done += 1
                except InsufficientFunds:
                    pass
        return done

    with ThreadPoolExecutor(8) as writers:
        done = sum(writers.map(spend, range(8)))

    assert (done, balance_of(wallet), balance_of(held)) == (33, 1, 99)


def test_a_market_at_work_needs_no_more_than_the_application_may():
    """Jobs, rounds, leases, a gang, a notice, a reservation, money: what the scene does, it does as that role."""
    prepare()
    with as_application():
        market = Market()
        code, found = findings()

        assert Allocation.objects.filter(job=market.done).exists()
        assert (code, [each for each in found.values() if each["anomalies_total"]]) == (0, [])


def test_what_a_trigger_always_refuses_is_granted_nowhere():
    """Read from the catalog of the database and not from the models: a new append-only table is covered too."""
    prepare()
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT tgrelid::regclass::text, array_remove(ARRAY[
                CASE WHEN tgtype & 16 > 0 THEN 'UPDATE' END, CASE WHEN tgtype & 8 > 0 THEN 'DELETE' END], NULL)
            FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE prosrc ~ 'pgtrigger: Cannot' AND tgqual IS NULL AND tgattr = '' AND tgenabled = 'O'
        """)
        refused = {(table, operation) for table, operations in cursor.fetchall() for operation in operations}
        cursor.execute(
            """
            SELECT relname, operation
            FROM pg_class, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS operation
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_table_privilege(%s, oid, operation)
            """,
            [APPLICATION],
        )
        granted = set(cursor.fetchall())

    assert {(table, operation) for table in FROZEN[1:] for operation in ("UPDATE", "DELETE")} <= refused
    assert granted & refused == set()
    assert not [table for table, operation in granted if operation == "TRUNCATE"]
    assert {("scheduler_job", "UPDATE"), ("accounts_membership", "DELETE"), ("ledger_entry", "INSERT")} <= granted
    assert ("ledger_account", "UPDATE") not in granted


@pytest.mark.parametrize("might", ["GRANT pg_write_all_data TO {}", "ALTER ROLE {} BYPASSRLS", "GRANT {owner} TO {}"])
def test_a_role_that_can_do_more_is_refused_and_given_nothing(might):
    owner, name = connection.settings_dict["USER"], f"jm_mighty_{connection.settings_dict['NAME'][-12:]}"
    make_role(name)
    try:
        sql(might.format(name, owner=owner))
        with pytest.raises(CommandError, match="can do more than the application should"):
            give_rights(name)
        with connection.cursor() as cursor:
            cursor.execute("SELECT bool_or(relacl::text LIKE %s) FROM pg_class", [f"%{name}%"])
            assert cursor.fetchone() == (False,)
    finally:
        sql(f"DROP OWNED BY {name}")
        sql(f"DROP ROLE {name}")


def test_rights_are_given_for_every_table_of_a_model():
    prepare()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        tables = {name for (name,) in cursor.fetchall()}
    assert tables - set(rights()) == {"django_migrations"}
