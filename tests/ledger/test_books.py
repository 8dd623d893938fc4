"""The books: what is posted, what is refused, and that nothing but a balanced journal ever gets in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from marketplace.ledger.errors import InsufficientFunds, JournalConflict
from marketplace.ledger.lines import Line, credit, debit
from marketplace.ledger.models import Account, Entry, Journal
from marketplace.ledger.services import NEVER_NEGATIVE, account_of, balance_of, post, reverse
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer():
    return make_organization(funds=0)


@pytest.fixture
def wallet(buyer):
    return account(buyer)


def account(owner, kind="buyer_available", asset="USD", livemode=False):
    return account_of(kind=kind, owner=owner, asset=asset, livemode=livemode)


def clearing(asset="USD", livemode=False):
    return account_of(kind="stripe_clearing", owner=None, asset=asset, livemode=livemode)


def top_up(wallet, amount, ref="pi_1"):
    lines = [debit(clearing(wallet.asset, wallet.livemode), amount), credit(wallet, amount)]
    return post(kind="topup", ref=ref, lines=lines, now=NOON, actor="test")


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def settle():
    """Have the deferred promises looked at now, as COMMIT would."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_topup_makes_money_available_and_a_hold_sets_it_aside(buyer, wallet):
    top_up(wallet, 10_000)
    held = account(buyer, "buyer_held")
    post(kind="hold", ref="hld_1", lines=[debit(wallet, 2_388), credit(held, 2_388)], now=NOON, actor="test")
    settle()

    assert [balance_of(each) for each in (wallet, held, clearing())] == [7_612, 2_388, 10_000]
    assert list(Journal.objects.values_list("book", "kind", "ref")) == [
        ("money", "topup", "pi_1"),
        ("money", "hold", "hld_1"),
    ]


def test_the_same_fact_is_written_once_and_another_of_its_name_is_refused(wallet):
    first = top_up(wallet, 10_000)

    assert top_up(wallet, 10_000) == first
    with pytest.raises(JournalConflict, match=first.public_id):
        top_up(wallet, 9_999)

    assert balance_of(wallet) == 10_000
    assert Journal.objects.count() == 1


def test_nobody_spends_more_than_is_there_and_is_told_how_much_that_is(buyer, wallet):
    top_up(wallet, 100)

    lines = [debit(wallet, 101), credit(account(buyer, "buyer_held"), 101)]
    with pytest.raises(InsufficientFunds) as refused:
        post(kind="hold", ref="hld_1", lines=lines, now=NOON, actor="test")

    assert refused.value.facts == {"asset": "USD", "available": 100, "needed": 101}
    assert (balance_of(wallet), Journal.objects.count()) == (100, 1)


def test_a_journal_is_undone_once_by_one_that_moves_everything_back(wallet):
    journal = top_up(wallet, 100)

    undone = reverse(journal=journal, now=NOON, actor="test")

    assert reverse(journal=journal, now=NOON + timedelta(hours=1), actor="test") == undone
    assert (undone.reverses, balance_of(wallet), balance_of(clearing())) == (journal, 0, 0)


def test_compute_units_are_counted_as_money_is_in_a_book_of_their_own(buyer):
    saved, held = account(buyer, asset="CU:h100-sxm"), account(buyer, "buyer_held", "CU:h100-sxm")
    source = account_of(kind="suspense", owner=None, asset="CU:h100-sxm", livemode=False)
    post(kind="suspense", ref="deposit_1", lines=[debit(source, 5), credit(saved, 5)], now=NOON, actor="test")
    post(kind="hold", ref="hld_1", lines=[debit(saved, 2), credit(held, 2)], now=NOON, actor="test")

    assert (balance_of(saved), balance_of(held)) == (3, 2)
    assert set(Journal.objects.values_list("book", flat=True)) == {"CU"}


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (lambda wallet, other: [debit(clearing(), 5), credit(wallet, 4)], "sum to 1"),
        (lambda wallet, other: [Line(wallet, 5), Line(wallet, -5)], "one line for each account"),
        (lambda wallet, other: [debit(clearing("EUR"), 5), credit(wallet, 5)], "in USD sum to -5"),
        (lambda wallet, other: [debit(clearing(livemode=True), 5), credit(wallet, 5)], "test money or live money"),
        (lambda wallet, other: [debit(other, 5), credit(wallet, 5)], "assets of one book"),
        (lambda wallet, other: [], "two lines or more"),
    ],
)
def test_what_is_no_journal_is_refused_before_anything_is_written(buyer, wallet, lines, why):
    other = account(buyer, asset="CU:h100-sxm")
    with pytest.raises(ValueError, match=why):
        post(kind="topup", ref="pi_1", lines=lines(wallet, other), now=NOON, actor="test")
    assert not Journal.objects.exists()


def test_an_account_has_a_known_kind_the_right_owner_and_an_asset(buyer):
    for kind, owner, asset, why in (
        ("pocket", buyer, "USD", "no kind of account"),
        ("buyer_held", None, "USD", "belong to an organization"),
        ("stripe_clearing", buyer, "USD", "belong to the operator"),
        ("buyer_held", buyer, "dollars", "is no asset"),
    ):
        with pytest.raises(ValueError, match=why):
            account_of(kind=kind, owner=owner, asset=asset, livemode=False)
    with pytest.raises(ValueError, match="above 0"):
        debit(account(buyer), 0)


JOURNAL = """
    INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, posted_at, actor, xid)
    VALUES ('jrn_sql', '{book}', 'correction', '{ref}', {livemode}, now(), 'sql', {xid}) RETURNING id
"""
ENTRY = "INSERT INTO ledger_entry (journal_id, account_id, asset, livemode, amount) VALUES (%s, %s, %s, %s, %s)"


def journal_by_sql(ref="r", book="money", livemode="false", xid="0"):
    with connection.cursor() as cursor:
        cursor.execute(JOURNAL.format(ref=ref, book=book, livemode=livemode, xid=xid))
        return cursor.fetchone()[0]


class TestDirectSql:
    """Whoever writes past the program meets the same rules; the connection of the tests owns the tables."""

    @pytest.fixture
    def both(self, wallet):
        top_up(wallet, 100)
        settle()
        sql("SET CONSTRAINTS ALL DEFERRED")
        return wallet, clearing()

    def test_a_journal_without_entries_or_with_one_does_not_commit(self, both):
        with pytest.raises(IntegrityError, match="fewer than two entries"), transaction.atomic():
            journal_by_sql()
            settle()
        with pytest.raises(IntegrityError, match="fewer than two entries"), transaction.atomic():
            sql(ENTRY, journal_by_sql(), both[0].pk, "USD", False, -5)
            settle()

    def test_an_unbalanced_journal_does_not_commit(self, both):
        with pytest.raises(IntegrityError, match="does not sum to zero"), transaction.atomic():
            journal = journal_by_sql()
            sql(ENTRY, journal, both[0].pk, "USD", False, -5)
            sql(ENTRY, journal, both[1].pk, "USD", False, 4)
            settle()

    def test_an_entry_behind_the_look_is_looked_at_too(self, both, buyer):
        journal = journal_by_sql()
        sql(ENTRY, journal, both[0].pk, "USD", False, -5)
        sql(ENTRY, journal, both[1].pk, "USD", False, 5)
        settle()
        with pytest.raises(IntegrityError, match="does not sum to zero"), transaction.atomic():
            sql(ENTRY, journal, account(buyer, "buyer_held").pk, "USD", False, -5)

    def test_assets_of_another_book_do_not_commit(self, both):
        with pytest.raises(IntegrityError, match="asset of another book"), transaction.atomic():
            journal = journal_by_sql(book="CU")
            sql(ENTRY, journal, both[0].pk, "USD", False, -5)
            sql(ENTRY, journal, both[1].pk, "USD", False, 5)
            settle()

    def test_an_entry_is_of_the_asset_and_the_mode_of_its_account_and_its_journal(self, both, buyer):
        live = account(buyer, livemode=True)
        for there, asset, livemode, name in (
            (both[0], "EUR", False, "entry_of_its_account"), (both[0], "USD", True, "entry_of_its_account"),
            (live, "USD", True, "entry_of_its_journal"),
        ):  # fmt: skip
            with pytest.raises(IntegrityError, match=name), transaction.atomic():
                sql(ENTRY, journal_by_sql(), there.pk, asset, livemode, -5)

    def test_a_closed_journal_takes_no_entry_even_one_that_claims_to_be_open(self, both):
        closed = Journal.objects.get()
        sql("ALTER TABLE ledger_journal DISABLE TRIGGER USER")
        sql("UPDATE ledger_journal SET xid = xid - 1")  # as if another transaction had written it
        sql("ALTER TABLE ledger_journal ENABLE TRIGGER USER")
        with pytest.raises(IntegrityError, match="is closed"), transaction.atomic():
            sql(ENTRY, closed.pk, both[0].pk, "USD", False, -5)

    def test_the_database_itself_writes_which_transaction_a_journal_is_of(self, both):
        journal = journal_by_sql(xid="1")
        sql(ENTRY, journal, both[0].pk, "USD", False, -5)
        sql(ENTRY, journal, both[1].pk, "USD", False, 5)

        assert Journal.objects.get(pk=journal).xid > 1

    @pytest.mark.parametrize("table", ["ledger_journal", "ledger_entry", "ledger_account"])
    @pytest.mark.parametrize("how", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_nothing_is_ever_taken_out(self, both, table, how):
        with pytest.raises(DatabaseError, match=r"Cannot (update or )?delete|not emptied"), transaction.atomic():
            sql(how.format(table))

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE ledger_journal SET ref = 'other'", "UPDATE ledger_entry SET amount = amount * 2",
            "UPDATE ledger_account SET owner_id = NULL", "UPDATE ledger_account SET livemode = true",
            "UPDATE ledger_account SET balance = balance + 1", "UPDATE ledger_account SET normal = 1 WHERE normal = -1",
        ],
    )  # fmt: skip
    def test_nothing_is_ever_changed(self, both, change):
        with pytest.raises(DatabaseError, match=r"Cannot update|only entries"), transaction.atomic():
            sql(change)

    def test_an_account_begins_at_nothing(self, buyer):
        with pytest.raises(IntegrityError, match="only entries give"), transaction.atomic():
            sql(
                "INSERT INTO ledger_account (public_id, kind, owner_id, asset, livemode, normal, kept, balance) "
                "VALUES ('acc_sql', 'buyer_held', %s, 'USD', false, -1, true, 100)", buyer.pk,
            )  # fmt: skip

    @pytest.mark.parametrize(
        ("kind", "owned", "normal", "kept"),
        [
            ("buyer_available", True, -1, False), ("buyer_available", True, 1, True),
            ("buyer_available", False, -1, True), ("stripe_clearing", False, 1, True),
            ("stripe_clearing", True, 1, False), ("pocket", True, -1, True),
        ],
    )  # fmt: skip
    def test_an_account_behaves_as_its_kind_says(self, buyer, kind, owned, normal, kept):
        """Else a buyer's balance could be left unkept, and fall as low as anybody likes."""
        with pytest.raises(IntegrityError, match="account_is_as_its_kind"), transaction.atomic():
            sql(
                "INSERT INTO ledger_account (public_id, kind, owner_id, asset, livemode, normal, kept, balance) "
                "VALUES ('acc_sql', %s, %s, 'USD', false, %s, %s, 0)", kind, buyer.pk if owned else None, normal, kept,
            )  # fmt: skip

    @pytest.mark.parametrize("asset", ["usd", "USD\n", "", "CU:", "money"])
    def test_an_account_is_of_a_currency_or_of_compute_units(self, buyer, asset):
        with pytest.raises(IntegrityError, match="account_asset_known"), transaction.atomic():
            sql(
                "INSERT INTO ledger_account (public_id, kind, owner_id, asset, livemode, normal, kept, balance) "
                "VALUES ('acc_sql', 'buyer_held', %s, %s, false, -1, true, 0)", buyer.pk, asset,
            )  # fmt: skip
        with pytest.raises(ValueError, match="no asset"):
            account(buyer, asset=asset)

    def test_a_fact_is_written_once_and_undone_once(self, both):
        with pytest.raises(IntegrityError, match="journal_once_per_fact"), transaction.atomic():
            sql("INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, posted_at, actor, xid) "
                "SELECT 'jrn_again', book, kind, ref, livemode, posted_at, actor, xid FROM ledger_journal")  # fmt: skip
        reverse(journal=Journal.objects.get(kind="topup"), now=NOON, actor="test")
        with pytest.raises(IntegrityError, match="reverses"), transaction.atomic():
            sql("INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, reverses_id, posted_at, actor, xid) "
                "SELECT 'jrn_again', book, kind, 'other', livemode, reverses_id, posted_at, actor, xid "
                "FROM ledger_journal WHERE reverses_id IS NOT NULL")  # fmt: skip


LIBRARYS = Entry._meta.triggers[0].compile(Entry).install_sql  # type: ignore[attr-defined]


@pytest.mark.parametrize("ours", [True, False], ids=["as it is", "the control with the library's own function"])
def test_no_setting_of_a_session_has_a_rule_ignored(wallet, ours):
    """django-pgtrigger lets whoever sets `pgtrigger.ignore` switch any trigger off."""
    top_up(wallet, 100)
    if not ours:
        sql(LIBRARYS.replace("%", "%%"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(tgname)::text FROM pg_trigger WHERE tgname LIKE 'pgtrigger%'")
        [every] = cursor.fetchone()
    sql("SELECT set_config('pgtrigger.ignore', %s, true)", every)

    def change():
        with transaction.atomic():
            sql("UPDATE ledger_entry SET amount = amount * 2")

    if ours:
        with pytest.raises(DatabaseError, match="Cannot update"):
            change()
    else:
        change()
    assert (Entry.objects.get(account=wallet).amount == -100) is ours


class TestConservation(TestCase):
    """Whatever is posted, each asset sums to nothing and every kept balance is the sum of its entries."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4)), max_size=25))
    def test_random_moves_between_four_accounts_keep_the_sum(self, moves):
        owner = make_organization(funds=0)
        accounts = [account(owner, kind) for kind in ("buyer_available", "buyer_held", "provider_pending")] + [
            clearing()
        ]
        refusals = 0
        for number, (source, target, amount) in enumerate(moves):
            if source == target:
                continue
            try:
                lines = [debit(accounts[source], amount), credit(accounts[target], amount)]
                post(kind="correction", ref=f"{owner.public_id}:{number}", lines=lines, now=NOON, actor="test")
            except InsufficientFunds:
                refusals += 1
        settle()
        kept = Account.objects.with_sum().filter(owner=owner)
        assert all(each.balance == each.summed >= 0 for each in kept)
        assert sum(Entry.objects.values_list("amount", flat=True)) == 0
        assert Journal.objects.count() + refusals == sum(source != target for source, target, _ in moves)


@pytest.fixture
def unguarded():
    """Takes the CHECK on balances away, until the test and its rows are gone."""
    taken = []

    def take():
        sql(f"ALTER TABLE ledger_account DROP CONSTRAINT {NEVER_NEGATIVE}")
        taken.append(NEVER_NEGATIVE)

    yield take
    for name in taken:
        sql(f"ALTER TABLE ledger_account ADD CONSTRAINT {name} CHECK (balance >= 0) NOT VALID")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("guarded", [True, False], ids=["as it is", "the control without its CHECK"])
def test_eight_writers_never_overdraw_and_never_wait_for_each_other_in_a_circle(guarded, unguarded):
    buyer = make_organization(funds=0)
    wallet, held = account(buyer), account(buyer, "buyer_held")
    top_up(wallet, 100)
    if not guarded:
        unguarded()

    def spend(writer):
        done = 0
        try:
            for number in range(20):
                there, back = [debit(wallet, 3), credit(held, 3)], [debit(held, 1), credit(wallet, 1)]
                for kind, lines in (("hold", there), ("release", back)):
                    try:
                        post(kind=kind, ref=f"{writer}:{number}", lines=lines, now=NOON, actor="test")
                        done += 1
                    except InsufficientFunds:
                        pass
        finally:
            connection.close()
        return done

    with ThreadPoolExecutor(8) as writers:
        done = sum(writers.map(spend, range(8)))

    assert (balance_of(wallet) >= 0) is guarded
    assert balance_of(wallet) + balance_of(held) == 100
    assert Journal.objects.count() == done + 1
    assert all(each.balance == each.summed for each in Account.objects.with_sum().filter(kept=True))


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_post_the_same_fact_one_writes_it():
    wallet = account(make_organization(funds=0))
    clearing()

    def tell(_):
        try:
            return top_up(wallet, 10).public_id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as writers:
        told = set(writers.map(tell, range(8)))

    assert (len(told), balance_of(wallet)) == (1, 10)
