"""Holding units: all or nothing, never oversold, given back once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace.booking import services
from marketplace.booking.errors import CapacityTaken, QuoteExpired
from marketplace.booking.models import CapacityDay, Reservation
from marketplace.common.errors import IllegalState
from marketplace.events.models import Event
from tests.market import MONDAY, NOON, at, make_offer, make_organization

pytestmark = pytest.mark.django_db


def promised(offer, day):
    return CapacityDay.objects.get(offer=offer, day=day.date()).units_promised


def hold(offer, *, units=2, start=22, end=26, now=NOON, **fields):
    return services.hold_units(
        buyer=fields.pop("buyer", None) or make_organization(), offer=offer, units=units,
        start=at(MONDAY, start), end=at(MONDAY, end), now=now, **fields,
    )  # fmt: skip


def test_a_hold_takes_every_hour_it_touches_and_no_other():
    offer = make_offer(units=4)

    hold(offer, units=3, start=22, end=26)

    assert promised(offer, MONDAY) == [0] * 22 + [3, 3]
    assert promised(offer, MONDAY + timedelta(days=1)) == [3, 3] + [0] * 22


def test_a_full_hour_refuses_the_whole_hold_and_keeps_nothing():
    offer = make_offer(units=4)
    hold(offer, units=3, start=25, end=26)

    with pytest.raises(CapacityTaken) as refusal:
        hold(offer, units=2, start=22, end=26)

    assert refusal.value.facts == {"offer": offer.public_id, "units": 2}
    assert promised(offer, MONDAY) == [0] * 24
    assert Reservation.objects.count() == 1


def test_a_day_without_capacity_refuses_the_hold():
    offer = make_offer(units=4, days=1)

    with pytest.raises(CapacityTaken):
        hold(offer, start=22, end=26)

    assert promised(offer, MONDAY) == [0] * 24


def test_the_price_is_frozen_when_it_is_held():
    offer = make_offer(rate_mm=200_000)

    reservation = hold(offer, units=2, start=14, end=17)

    # 3 h x 2 units x 2.00 = 12.00, and 4 % fee on it
    assert reservation.contract.price_lines == [
        {"code": "compute", "amount_minor": 1200},
        {"code": "platform_fee", "amount_minor": 48},
    ]
    assert reservation.contract.total_minor == 1248


def test_a_contract_cannot_be_changed_afterwards():
    reservation = hold(make_offer())

    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        type(reservation.contract).objects.filter(pk=reservation.contract_id).update(total_minor=1)

    reservation.contract.refresh_from_db()
    assert reservation.contract.total_minor > 1


def test_an_expired_hold_gives_its_hours_back_once():
    offer = make_offer()
    reservation = hold(offer, expires_at=NOON + timedelta(minutes=10))

    assert services.advance_reservations(now=NOON + timedelta(minutes=9)) == 0
    assert services.advance_reservations(now=NOON + timedelta(minutes=10)) == 1
    assert services.advance_reservations(now=NOON + timedelta(minutes=11)) == 0

    reservation.refresh_from_db()
    assert (reservation.state, reservation.reason) == ("expired", "not_confirmed")
    assert promised(offer, MONDAY) == [0] * 24


def test_a_lapsed_hold_cannot_be_confirmed():
    reservation = hold(make_offer(), expires_at=NOON + timedelta(minutes=10))

    with pytest.raises(QuoteExpired):
        services.confirm(reservation=reservation, now=NOON + timedelta(minutes=10))

    reservation.refresh_from_db()
    assert reservation.state == "held"


def test_a_reservation_becomes_active_and_completes_by_the_clock():
    reservation = hold(make_offer(), start=13, end=14)
    services.confirm(reservation=reservation, now=NOON)

    services.advance_reservations(now=at(MONDAY, 13))
    reservation.refresh_from_db()
    assert reservation.state == "active"

    services.advance_reservations(now=at(MONDAY, 14))
    reservation.refresh_from_db()
    assert reservation.state == "completed"
    states = list(Event.objects.of_object(reservation.public_id).values_list("state", flat=True))
    assert states == ["held", "confirmed", "active", "completed"]


def test_cancelling_returns_the_hours_and_cannot_happen_twice():
    offer = make_offer()
    reservation = hold(offer)
    services.cancel(reservation=reservation, now=NOON)

    with pytest.raises(IllegalState):
        services.cancel(reservation=reservation, now=NOON)

    assert promised(offer, MONDAY) == [0] * 24


@pytest.mark.parametrize("hours", [[5] + [0] * 23, [0] * 23, [0] * 25, [-1] + [0] * 23, [None] + [0] * 23])
def test_the_database_itself_refuses_promises_that_do_not_fit(hours):
    day = CapacityDay.objects.get(offer=make_offer(units=4, days=1))

    with pytest.raises(IntegrityError, match="capacity_never_oversold"), transaction.atomic():
        CapacityDay.objects.filter(pk=day.pk).update(units_promised=hours)


def test_an_illegal_move_is_refused_by_the_database_too():
    reservation = hold(make_offer())

    with pytest.raises(Exception, match="Invalid transition"), transaction.atomic():
        Reservation.objects.filter(pk=reservation.pk).update(state="completed")

    reservation.refresh_from_db()
    assert reservation.state == "held"
