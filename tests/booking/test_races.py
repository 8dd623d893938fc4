"""Eight processes race for the last units: never oversold. The control without the guard oversells."""

import multiprocessing
import os
from datetime import timedelta

import pytest
from django.db import connection, connections

from marketplace.booking import services
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.models import CapacityDay, Reservation
from tests.market import MONDAY, NOON, at, make_offer, make_organization

PROCESSES = 8
ROUNDS = 40
UNITS = 5
START_TOGETHER = multiprocessing.get_context("fork").Barrier(PROCESSES)


def _race(worker: str, offer_pk: int, buyer_pk: int, database: str, results) -> None:
    """One process: try to hold a unit ROUNDS times with the named way, report the holds it got."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    from accounts.models import Organization
    from marketplace.catalog.models import Offer

    offer = Offer.objects.with_shelf().get(pk=offer_pk)
    buyer = Organization.objects.get(pk=buyer_pk)
    got = 0
    for number in range(ROUNDS):
        try:
            WAYS[worker](offer, buyer, number)
            got += 1
        except CapacityTaken:
            continue
    results.put((os.getpid(), got))
    connections.close_all()


def guarded(offer, buyer, number):
    services.hold_units(
        buyer=buyer,
        offer=offer,
        units=1,
        start=at(MONDAY, 20),
        end=at(MONDAY, 28),
        now=NOON + timedelta(seconds=number),
    )


def read_then_write(offer, buyer, number):
    """The control: read, test in Python, write what was read plus one, with the CHECK taken away."""
    rows = list(CapacityDay.objects.filter(offer=offer, day=MONDAY.date()))
    if number == 0:
        START_TOGETHER.wait(timeout=60)  # every process has read before any writes
    if rows[0].units_promised[20] >= UNITS:
        raise CapacityTaken(offer=offer.public_id, units=1)
    rows[0].units_promised[20] += 1
    rows[0].save(update_fields=["units_promised"])


WAYS = {"guarded": guarded, "read_then_write": read_then_write}


def race(way: str, offer, buyer) -> int:
    """Run the processes; the number of holds they were all granted."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    database = connection.settings_dict["NAME"]
    connections.close_all()
    racers = [
        context.Process(target=_race, args=(way, offer.pk, buyer.pk, database, results)) for _ in range(PROCESSES)
    ]
    for racer in racers:
        racer.start()
    granted = sum(results.get(timeout=120)[1] for _ in racers)
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    return granted


@pytest.mark.django_db(transaction=True)
def test_eight_processes_never_sell_more_than_there_is():
    offer, buyer = make_offer(units=UNITS), make_organization()

    granted = race("guarded", offer, buyer)

    assert granted == UNITS
    assert Reservation.objects.count() == UNITS
    days = CapacityDay.objects.filter(offer=offer).order_by("day")
    assert days[0].units_promised == [0] * 20 + [UNITS] * 4
    assert days[1].units_promised == [UNITS] * 4 + [0] * 20


@pytest.mark.django_db(transaction=True)
def test_the_control_without_the_guard_oversells():
    """If this ever stops overselling, the race above proves nothing."""
    offer, buyer = make_offer(units=UNITS), make_organization()

    granted = race("read_then_write", offer, buyer)

    assert granted > UNITS
