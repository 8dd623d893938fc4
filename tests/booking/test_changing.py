"""A reservation grows and shrinks: hours taken and given in one step, each addition at its own frozen price."""

import pytest
from django.db import IntegrityError, transaction

from marketplace.booking.changing import extend, resize
from marketplace.booking.errors import CapacityTaken, WorkInside
from marketplace.booking.models import CapacityDay, Contract, Reservation, ReservationChange, ReservationDay
from marketplace.booking.reserved import give_inside_back, take_inside
from marketplace.booking.services import cancel, hold_units
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.events.models import Event
from tests.market import MONDAY, NOON, at, make_offer, make_organization
from tests.scheduler.reserved import inside, promised, reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return make_offer(units=4)


@pytest.fixture
def running(offer):
    """Two units from 12:00 to 14:00, which has begun."""
    return reserve(offer, make_organization(), start=NOON, hours=2, now=NOON)


def everything():
    """All that a change may touch."""
    return (
        list(CapacityDay.objects.order_by("pk").values_list("units_promised", flat=True)),
        list(ReservationDay.objects.order_by("pk").values_list("units_total", "units_promised")),
        list(Reservation.objects.values_list("state", "end", "units", "version")),
        ReservationChange.objects.count(), Contract.objects.count(), Event.objects.count(),
    )  # fmt: skip


def refused(error, act):
    before = everything()
    with pytest.raises(error) as refusal:
        act()
    assert everything() == before
    return refusal.value


def test_an_extension_takes_the_next_hours_at_todays_price(offer, running):
    first = running.contract.total_minor
    Offer.objects.filter(pk=offer.pk).update(rate_mm=[400_000] * HOURS_OF_WEEK)

    extend(reservation=running, hours=3, now=at(MONDAY, 13))

    running.refresh_from_db()
    old, new = running.contracts
    assert (running.end, running.units, running.state) == (at(MONDAY, 17), 2, "active")
    assert [promised(offer, at(MONDAY, hour)) for hour in (13, 14, 16, 17)] == [2, 2, 2, 0]
    assert [inside(running, at(MONDAY, hour))[0] for hour in (13, 14, 16, 17)] == [2, 2, 2, 0]
    assert (old.total_minor, set(old.rate_mm), set(new.rate_mm)) == (first, {200_000}, {400_000})
    assert (new.start, new.end, new.units) == (at(MONDAY, 14), at(MONDAY, 17), 2)
    assert new.total_minor > old.total_minor
    told = Event.objects.of_object(running.public_id).get(type="reservation.extended")
    assert (told.object_seq, told.facts["hours"]) == (running.version, 3)


def test_an_extension_from_within_an_hour_takes_that_hour_only_once(offer):
    held = reserve(offer, make_organization(), start=at(MONDAY, 12, 40), hours=1, now=NOON)
    assert promised(offer, at(MONDAY, 13)) == 2

    extend(reservation=held, hours=1, now=at(MONDAY, 13))

    assert [promised(offer, at(MONDAY, hour)) for hour in (12, 13, 14, 15)] == [2, 2, 2, 0]
    new = held.contracts[1]
    assert (new.start, new.end, new.seconds) == (at(MONDAY, 13, 40), at(MONDAY, 14, 40), [1200, 2400])


def test_an_extension_that_does_not_fit_leaves_everything_as_it_was(offer, running):
    hold_units(buyer=make_organization(), offer=offer, units=3, start=at(MONDAY, 15), end=at(MONDAY, 16), now=NOON)

    refused(CapacityTaken, lambda: extend(reservation=running, hours=2, now=NOON))
    extend(reservation=running, hours=1, now=NOON)


def test_a_price_that_was_not_the_one_shown_is_refused_with_the_new_one(running):
    extended = refused(ValidationFailed, lambda: extend(reservation=running, hours=1, now=NOON, shown_minor=1))

    [problem] = extended.problems
    assert problem.pointer == "/total_minor"
    extend(reservation=running, hours=1, now=NOON, shown_minor=int(problem.hint))
    assert running.contracts[1].total_minor == int(problem.hint)


@pytest.mark.parametrize("number", [0, -1, 169])
def test_hours_out_of_range_are_refused(running, number):
    assert refused(ValidationFailed, lambda: extend(reservation=running, hours=number, now=NOON)).problems


def test_only_what_is_firm_and_on_the_shelf_becomes_longer(offer, running):
    held = reserve(offer, make_organization(), units=1, start=at(MONDAY, 20), now=NOON, firm=False)
    gone = reserve(offer, make_organization(), units=1, start=at(MONDAY, 20), now=NOON)
    cancel(reservation=gone, now=NOON)

    refused(IllegalState, lambda: extend(reservation=held, hours=1, now=NOON))
    refused(IllegalState, lambda: extend(reservation=gone, hours=1, now=NOON))
    refused(IllegalState, lambda: extend(reservation=running, hours=1, now=at(MONDAY, 14)))
    Offer.objects.filter(pk=offer.pk).update(state="paused")
    refused(CapacityTaken, lambda: extend(reservation=running, hours=1, now=NOON))


def test_more_units_are_bought_for_the_hours_that_have_not_begun(offer, running):
    resize(reservation=running, units=4, now=at(MONDAY, 12, 10))

    running.refresh_from_db()
    [_, added] = running.contracts
    assert (added.units, added.start, added.end) == (2, at(MONDAY, 13), at(MONDAY, 14))
    assert [promised(offer, at(MONDAY, hour)) for hour in (12, 13, 14)] == [2, 4, 0]
    assert [inside(running, at(MONDAY, hour))[0] for hour in (12, 13, 14)] == [2, 4, 0]
    assert running.units == 4
    refused(CapacityTaken, lambda: resize(reservation=running, units=5, now=at(MONDAY, 12, 10)))


def test_before_its_start_all_hours_are_still_to_begin(offer):
    ahead = reserve(offer, make_organization(), start=at(MONDAY, 20, 30), hours=1, now=NOON)

    resize(reservation=ahead, units=3, now=NOON)
    resize(reservation=ahead, units=1, now=NOON)

    assert [promised(offer, at(MONDAY, hour)) for hour in (19, 20, 21, 22)] == [0, 1, 1, 0]
    assert ahead.contracts[1].start == at(MONDAY, 20, 30)


def test_fewer_units_go_back_to_the_shelf_and_change_no_contract(offer, running):
    before = running.contract.total_minor

    resize(reservation=running, units=1, now=at(MONDAY, 12, 10))

    assert [promised(offer, at(MONDAY, hour)) for hour in (12, 13)] == [2, 1]
    assert (len(running.contracts), running.contract.total_minor) == (1, before)
    [change] = running.changes.all()
    assert (change.units, change.start, change.end) == (-1, at(MONDAY, 13), at(MONDAY, 14))


def test_units_that_work_inside_needs_stay(running):
    take_inside(reservation=running, start=at(MONDAY, 13, 50), end=at(MONDAY, 14), units=2)

    refused(WorkInside, lambda: resize(reservation=running, units=1, now=NOON))
    give_inside_back(reservation=running, start=at(MONDAY, 13, 50), end=at(MONDAY, 14), units=2, now=NOON)
    resize(reservation=running, units=1, now=NOON)


def test_the_same_number_none_and_a_last_hour_are_no_change(running):
    for wrong in (2, 0, 100_001):
        refused(ValidationFailed, lambda wrong=wrong: resize(reservation=running, units=wrong, now=NOON))
    refused(IllegalState, lambda: resize(reservation=running, units=1, now=at(MONDAY, 13, 1)))


def test_whatever_was_added_ends_with_the_reservation(offer):
    ahead = reserve(offer, make_organization(), start=at(MONDAY, 20), hours=1, now=NOON)
    extend(reservation=ahead, hours=2, now=NOON)
    resize(reservation=ahead, units=4, now=NOON)

    cancel(reservation=ahead, now=NOON)

    assert not any(sum(day.units_promised) for day in CapacityDay.objects.filter(offer=offer))
    assert not any(sum(day.units_total) for day in ahead.days.all())


def test_a_change_is_never_edited_and_says_what_it_bought(running):
    extend(reservation=running, hours=1, now=NOON)

    with pytest.raises(Exception, match="Cannot update or delete"), transaction.atomic():
        running.changes.update(units=9)
    with pytest.raises(IntegrityError, match="reservation_change_more_is_bought"), transaction.atomic():
        ReservationChange.objects.create(reservation=running, units=1, start=NOON, end=NOON + HOUR, created_at=NOON)
