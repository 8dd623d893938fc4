"""M1, M2, M4, M5, M8: the books, added up again from their entries."""

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

JOURNALS = "SELECT count(*) FROM ledger_journal"
ENTRIES = "SELECT count(*) FROM ledger_entry"
ACCOUNTS = "SELECT count(*) FROM ledger_account"

M1 = Check(
    id="M1",
    promise=_("a journal has two entries or more, sums to zero for each asset, and stays in its book"),
    rows=JOURNALS,
    queries=(
        """
        SELECT j.public_id, 'two entries or more', count(e.id)::text
        FROM ledger_journal j LEFT JOIN ledger_entry e ON e.journal_id = j.id
        GROUP BY j.id HAVING count(e.id) < 2 ORDER BY j.id
        """,
        """
        SELECT j.public_id || ' ' || e.asset, '0', sum(e.amount)::text
        FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id
        GROUP BY j.id, e.asset HAVING sum(e.amount) <> 0 ORDER BY j.id
        """,
        """
        SELECT j.public_id, 'assets of ' || j.book, e.asset
        FROM ledger_journal j JOIN ledger_entry e ON e.journal_id = j.id
        WHERE (j.book = 'CU') <> (e.asset LIKE 'CU:%%') ORDER BY e.id
        """,
    ),
    corrupt=("UPDATE ledger_entry SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_entry)",),
)
M2 = Check(
    id="M2",
    promise=_("a journal that undoes another moves all of it back, and no other does so too"),
    rows=JOURNALS,
    queries=(
        """
        SELECT back.public_id || ' account ' || touched.account_id, coalesce(-e.amount, 0), coalesce(b.amount, 0)
        FROM ledger_journal back JOIN ledger_journal j ON j.id = back.reverses_id
        CROSS JOIN LATERAL (
            SELECT account_id FROM ledger_entry WHERE journal_id IN (j.id, back.id) GROUP BY account_id
        ) touched
        LEFT JOIN ledger_entry e ON e.journal_id = j.id AND e.account_id = touched.account_id
        LEFT JOIN ledger_entry b ON b.journal_id = back.id AND b.account_id = touched.account_id
        WHERE coalesce(e.amount, 0) <> -coalesce(b.amount, 0) ORDER BY back.id
        """,
        """
        SELECT j.public_id, 'undone once', count(*)::text
        FROM ledger_journal j JOIN ledger_journal back ON back.reverses_id = j.id
        GROUP BY j.id HAVING count(*) > 1 ORDER BY j.id
        """,
    ),
    corrupt=(
        "UPDATE ledger_entry SET amount = 2 * amount WHERE id = (SELECT min(e.id) FROM ledger_entry e "
        "JOIN ledger_journal j ON j.id = e.journal_id WHERE j.reverses_id IS NOT NULL)",
    ),
)
M4 = Check(
    id="M4",
    promise=_("an entry has the asset and the mode of its account and the mode of its journal"),
    rows=ENTRIES,
    queries=(
        """
        SELECT e.id, coalesce(a.asset || ' ' || a.livemode || ' ' || j.livemode, 'an account and a journal'),
               e.asset || ' ' || e.livemode
        FROM ledger_entry e
        LEFT JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_journal j ON j.id = e.journal_id
        WHERE (e.asset, e.livemode, e.livemode) IS DISTINCT FROM (a.asset, a.livemode, j.livemode) ORDER BY e.id
        """,
    ),
    corrupt=(
        "ALTER TABLE ledger_entry DROP CONSTRAINT entry_of_its_account, DROP CONSTRAINT entry_of_its_journal",
        "UPDATE ledger_entry SET livemode = NOT livemode WHERE id = (SELECT min(id) FROM ledger_entry)",
    ),
)
M5 = Check(
    id="M5",
    promise=_("no account whose balance is kept is below zero"),
    rows=ACCOUNTS,
    queries=(
        """
        SELECT a.public_id, '0 or more', coalesce(a.normal * sum(e.amount), 0)::text
        FROM ledger_account a LEFT JOIN ledger_entry e ON e.account_id = a.id
        WHERE a.kept GROUP BY a.id HAVING least(a.balance, a.normal * coalesce(sum(e.amount), 0)) < 0 ORDER BY a.id
        """,
    ),
    corrupt=(
        "ALTER TABLE ledger_account DROP CONSTRAINT account_never_negative",
        "UPDATE ledger_account SET balance = -1 WHERE id = (SELECT min(id) FROM ledger_account WHERE kept)",
    ),
)
M8 = Check(
    id="M8",
    promise=_("the balance on the row of an account is the sum of its entries, or nothing where none is kept"),
    rows=ACCOUNTS,
    queries=(
        """
        SELECT a.public_id, CASE WHEN a.kept THEN a.normal * coalesce(sum(e.amount), 0) ELSE 0 END, a.balance
        FROM ledger_account a LEFT JOIN ledger_entry e ON e.account_id = a.id
        GROUP BY a.id HAVING a.balance <> CASE WHEN a.kept THEN a.normal * coalesce(sum(e.amount), 0) ELSE 0 END
        ORDER BY a.id
        """,
    ),
    corrupt=(
        "UPDATE ledger_account SET balance = balance + 1 WHERE id = (SELECT min(id) FROM ledger_account WHERE kept)",
    ),
)
CHECKS = (M1, M2, M4, M5, M8)
