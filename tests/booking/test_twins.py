"""An interruptible offer sells what its firm twin has not sold, hour by hour, in the same transaction."""

import multiprocessing
from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, connection, connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.booking import services, taking
from marketplace.booking.capacity import Hours
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.models import CapacityDay
from marketplace.booking.taking import ALONE, Claims, take_many
from marketplace.catalog.models import Offer
from tests.market import MONDAY, NOON, at, make_cpu, make_offer, make_organization, make_site

pytestmark = pytest.mark.django_db
UNITS = 6
HOUR = int(NOON.timestamp()) // 3600
FORK = multiprocessing.get_context("fork")


def make_pair(units=UNITS, **fields):
    """(firm, interruptible) on the same machines."""
    firm = make_offer(units=units, **fields)
    return firm, make_offer(firm.site, units=units, tier="interruptible", twin=firm, **fields)


@pytest.fixture
def pair():
    return make_pair()


@pytest.fixture
def buyer():
    return make_organization()


def hold(buyer, offer, units, start=20, end=22):
    return services.hold_units(
        buyer=buyer, offer=offer, units=units, start=at(MONDAY, start), end=at(MONDAY, end), now=NOON
    )


def total(offer, day=MONDAY):
    return CapacityDay.objects.get(offer=offer, day=day.date()).units_total


def promised(offer, day=MONDAY):
    return CapacityDay.objects.get(offer=offer, day=day.date()).units_promised


def totals_agree():
    """Of each pair and day: the interruptible offer has what its twin has not promised."""
    for rest in CapacityDay.objects.filter(offer__twin__isnull=False):
        day = CapacityDay.objects.get(offer=rest.offer.twin, day=rest.day)
        assert rest.units_total == [t - p for t, p in zip(day.units_total, day.units_promised, strict=True)]


def test_a_firm_sale_leaves_the_rest_and_what_comes_back_is_there_again(pair, buyer):
    firm, loose = pair
    held = hold(buyer, firm, 4)

    assert total(loose)[19:23] == [UNITS, UNITS - 4, UNITS - 4, UNITS]
    services.cancel(reservation=held, now=NOON)
    assert total(loose) == [UNITS] * 24
    totals_agree()


def test_firm_units_that_interruptible_work_uses_are_not_sold_at_once(pair, buyer):
    firm, loose = pair
    hold(buyer, loose, 4)

    with pytest.raises(CapacityTaken):
        hold(buyer, firm, 3)

    assert promised(firm) == [0] * 24
    assert hold(buyer, firm, 2)
    totals_agree()


def test_the_database_refuses_a_firm_promise_that_runs_into_interruptible_work(pair, buyer):
    firm, loose = pair
    hold(buyer, loose, 4)

    with pytest.raises(IntegrityError, match="capacity_never_oversold"), transaction.atomic():
        CapacityDay.objects.filter(offer=firm).update(units_promised=[3] * 24)

    assert promised(firm) == [0] * 24


def test_days_begin_with_what_the_twin_has_left_whichever_comes_first(buyer):
    firm = make_offer(units=UNITS, days=1)
    hold(buyer, firm, 5)
    loose = make_offer(firm.site, units=UNITS, tier="interruptible", twin=firm, days=3)

    assert total(loose)[19:23] == [UNITS, 1, 1, UNITS]
    assert total(loose, MONDAY + timedelta(days=1)) == [0] * 24
    services.ensure_capacity(offer=firm, first=MONDAY.date(), days=3)
    assert total(loose, MONDAY + timedelta(days=1)) == [UNITS] * 24
    totals_agree()


def test_what_is_free_of_a_twin_is_what_nobody_uses(pair, buyer):
    firm, loose = pair
    alone = make_offer(units=3)
    hours = Hours(offers=[firm.pk, loose.pk, alone.pk], first=NOON, hours=24)
    hold(buyer, loose, 4)
    hold(buyer, firm, 1)

    touched = hours.read_again()

    free = (hours.total - hours.promised)[:, 8:10].tolist()
    assert free == [[1, 1], [1, 1], [3, 3]]
    assert {0, 1} <= set(touched)
    assert CapacityDay.objects.free_by_hour(firm, MONDAY.date(), MONDAY.date())[MONDAY.date(), 20] == 1


def claims(*rows):
    return Claims(*np.array([(*row, ALONE) for row in rows], dtype=np.int64).reshape(-1, 6).T)


def test_claims_of_both_are_measured_together_and_the_worthiest_stay(pair):
    firm, loose = pair
    asked = claims((firm.pk, HOUR, HOUR + 2, 4, 10), (loose.pk, HOUR, HOUR + 1, 2, 5), (loose.pk, HOUR, HOUR + 1, 1, 7))

    assert take_many(asked).tolist() == [True, False, True]

    assert (promised(firm)[12], promised(loose)[12], total(loose)[12]) == (4, 1, 2)
    totals_agree()


class Undone(Exception):
    """Nothing of an example stays."""


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_no_set_of_claims_oversells_machines_that_two_offers_share(asked):
    with pytest.raises(Undone), transaction.atomic():
        firm, loose = make_pair(days=3)
        offers = [firm.pk, loose.pk, make_offer(units=4, days=3).pk]
        kept = take_many(claims(*((offers[o], HOUR + f, HOUR + f + n, u, w) for o, f, n, u, w in asked)))
        machines = np.zeros(36)
        for (offer, first, length, units, _), stays in zip(asked, kept.tolist(), strict=True):
            machines[first : first + length] += units * stays * (offer < 2)
        assert machines.max() <= UNITS
        assert kept.any()
        totals_agree()
        raise Undone


def take_in_process(offers, turn, database, meet, results):
    """One process: claim a unit of either offer, sixty times."""
    connections.close_all()
    connections["default"].settings_dict["NAME"] = database
    meet.wait(timeout=60)
    got = 0
    for number in range(60):
        offer = offers[(turn + number) % 2]
        got += int(take_many(claims((offer, HOUR, HOUR + 30, 1, 1))).sum())
    results.put(got)
    connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_sales_of_both_race_and_the_machines_are_sold_once():
    pair = make_pair(units=50)
    results, meet = FORK.Queue(), FORK.Barrier(4)
    database = connection.settings_dict["NAME"]
    offers = [offer.pk for offer in pair]
    connections.close_all()
    racers = [FORK.Process(target=take_in_process, args=(offers, n, database, meet, results)) for n in range(4)]
    for racer in racers:
        racer.start()
    got = sum(results.get(timeout=120) for _ in racers)
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0

    assert got == 50
    assert promised(pair[0])[12] + promised(pair[1])[12] == 50
    totals_agree()


@pytest.mark.parametrize(
    ("broken", "write"),
    [
        ("offer_twin_on_the_same_machines", lambda firm, _: make_offer(make_site(), tier="interruptible", twin=firm)),
        (
            "offer_twin_on_the_same_machines",
            lambda _, loose: loose_one(loose.site, make_offer(loose.site, tier=loose.tier)),
        ),
        ("offer_twin_on_the_same_machines", lambda firm, _: loose_one(firm.site, firm, hardware=make_cpu())),
        ("offer_twin_on_the_same_machines", lambda firm, _: change(firm, tier="interruptible")),
        ("offer_twin_on_the_same_machines", lambda _, loose: change(loose, twin=None)),
        ("offer_twin_of_one", lambda firm, _: loose_one(firm.site, firm)),
        ("offer_twin_of_interruptible", lambda _, loose: change(loose, tier="firm")),
    ],
)
def test_the_database_keeps_twins_on_the_same_machines(pair, broken, write):
    with pytest.raises(IntegrityError, match=broken), transaction.atomic():
        write(*pair)


def loose_one(site, twin, **fields):
    return make_offer(site, tier="interruptible", twin=twin, **fields)


def change(offer, **fields):
    Offer.objects.filter(pk=offer.pk).update(**fields)


def test_the_control_measured_apart_the_whole_batch_is_refused_by_the_database(pair, monkeypatch):
    firm, loose = pair
    nobody = np.zeros(0, dtype=np.int64)
    monkeypatch.setattr(taking, "twins_of", lambda _: taking.Twins(nobody, nobody))

    with pytest.raises(IntegrityError, match="capacity_never_oversold"), transaction.atomic():
        take_many(claims((firm.pk, HOUR, HOUR + 1, 4, 10), (loose.pk, HOUR, HOUR + 1, 3, 5)))
