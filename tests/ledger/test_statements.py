"""Statements: every line with the balance behind it, and periods that join without a gap."""

import csv
from datetime import timedelta
from io import StringIO

import pytest

from marketplace.ledger.lines import credit, debit
from marketplace.ledger.services import account_of, balance_of, post
from marketplace.ledger.statements import as_csv, statement_of
from tests.market import NOON, make_organization

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def wallet():
    """Three days: 100.00 in, 23.88 held, 5.61 released, nothing on the last."""
    buyer = make_organization(funds=0)
    clearing = account_of(kind="stripe_clearing", owner=None, asset="USD", livemode=False)
    available, held = (
        account_of(kind=kind, owner=buyer, asset="USD", livemode=False) for kind in ("buyer_available", "buyer_held")
    )
    for kind, ref, moved, from_, to, day in (
        ("topup", "pi_1", 10_000, clearing, available, 0), ("hold", "hld_1", 2_388, available, held, 0),
        ("release", "=hld_1:1", 561, held, available, 1),
    ):  # fmt: skip
        post(kind=kind, ref=ref, lines=[debit(from_, moved), credit(to, moved)], now=NOON + day * DAY, actor="test")
    return available


def test_each_line_has_the_balance_behind_it(wallet):
    told = statement_of(account=wallet, start=NOON, end=NOON + 3 * DAY)

    assert (told.opening, told.closing) == (0, 8_173) == (0, balance_of(wallet))
    assert [(each.kind, each.amount, each.balance) for each in told.postings] == [
        ("topup", 10_000, 10_000), ("hold", -2_388, 7_612), ("release", 561, 8_173),
    ]  # fmt: skip


def test_periods_join_without_a_gap_and_an_empty_one_keeps_the_balance(wallet):
    days = [statement_of(account=wallet, start=NOON + day * DAY, end=NOON + (day + 1) * DAY) for day in range(3)]

    assert [(each.opening, each.closing) for each in days] == [(0, 7_612), (7_612, 8_173), (8_173, 8_173)]
    assert [len(each.postings) for each in days] == [2, 1, 0]


def test_an_account_that_grows_by_debits_is_told_on_its_own_side(wallet):
    clearing = account_of(kind="stripe_clearing", owner=None, asset="USD", livemode=False)

    told = statement_of(account=clearing, start=NOON, end=NOON + DAY)

    assert [(each.amount, each.balance) for each in told.postings] == [(10_000, 10_000)]


def test_a_longer_statement_costs_no_more_queries(wallet, django_assert_num_queries):
    with django_assert_num_queries(2):
        statement_of(account=wallet, start=NOON, end=NOON + 3 * DAY)


def test_the_file_has_plain_decimals_and_no_cell_that_is_a_formula(wallet):
    rows = list(csv.DictReader(StringIO(as_csv(statement_of(account=wallet, start=NOON, end=NOON + 3 * DAY)))))

    assert [(row["amount"], row["balance"], row["asset"], row["test_money"]) for row in rows] == [
        ("100.00", "100.00", "USD", "yes"), ("-23.88", "76.12", "USD", "yes"), ("5.61", "81.73", "USD", "yes"),
    ]  # fmt: skip
    assert [row["reference"] for row in rows] == ["pi_1", "hld_1", "'=hld_1:1"]
    assert rows[0]["posted_at"] == "2026-11-23T12:00:00Z"


def test_compute_units_are_told_as_whole_numbers():
    buyer = make_organization(funds=0)
    saved = account_of(kind="buyer_available", owner=buyer, asset="CU:h100-sxm", livemode=True)
    source = account_of(kind="suspense", owner=None, asset="CU:h100-sxm", livemode=True)
    post(kind="suspense", ref="d_1", lines=[debit(source, 7), credit(saved, 7)], now=NOON, actor="test")

    [row] = csv.DictReader(StringIO(as_csv(statement_of(account=saved, start=NOON, end=NOON + DAY))))

    assert (row["amount"], row["asset"], row["test_money"]) == ("7", "CU:h100-sxm", "no")
