"""What was settled in a zone: three shares, each a sum of its own, with how much they rest on."""

from datetime import timedelta

import pytest

from marketplace.energy.models import GridHour
from marketplace.energy.supply import take
from marketplace.energy.zonestats import YEAR, points_in, retired_in, settled_in, told_of
from tests.energy.evidence import HOUR, make_issuance, make_lot, make_point
from tests.energy.test_listings import settle
from tests.market import MONDAY, make_zone

pytestmark = pytest.mark.django_db
NOW = MONDAY + timedelta(days=5)


def publish(zone, start, ppm, *, source="test", vintage="1", later=0):
    return GridHour.objects.create(
        zone=zone, start=start, direct_mg_per_kwh=400_000, lifecycle_mg_per_kwh=450_000, renewable_ppm=ppm,
        carbon_free_ppm=ppm, source=source, vintage=vintage, published_at=start + later * HOUR,
    )  # fmt: skip


@pytest.fixture
def zone():
    return make_zone()


def test_the_worked_example_of_two_hours(zone):
    """E 1000 and 1000, matched 1000 and 250, g 0.30 and 0.20: matched 62.5 %, blended 70 %, grid 25 %."""
    point = make_point(zone=zone)
    for hour, (matched, ppm) in enumerate(((1000, 300_000), (250, 200_000))):
        settle(point, "job_a", MONDAY + hour * HOUR, 1000, matched)
        publish(zone, MONDAY + hour * HOUR, ppm)

    found = settled_in(zones=[zone], now=NOW)[zone.pk]

    assert (found.matched, found.blended, found.grid) == (625_000, 700_000, 250_000)
    assert (found.wh, found.known_wh, found.hours, found.uses) == (2000, 2000, 2, 1)


def test_an_hour_whose_grid_is_unknown_counts_as_matched_work_alone(zone):
    point = make_point(zone=zone)
    settle(point, "job_a", MONDAY, 1000, 500)
    settle(point, "job_b", MONDAY + HOUR, 1000, 0)
    assert settled_in(zones=[zone], now=NOW)[zone.pk][:3] == (250_000, None, None)

    publish(zone, MONDAY, 400_000)

    found = settled_in(zones=[zone], now=NOW)[zone.pk]
    assert found[:3] == (250_000, 700_000, 400_000)
    assert (found.wh, found.known_wh) == (2000, 1000)


def test_of_an_hour_the_latest_vintage_counts_and_what_is_invented_only_alone(zone):
    settle(make_point(zone=zone), "job_a", MONDAY, 1000, 0)
    publish(zone, MONDAY, 100_000)
    publish(zone, MONDAY, 200_000, vintage="2", later=1)
    publish(zone, MONDAY, 900_000, source="sample", later=2)

    assert settled_in(zones=[zone], now=NOW)[zone.pk].grid == 200_000
    assert told_of(zones=[zone], now=NOW)[zone.pk][1:] == ("test", "2")


def test_only_what_is_settled_within_the_time_counts(zone):
    point = make_point(zone=zone)
    settle(point, "job_a", NOW - timedelta(days=40), 1000, 1000)

    assert settled_in(zones=[zone], now=NOW) == {}
    assert settled_in(zones=[zone], now=NOW, back=YEAR)[zone.pk].matched == 1_000_000
    assert points_in(zones=[zone]) == {zone.pk: 1}


def test_what_was_retired_is_told_by_scheme_without_what_was_taken_back(zone):
    point = make_point(zone=zone)
    for scheme in ("METER", "GC"):
        lot = make_lot(1000, issuance=make_issuance(scheme=scheme), point=point)
        for old, new, wh in (
            ("available", "reserved", 800), ("reserved", "cancelled", 500), ("cancelled", "withdrawn", 100),
        ):  # fmt: skip
            take(lots=[lot.pk], wh=wh, old=old, new=new, subject="job_a", now=NOW)
    make_lot(1000, point=point)

    assert retired_in(zones=[zone], now=NOW) == {zone.pk: {"GC": 400, "METER": 400}}


def test_a_zone_without_published_hours_is_told_by_nobody(zone):
    publish(zone, NOW - timedelta(days=8), 100_000)

    assert told_of(zones=[zone], now=NOW) == {}
