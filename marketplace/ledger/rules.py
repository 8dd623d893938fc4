"""What PostgreSQL itself refuses in the books, whoever writes: triggers of the ledger's tables.

A journal must balance by the end of its transaction, not after each entry, so that is looked at in deferred triggers:
of the journal, for one without entries, and of each entry, for one that came after somebody had the others looked at.
"""

import pgtrigger
from django.db.models import Q

from marketplace.common.triggers import OwnersTrigger, UpdatedByTriggersAlone
from marketplace.ledger.kinds import ACCOUNTS, ASSETS, MONEY, UNITS

REFUSE = "RAISE check_violation USING CONSTRAINT = '{name}', TABLE = TG_TABLE_NAME, MESSAGE = {message};"
BALANCED = """
    SELECT sum(asset.entries), bool_and(asset.amount = 0), bool_and(asset.name ~ CASE journal.book {forms} END)
    INTO entries, balances, belongs
    FROM ledger_journal AS journal LEFT JOIN (
        SELECT asset AS name, count(*) AS entries, sum(amount) AS amount FROM ledger_entry
        WHERE journal_id = NEW.{key} GROUP BY asset
    ) AS asset ON true
    WHERE journal.id = NEW.{key};
    IF coalesce(entries, 0) < 2 THEN {few} END IF;
    IF NOT balances THEN {unbalanced} END IF;
    IF NOT belongs THEN {elsewhere} END IF;
    RETURN NULL;
"""
FORMS = " ".join(f"WHEN '{book}' THEN '{ASSETS[book]}'" for book in (MONEY, UNITS))


def refuse(name: str, message: str) -> str:
    """The statement that ends the writer's with `message`, an expression, under the name of what it broke."""
    return REFUSE.format(name=name, message=message)


def as_its_kind() -> Q:
    """An account is owned, kept and of the side that its kind says: a balance that is not kept has no lower end."""
    fits = Q()
    for how in dict.fromkeys(ACCOUNTS.values()):
        kinds = tuple(kind for kind, each in ACCOUNTS.items() if each == how)
        fits |= Q(kind__in=kinds, normal=how.normal, kept=how.kept, owner__isnull=not how.owned)
    return fits


def balanced(name: str, key: str) -> pgtrigger.Trigger:
    """Looks, before the transaction ends, at the journal whose id the new row has in `key`."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        declare=[("entries", "bigint"), ("balances", "boolean"), ("belongs", "boolean")],
        func=BALANCED.format(
            key=key,
            forms=FORMS,
            few=refuse("journal_has_two_entries", f"format('journal %s has fewer than two entries', NEW.{key})"),
            unbalanced=refuse("journal_sums_to_zero", f"format('journal %s does not sum to zero', NEW.{key})"),
            elsewhere=refuse("entry_of_its_book", f"format('journal %s has an asset of another book', NEW.{key})"),
        ),
    )


def no_truncate(name: str) -> pgtrigger.Trigger:
    """Refuses to empty the table at once, which looks at no row."""
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func=refuse(name, "'the books are not emptied'"),
    )


def _before(name: str, operation: pgtrigger.Operation, func: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name=name, level=pgtrigger.Row, when=pgtrigger.Before, operation=operation, func=f"{func} RETURN NEW;"
    )


def _refused_if(wrong: str, name: str, message: str) -> str:
    return f"IF {wrong} THEN {refuse(name, message)} END IF;"


WRITTEN_BY = _before("journal_written_by", pgtrigger.Insert, "NEW.xid = pg_current_xact_id()::text::bigint;")
OF_ANOTHER = """(SELECT xid FROM ledger_journal WHERE id = NEW.journal_id)
    IS DISTINCT FROM pg_current_xact_id()::text::bigint"""
WHILE_OPEN = _before(
    "entry_while_its_journal_is_open",
    pgtrigger.Insert,
    _refused_if(OF_ANOTHER, "journal_is_closed", "format('journal %s is closed', NEW.journal_id)"),
)
BEGINS_AT_NOTHING = _before(
    "account_begins_at_nothing",
    pgtrigger.Insert,
    _refused_if("NEW.balance <> 0", "account_begins_at_nothing", "'only entries give an account a balance'"),
)
BALANCE_BY_ENTRIES = UpdatedByTriggersAlone(
    name="account_balance_by_entries",
    func=_refused_if(
        "NEW.balance <> OLD.balance AND pg_trigger_depth() < 2",
        "account_balance_by_entries",
        "'only entries move the balance of an account'",
    )
    + " RETURN NEW;",
)
MOVES_BALANCE = OwnersTrigger(
    name="entry_moves_balance",
    level=pgtrigger.Row,
    when=pgtrigger.After,
    operation=pgtrigger.Insert,
    func="""
        UPDATE ledger_account SET balance = balance + normal * NEW.amount WHERE id = NEW.account_id AND kept;
        RETURN NULL;
    """,
)
