"""Workers that keep one standing order at once: no hour is bought twice, and none after the order has ended."""

import multiprocessing

import pytest
from django.db import IntegrityError, connection, connections

from marketplace.booking import standing
from marketplace.booking.models import CapacityDay, Reservation, StandingHour, StandingOrder
from marketplace.common.errors import IllegalState
from scheduler import standingorders
from scheduler.standingorders import keep_order
from tests.booking.test_standing import order_of
from tests.market import NOON, make_organization
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 4
FORK = multiprocessing.get_context("fork")
TOGETHER = FORK.Barrier(PROCESSES)
ONCE = 'ALTER TABLE booking_standinghour ADD CONSTRAINT standing_hour_once UNIQUE (order_id, "hour")'


def _race(way, key, database, results):
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    TOGETHER.wait(timeout=120)
    try:
        results.put(WAYS[way](key))
    except (IntegrityError, IllegalState):
        results.put("refused")
    connections.close_all()


def race(*ways, order):
    """Run a process for each of `ways`; what each said."""
    results, database = FORK.Queue(), connection.settings_dict["NAME"]
    connections.close_all()
    racers = [FORK.Process(target=_race, args=(way, order.pk, database, results)) for way in ways]
    for racer in racers:
        racer.start()
    said = [results.get(timeout=240) for _ in racers]
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return said


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


WAYS = {"keep": keep, "keep_without_lock": keep_without_lock, "cancel": cancel}


@pytest.fixture
def order():
    make_shelf()
    return order_of(make_organization(), hours=6, block=6)


def promised(hour):
    """Units of every offer promised in an hour of the day."""
    rows = CapacityDay.objects.filter(day=NOON.date()).values_list("units_promised", flat=True)
    return sum(units[hour] for units in rows)


def test_four_workers_buy_each_hour_once(order):
    said = race(*["keep"] * PROCESSES, order=order)

    assert sorted(said) == [0, 0, 0, 6]
    assert StandingHour.objects.count() == 6
    assert [promised(hour) for hour in (11, 12, 17, 18)] == [0, 2, 2, 0]


def test_the_database_alone_refuses_an_hour_twice(order):
    said = race(*["keep_without_lock"] * PROCESSES, order=order)

    assert sorted(map(str, said)) == ["6", *["refused"] * (PROCESSES - 1)]
    assert (promised(12), Reservation.objects.count()) == (2, 1)


def test_the_control_without_lock_and_constraint_buys_twice(order):
    """If this ever stops buying twice, the races above prove nothing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_standinghour DROP CONSTRAINT standing_hour_once")
        race(*["keep_without_lock"] * PROCESSES, order=order)

        assert promised(12) > 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE booking_standinghour DISABLE TRIGGER USER")
            cursor.execute("DELETE FROM booking_standinghour")
            cursor.execute("ALTER TABLE booking_standinghour ENABLE TRIGGER USER")
            cursor.execute(ONCE)


def test_an_order_cancelled_meanwhile_buys_nothing_afterwards(order):
    said = race("keep", "cancel", "keep", "keep", order=order)

    assert "cancelled" in said
    order.refresh_from_db()
    bought = sum(each for each in said if isinstance(each, int))
    assert (order.state, StandingHour.objects.count(), promised(12)) == ("cancelled", bought, 2 if bought else 0)
