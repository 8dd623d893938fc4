"""The money of reservations: the whole price is held, use is charged, and the terms say what comes back."""

from datetime import timedelta

import pytest

from marketplace.booking import services, settling
from marketplace.booking.changing import extend, resize
from marketplace.booking.charging import Span
from marketplace.booking.models import CapacityDay, ChargeLine, ServiceCredit
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.ledger.errors import InsufficientFunds
from marketplace.ledger.models import Hold
from marketplace.ledger.wallets import wallet_of
from tests.market import MONDAY, NOON, at, make_offer, make_organization

pytestmark = pytest.mark.django_db
START, END = at(MONDAY, 14), at(MONDAY, 16)


@pytest.fixture
def buyer():
    return make_organization(funds=10_000)


def reserve(buyer, *, units=2, **terms):
    """Two units for two hours at 2.00 and 4 % on top: 8.32."""
    offer = make_offer(units=4, **terms)
    return services.hold_units(buyer=buyer, offer=offer, units=units, start=START, end=END, now=NOON)


def confirmed(buyer, **terms):
    return services.confirm(reservation=reserve(buyer, **terms), now=NOON)


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def promised(row):
    return sum(CapacityDay.objects.get(offer=row.offer, day=START.date()).units_promised)


def run_out(row, now=END + timedelta(minutes=6)):
    for moment in (START, END):
        services.advance_reservations(now=moment)
    return services.settle_reservations(now=now)


def test_confirming_holds_the_whole_price(buyer):
    row = reserve(buyer)
    assert wallet(buyer) == (10_000, 0), "what is only held for a buyer to decide costs nothing"

    services.confirm(reservation=row, now=NOON)

    assert (row.contract.total_minor, wallet(buyer)) == (832, (9_168, 832))


def test_what_the_wallet_cannot_pay_stays_held_until_it_can(buyer):
    poor = make_organization(funds=831)
    row = reserve(poor)

    with pytest.raises(InsufficientFunds):
        services.confirm(reservation=row, now=NOON)

    row.refresh_from_db()
    assert (row.state, wallet(poor), promised(row)) == ("held", (831, 0), 4)


def test_hours_and_money_of_a_reservation_come_back_together(buyer):
    row = confirmed(buyer)

    services.cancel(reservation=row, now=START - timedelta(seconds=1))

    assert (row.state, wallet(buyer), promised(row)) == ("cancelled", (10_000, 0), 0)
    assert not ChargeLine.objects.exists()


@pytest.mark.parametrize(("before", "charge"), [(3_601, 0), (3_600, 208), (1, 208)])
def test_a_late_cancellation_costs_what_the_terms_say_and_says_so_before(buyer, before, charge):
    row = confirmed(buyer, free_cancel_s=3_600, idle_bp=2_500)
    now = START - timedelta(seconds=before)

    told = settling.refund_of(reservation=row, now=now)
    services.cancel(reservation=row, now=now)

    assert (told.charge_minor, told.refund_minor, told.free_until) == (charge, 832 - charge, START - timedelta(hours=1))
    assert wallet(buyer) == (10_000 - charge, 0)
    assert [line.idle for line in ChargeLine.objects.all()] == ([True] if charge else [])


def test_hours_that_were_never_used_cost_nothing_by_default(buyer):
    confirmed(buyer)

    assert run_out(None) == 1

    assert wallet(buyer) == (10_000, 0)


def test_hours_that_were_never_used_cost_their_part_of_the_rate(buyer):
    confirmed(buyer, idle_bp=5_000)

    run_out(None)

    assert wallet(buyer) == (10_000 - 416, 0)


def test_an_ended_reservation_waits_for_the_agents_last_words(buyer):
    confirmed(buyer)

    assert run_out(None, now=END + timedelta(minutes=4)) == 0

    assert wallet(buyer) == (9_168, 832)


def test_a_reservation_is_settled_once(buyer):
    confirmed(buyer, idle_bp=5_000)
    run_out(None)

    assert services.settle_reservations(now=END + timedelta(hours=1)) == 0
    assert ChargeLine.objects.count() == 1
    assert not Hold.objects.open().exists()


def test_a_provider_that_fails_its_promise_gives_all_back_and_a_credit(buyer):
    row = confirmed(buyer)

    services.fail(reservation=row, now=NOON, reason="withdrawn")

    assert (row.state, promised(row)) == ("failed", 0)
    assert wallet(buyer) == (10_000 + 83, 0)
    assert ServiceCredit.objects.get().subject == row.public_id


def test_hours_that_were_at_the_buyers_disposal_are_no_part_of_the_credit(buyer):
    row = confirmed(buyer)
    services.advance_reservations(now=START)

    services.fail(reservation=row, now=START + timedelta(hours=1), reason="hardware_failed")

    credit = ServiceCredit.objects.get()
    assert (credit.base_minor, credit.amount_minor) == (416, 41), "one hour of two was not delivered"
    assert wallet(buyer) == (10_000 + 41, 0)


def test_what_its_buyer_gave_back_is_no_part_of_the_credit(buyer):
    row = confirmed(buyer)
    resize(reservation=row, units=1, now=NOON)

    services.fail(reservation=row, now=NOON, reason="hardware_failed")

    assert ServiceCredit.objects.get().base_minor == 416


def test_use_that_came_to_nothing_was_not_delivered(buyer):
    row = confirmed(buyer)
    services.advance_reservations(now=START)
    lost = Span(START, START + timedelta(hours=1), 1)

    services.fail(reservation=row, now=START + timedelta(hours=1), reason="power_lost", lost=[lost])

    assert ServiceCredit.objects.get().base_minor == 416 + 208


def test_what_was_added_is_credited_beside_the_rest(buyer):
    row = confirmed(buyer)
    extend(reservation=row, hours=1, now=NOON)

    services.fail(reservation=row, now=NOON, reason="withdrawn")

    added = row.changes.get()
    assert {each.subject: each.base_minor for each in ServiceCredit.objects.all()} == {
        row.public_id: 832, added.public_id: 416,
    }  # fmt: skip
    assert wallet(buyer) == (10_000 + 83 + 41, 0)


def test_interruptible_hours_that_are_taken_back_earn_no_credit(buyer):
    row = confirmed(buyer, tier="interruptible")

    services.fail(reservation=row, now=NOON, reason="withdrawn")

    assert (ServiceCredit.objects.count(), wallet(buyer)) == (0, (10_000, 0))


def test_a_provider_that_names_no_known_reason_keeps_its_promise(buyer):
    row = confirmed(buyer)

    with pytest.raises(ValidationFailed):
        services.fail(reservation=row, now=NOON, reason="a whim")

    row.refresh_from_db()
    assert (row.state, promised(row), wallet(buyer)) == ("confirmed", 4, (9_168, 832))


def test_a_reservation_that_has_begun_is_not_cancelled(buyer):
    row = confirmed(buyer)
    services.advance_reservations(now=START)
    row.refresh_from_db()

    with pytest.raises(IllegalState):
        services.cancel(reservation=row, now=START)

    assert wallet(buyer) == (9_168, 832)


def test_an_expired_hold_never_held_money(buyer):
    row = reserve(buyer)

    services.advance_reservations(now=NOON + timedelta(minutes=11))

    row.refresh_from_db()
    assert (row.state, wallet(buyer)) == ("expired", (10_000, 0))
