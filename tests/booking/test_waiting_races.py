"""Workers that serve one waiting list at once: nobody is served twice, and no hour is promised twice."""

from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction

from marketplace.booking import services, waiting
from marketplace.booking.models import CapacityDay, Reservation, Wait
from marketplace.common.errors import IllegalState
from scheduler import waitinglist
from scheduler.waitinglist import serve_waiting
from tests.booking.test_waiting import fail, sell, today
from tests.market import NOON, make_organization
from tests.racing import FORK, REFUSED, race
from tests.search.shelf import make_shelf

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 4
TOGETHER = FORK.Barrier(PROCESSES)  # in the control, once every worker has looked
SERVED_ONCE = "wait_is_served_once"


def race_for(key, *ways):
    """A process for each of `ways`, with the key of a wait; what each said."""
    return race([partial(way, key) for way in ways], refusals=(DatabaseError, IllegalState))


def serve(_key):
    return serve_waiting(now=NOON)


def serve_without_lock(key):
    """The control: every worker has seen the wait before any serves it, and none looks again as it writes."""
    hold_option = waitinglist.booking.hold_option

    def late(**ask):
        TOGETHER.wait(timeout=120)
        return hold_option(**ask)

    def note(*, wait, reservation, now):
        Wait.objects.filter(pk=wait.pk).update(state="served", reservation=reservation)

    waiting.free_wait = lambda key: Wait.objects.with_terms().get(pk=key)
    waiting.note_served = note
    waitinglist.booking.hold_option = late
    return serve(key)


def leave(key):
    waiting.leave(wait=Wait.objects.with_terms().get(pk=key), now=NOON)
    return "left"


@pytest.fixture
def offer():
    """Eight units that were sold and have come back, all to be had."""
    return make_shelf()["near"]


def waits(offer, *units):
    sold = sell(offer)
    rows = [today(make_organization(), units=each, hours=12) for each in units]
    fail(sold)
    return rows


def held():
    """Units of the reservations that are held, the largest first."""
    return sorted(Reservation.objects.filter(state="held").values_list("units", flat=True), reverse=True)


def promised(offer, hour):
    return CapacityDay.objects.get(offer=offer, day=NOON.date()).units_promised[hour]


def test_four_workers_serve_a_wait_once(offer):
    waits(offer, 2)

    said = race_for(0, *[serve] * PROCESSES)

    assert sorted(said) == [0, 0, 0, 1]
    assert (held(), promised(offer, 12)) == ([2], 2)


def test_two_who_want_the_last_units_do_not_both_get_them(offer):
    waits(offer, 6, 6)

    said = race_for(0, *[serve] * PROCESSES)

    assert (sum(said), held()) == (1, [6])
    assert promised(offer, 12) == 6
    assert [row.state for row in Wait.objects.order_by("pk")] == ["served", "waiting"]


def test_the_database_alone_refuses_to_serve_a_wait_twice(offer):
    [wait] = waits(offer, 2)

    said = race_for(wait.pk, *[serve_without_lock] * PROCESSES)

    assert sorted(map(str, said)) == ["1", *[REFUSED] * (PROCESSES - 1)]
    assert (held(), promised(offer, 12)) == ([2], 2)


def test_the_control_without_lock_and_trigger_serves_twice(offer):
    """If this ever stops serving twice, the races above prove nothing."""
    [wait] = waits(offer, 2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE %s", [f"%{SERVED_ONCE}%"])
        [trigger] = cursor.fetchone()
        cursor.execute(f"ALTER TABLE booking_wait DISABLE TRIGGER {trigger}")
    try:
        race_for(wait.pk, *[serve_without_lock] * PROCESSES)

        assert len(held()) > 1
        assert promised(offer, 12) > 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE booking_wait ENABLE TRIGGER {trigger}")


def test_who_leaves_meanwhile_is_either_served_or_gone(offer):
    [wait] = waits(offer, 2)

    said = race_for(wait.pk, serve, leave, serve, serve)

    wait.refresh_from_db()
    assert (wait.state, len(held())) == (("left", 0) if "left" in said else ("served", 1))


def test_an_offer_that_is_confirmed_as_it_lapses_is_one_or_the_other(offer):
    """Confirmed in time it is kept; lapsed, its hours go to the next and only once."""
    first, second = waits(offer, 8, 8)
    serve_waiting(now=NOON)
    first.refresh_from_db()
    lapse = first.reservation.expires_at
    services.advance_reservations(now=lapse)

    with pytest.raises(IllegalState), transaction.atomic():
        services.confirm(reservation=Reservation.objects.with_terms().get(pk=first.reservation_id), now=lapse)
    assert serve_waiting(now=lapse) == 1

    second.refresh_from_db()
    assert (second.reservation.units, promised(offer, 14)) == (8, 8)
