"""Workers that keep one standing order at once: no hour is bought twice, and none after the order has ended."""

from functools import partial

import pytest
from django.db import IntegrityError, connection

from marketplace.booking import standing
from marketplace.booking.models import CapacityDay, Reservation, StandingHour, StandingOrder
from marketplace.common.errors import IllegalState
from scheduler import standingorders
from scheduler.standingorders import keep_order
from tests.booking.test_standing import order_of
from tests.market import NOON, make_organization
from tests.racing import FORK, REFUSED, race
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 4
TOGETHER = FORK.Barrier(PROCESSES)  # in the control, once every worker has looked
ONCE = 'ALTER TABLE booking_standinghour ADD CONSTRAINT standing_hour_once UNIQUE (order_id, "hour")'


def race_for(order, *ways):
    """A process for each of `ways`, with the key of `order`; what each said."""
    return race([partial(way, order.pk) for way in ways], refusals=(IntegrityError, IllegalState))


def keep(key):
    return keep_order(key=key, now=NOON)


def keep_without_lock(key):
    """The control: nobody waits for anybody, and every worker has looked before any buys."""
    buy_new = standingorders._buy_new

    def late(*args):
        TOGETHER.wait(timeout=120)
        buy_new(*args)

    standing.free_order = lambda key: StandingOrder.objects.with_terms().get(pk=key)
    standing.lock_order = lambda order: None
    standing.tell = lambda **_: None  # numbering its events would find the other worker as well
    standingorders._claimed = lambda key, now: standing.free_order(key)
    standingorders._buy_new = late
    return keep(key)


def cancel(key):
    standing.cancel_order(order=StandingOrder.objects.with_terms().get(pk=key), now=NOON)
    return "cancelled"


@pytest.fixture
def order():
    make_shelf()
    return order_of(make_organization(), hours=6, block=6)


def promised(hour):
    """Units of every offer promised in an hour of the day."""
    rows = CapacityDay.objects.filter(day=NOON.date()).values_list("units_promised", flat=True)
    return sum(units[hour] for units in rows)


def test_four_workers_buy_each_hour_once(order):
    said = race_for(order, *[keep] * PROCESSES)

    assert sorted(said) == [0, 0, 0, 6]
    assert StandingHour.objects.count() == 6
    assert [promised(hour) for hour in (11, 12, 17, 18)] == [0, 2, 2, 0]


def test_the_database_alone_refuses_an_hour_twice(order):
    said = race_for(order, *[keep_without_lock] * PROCESSES)

    assert sorted(map(str, said)) == ["6", *[REFUSED] * (PROCESSES - 1)]
    assert (promised(12), Reservation.objects.count()) == (2, 1)


def test_the_control_without_lock_and_constraint_buys_twice(order):
    """If this ever stops buying twice, the races above prove nothing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_standinghour DROP CONSTRAINT standing_hour_once")
        race_for(order, *[keep_without_lock] * PROCESSES)

        assert promised(12) > 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_standinghour DISABLE TRIGGER USER")
            cursor.execute("DELETE FROM booking_standinghour")
            cursor.execute("ALTER TABLE booking_standinghour ENABLE TRIGGER USER")
            cursor.execute(ONCE)


def test_an_order_cancelled_meanwhile_buys_nothing_afterwards(order):
    said = race_for(order, keep, cancel, keep, keep)

    assert "cancelled" in said
    order.refresh_from_db()
    bought = sum(each for each in said if isinstance(each, int))
    assert (order.state, StandingHour.objects.count(), promised(12)) == ("cancelled", bought, 2 if bought else 0)
