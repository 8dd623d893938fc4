"""What use is charged: cumulative, rounded once, shared whole, and never beyond what is held."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.booking.charging import Span, charge_of, promised_use, tax_of, use_in
from marketplace.booking.models import ChargeLine, Contract
from marketplace.booking.pricing import Rates, price_lines, total_minor
from marketplace.ledger.models import Account, Journal
from marketplace.ledger.wallets import wallet_of
from tests.booking.contracts import TERMS, Deal
from tests.market import NOON

pytestmark = pytest.mark.django_db
ANOTHER = """
    INSERT INTO booking_chargeline (
        public_id, contract_id, meter, seq, attempt, idle, during, quantity, charge_minor, fee_minor, provider_minor,
        tax_minor, livemode, frozen, pending_left, matures_at, created_at)
    SELECT 'chl_x', contract_id, meter, {seq}, attempt, idle, during, quantity, {charge}, fee_minor, provider_minor,
        tax_minor, livemode, frozen, 0, matures_at, created_at
    FROM booking_chargeline
"""


def balances():
    """{kind: balance} of the provider's part, the fee and the tax."""
    return {
        each.kind: each.summed
        for each in Account.objects.with_sum()
        if each.kind in {"provider_pending", "platform_fee", "tax_payable"} and each.summed
    }


def amounts(line):
    return (line.charge_minor, line.fee_minor, line.provider_minor, line.tax_minor)


def test_a_run_of_8263_seconds_costs_its_part_of_the_quote_to_the_cent():
    deal = Deal()
    assert deal.total == 2_388
    deal.use(8_263)

    line = deal.charge()

    assert (line.quantity, *amounts(line)) == (33_052, 1_827, 219, 1_608, 0)
    assert (line.pending_left, line.matures_at) == (1_608, NOON + timedelta(days=7))
    assert deal.release() == 561
    assert balances() == {"provider_pending": 1_608, "platform_fee": 219}


def test_how_use_is_cut_into_lines_never_changes_the_bill():
    deal, at = Deal(), 0
    for seconds in (7, 11, 13, 8_232):
        deal.use(seconds, begin_s=at)
        at += seconds
        deal.charge(until_s=at)

    assert [line.charge_minor for line in ChargeLine.objects.all()] == [1, 2, 3, 1_821]


@pytest.mark.parametrize(("seconds", "charge", "released"), [(3_599, 0, 1), (3_600, 1, 0)])
def test_one_minor_unit_is_charged_for_the_whole_hour_only(seconds, charge, released):
    deal = Deal(units=1, hours=1, rate_mm=1_000)
    deal.use(seconds)

    line = deal.charge()

    assert (deal.total, line.charge_minor, deal.release()) == (1, charge, released)


def test_a_fee_on_top_and_tax_are_parts_of_the_charge():
    deal = Deal(units=8, hours=6, rate_mm=149_065, fee_bp=400, tax_bp=600, fee_mode="on_top")
    assert (deal.contract.untaxed_minor, deal.total) == (7_441, 7_887)
    deal.use(20_520)

    line = deal.charge()

    assert amounts(line) == (7_068, 272, 6_796, 424)


def test_tax_is_held_and_captured_beside_the_charge():
    deal = Deal(tax_bp=2_000)
    assert deal.total == 2_388 + 477
    deal.use(8_263)

    line = deal.charge()

    assert (line.charge_minor, line.tax_minor, deal.release()) == (1_827, 365, 673)
    assert balances()["tax_payable"] == 365


def test_tax_is_rounded_once_however_use_is_cut():
    deal = Deal(tax_bp=2_000)
    for number in range(20):
        deal.use(11, begin_s=11 * number)
        deal.charge(until_s=11 * (number + 1))

    lines = ChargeLine.objects.all()
    charge = sum(line.charge_minor for line in lines)
    assert sum(line.tax_minor for line in lines) == charge * 2_000 // 10_000 == 9
    assert sum(line.charge_minor * 2_000 // 10_000 for line in lines) < 9, "line by line it would be less"


def test_promised_time_that_was_left_unused_costs_its_part_of_the_rate():
    deal = Deal(idle_bp=2_500)
    deal.use(8_263)

    used, unused = deal.charge(), deal.charge_unused()

    assert (used.charge_minor + unused.charge_minor, unused.idle, unused.attempt) == (1_967, True, "")
    assert (unused.fee_minor + used.fee_minor, unused.provider_minor + used.provider_minor) == (236, 1_731)
    assert deal.charge_unused() is None, "the same time is not charged twice"


def test_unused_time_costs_nothing_where_the_terms_say_so():
    deal = Deal()

    assert deal.charge_unused() is None
    assert deal.release() == 2_388


def test_use_beyond_the_hold_is_the_providers_risk():
    deal = Deal(hold=1_000, tax_bp=2_000)
    deal.use(8_263)

    line = deal.charge()

    assert line.charge_minor + line.tax_minor in {999, 1_000}
    assert line.quantity == 33_052, "it is stored and shown"
    deal.use(100, attempt="att_2", begin_s=9_000)
    assert deal.charge(attempt="att_2").charge_minor + line.charge_minor <= 1_000


def test_use_that_is_not_believed_costs_nothing():
    deal = Deal()
    deal.use(8_263, flagged="not believed: signature")

    assert amounts(deal.charge()) == (0, 0, 0, 0)
    assert not Journal.objects.filter(kind="capture").exists()


def test_two_attempts_under_one_contract_pay_for_what_each_used():
    deal = Deal()
    deal.use(3_600, units=2)
    deal.use(3_600, attempt="att_2", units=2)

    lines = [deal.charge(), deal.charge(attempt="att_2")]

    assert [line.charge_minor for line in lines] == [398, 398]
    assert sum(line.quantity for line in lines) == 4 * 3_600


def test_full_use_costs_exactly_the_quote_and_leaves_nothing():
    deal = Deal()
    deal.use(3 * 3_600)

    assert deal.charge().charge_minor == 2_388
    assert wallet_of(organization=deal.buyer, asset="USD", livemode=False).held == 0


def contract(rates, seconds, units, fee_bp, tax_bp):
    """A contract that stands in no database."""
    lines = price_lines(Rates(tuple(rates), 0, fee_bp, tax_bp), seconds, units)
    return Contract(
        units=units, start=NOON, end=NOON + timedelta(hours=len(rates)), rate_mm=rates, seconds=seconds,
        electricity_mm=0, fee_bp=fee_bp, tax_bp=tax_bp, price_lines=[line.as_dict() for line in lines],
        total_minor=total_minor(lines), terms=TERMS,
    )  # fmt: skip


@settings(max_examples=300)
@given(
    rates=st.lists(st.integers(0, 9_000), min_size=1, max_size=4),
    units=st.integers(1, 3),
    bp=st.tuples(st.integers(0, 2_000), st.integers(0, 2_000)),
    cuts=st.lists(st.integers(1, 9_000_000), min_size=1, max_size=6),
)
def test_charges_grow_with_use_and_end_at_the_quote(rates, units, bp, cuts):
    terms = contract(rates, [3_600] * len(rates), units, *bp)
    so_far, before = [], 0
    at = NOON
    for cut in cuts:
        so_far.append(Span(at, at + timedelta(milliseconds=cut), units))
        at += timedelta(milliseconds=cut)
        charge = charge_of(terms, use_in(terms, so_far))
        assert before <= charge <= terms.untaxed_minor
        assert charge == charge_of(terms, use_in(terms, [Span(NOON, at, units)]))
        before = charge

    whole = charge_of(terms, promised_use(terms))
    assert whole + tax_of(terms, whole) == (terms.total_minor if promised_use(terms).weighted else 0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE booking_chargeline SET charge_minor = charge_minor + 1, provider_minor = provider_minor + 1",
        "UPDATE booking_chargeline SET fee_minor = 0",
        "UPDATE booking_chargeline SET pending_left = pending_left + 1",
        "UPDATE booking_chargeline SET matured_at = now()",
        "UPDATE booking_chargeline SET seq = 2",
        "DELETE FROM booking_chargeline",
        ANOTHER.format(seq="seq", charge="charge_minor"),
        ANOTHER.format(seq="seq + 1", charge="charge_minor + 1"),
    ],
)
def test_sql_cannot_change_or_double_a_line_or_share_it_otherwise(statement):
    deal = Deal()
    deal.use(8_263)
    line = deal.charge()

    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert amounts(ChargeLine.objects.get()) == amounts(line)
