"""What a flat load at a point is matched by: its plants' own hours first, the grid's share for the rest."""

from datetime import timedelta

import numpy as np
import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from marketplace.energy.models import GenerationHour, ShareHour, SourceShare
from marketplace.energy.pointhours import PointLoad, point_hours, run_shares
from marketplace.energy.shares import shares_of
from marketplace.energy.supplyhours import plants_of
from tests.energy.evidence import HOUR, make_generation, make_point, make_share
from tests.energy.plants import SUN, forget_hours, make_plant, make_served, publish_grid
from tests.market import MONDAY, make_zone, triggers_off

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def point():
    publish_grid(make_zone(), MONDAY, days=40)
    return make_point()


def hours_at(point, watts=1000, *, start=MONDAY, hours=48, now=MONDAY):
    load = PointLoad(point.pk, point.zone, watts)
    return point_hours(loads=[load], start=start, hours=hours, now=now).point(load)


def test_the_supply_covers_the_load_first_and_the_grid_gives_its_share_of_the_rest(point):
    make_served(point, MONDAY, days=40)

    green = hours_at(point, 1000)

    assert green.matched_ppm[:24] == tuple(wh * 1000 for wh in SUN)
    assert green.renewable_ppm[6] == 100_000 + (900_000 * 500_000) // 1_000_000
    assert green.carbon_free_ppm[6] == 100_000 + (900_000 * 600_000) // 1_000_000
    assert green.grid_ppm == (500_000,) * 48
    assert (green.supplied, green.unproven) == (True, False)


def test_a_surplus_at_noon_is_worth_no_more_than_the_load(point):
    make_served(point, MONDAY, days=40)

    green = hours_at(point, 500)

    assert green.matched_ppm[11] == 1_000_000
    assert sum(green.matched_ppm[:24]) == sum(min(wh, 500) for wh in SUN) * 2000


def test_a_point_gets_its_slice_of_a_plant(point):
    make_served(point, MONDAY, days=40, low=250_000, high=500_000)

    assert hours_at(point, 1000).matched_ppm[11] == 250_000


def test_what_is_promised_of_an_hour_is_not_counted_again(point):
    make_served(point, MONDAY, days=40, wh=[800])
    with triggers_off():
        ShareHour.objects.create(share=SourceShare.objects.get(), start=MONDAY + 3 * HOUR, promised_ppm=750_000)

    green = hours_at(point, 1000)

    assert (green.matched_ppm[2], green.matched_ppm[3]) == (800_000, 200_000)
    assert (green.careful_ppm[2], green.careful_ppm[3]) == (800_000, 200_000)


def test_hours_outside_the_term_of_a_share_are_not_counted(point):
    source = make_plant(point)
    share = make_share(source, point)
    with triggers_off():
        SourceShare.objects.filter(pk=share.pk).update(valid=DateTimeTZRange(MONDAY + 5 * HOUR, MONDAY + 10 * HOUR))
    make_generation(source, MONDAY - 40 * DAY, *[800] * 960)

    counted = [hour for hour, ppm in enumerate(hours_at(point).matched_ppm) if ppm]

    assert counted == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "fields",
    [
        {"certificates_sold": True},
        {"evidence": "declared", "verified_by": None, "verified_at": None},
        {"evidence": "documents"},
        {"kind": "tariff"},
        {"kind": "certificate_only"},
    ],
)
def test_a_source_that_backs_no_hourly_claim_counts_nothing(point, fields):
    make_served(point, MONDAY, days=40, **fields)

    green = hours_at(point)

    assert not any(green.matched_ppm)
    assert not green.supplied


def test_a_contracted_plant_counts_by_what_was_certified_of_it_alone(point):
    source = make_served(point, MONDAY, days=40, wh=[800], kind="ppa_virtual")
    assert hours_at(point).unproven

    with triggers_off():
        GenerationHour.objects.filter(source=source).update(claimed_wh=300)
    source.save()

    assert set(hours_at(point).matched_ppm) == {300_000}


def test_a_contracted_plant_of_another_market_counts_nothing(point):
    elsewhere = make_zone("SE")
    source = make_served(point, MONDAY, days=40, wh=[800], kind="ppa_virtual")
    with triggers_off():
        type(source).objects.filter(pk=source.pk).update(zone=elsewhere)
        GenerationHour.objects.filter(source=source).update(claimed_wh=300)

    assert not hours_at(point).supplied


def test_under_fourteen_days_a_plant_is_unproven_and_counts_nothing(point):
    make_served(point, MONDAY, days=13)

    green = hours_at(point)

    assert (green.supplied, green.unproven) == (True, True)
    assert not any(green.matched_ppm)
    assert green.renewable_ppm == green.grid_ppm
    assert run_shares(green, MONDAY, MONDAY, MONDAY + HOUR).matched is None


def test_between_fourteen_days_and_ten_paths_a_plant_is_expected_and_cannot_be_promised(point):
    make_served(point, MONDAY, days=15)

    green = hours_at(point)

    assert green.matched_ppm[11] == 999_999
    assert green.unproven
    assert not any(green.careful_ppm)


def test_a_gap_is_not_filled_and_begins_the_history_anew(point):
    source = make_served(point, MONDAY, days=40)
    forget_hours(source, MONDAY - 13 * DAY, MONDAY - 13 * DAY + HOUR)
    source.save()

    assert hours_at(point).unproven


def test_a_plant_silent_for_five_days_counts_nothing(point):
    make_served(point, MONDAY - 5 * DAY - HOUR, days=34)

    assert hours_at(point).unproven


def test_a_plant_that_reports_late_is_forecast_from_its_last_hour(point):
    make_served(point, MONDAY - 30 * HOUR, days=38, wh=[800])

    assert set(hours_at(point).matched_ppm) == {800_000}


def test_hours_that_are_over_are_as_they_were_metered(point):
    source = make_served(point, MONDAY, days=40, wh=[800])
    make_generation(source, MONDAY, 100, 200, 300)

    green = hours_at(point, start=MONDAY, hours=24, now=MONDAY + 3 * HOUR)

    assert green.matched_ppm[:3] == green.careful_ppm[:3] == (100_000, 200_000, 300_000)
    assert [green.quality(hour) for hour in (0, 5)] == ["forecast", "forecast"]  # the grid's hour is not known yet


def test_where_nothing_is_on_sale_nothing_is_matched(point):
    make_served(point, MONDAY, days=40)

    assert not any(hours_at(point, 0).matched_ppm)


def test_an_hour_is_wholly_renewable_only_where_all_of_it_is_matched():
    publish_grid(make_zone("NO"), MONDAY, days=40, share=lambda n: 1_000_000)
    bare, served = make_point(zone=make_zone("NO")), make_point(zone=make_zone("NO"))
    make_served(served, MONDAY, days=40, wh=[1000])

    assert set(hours_at(bare).renewable_ppm) == {999_999}
    assert set(hours_at(bare).grid_ppm) == {1_000_000}
    assert set(hours_at(served).renewable_ppm) == {1_000_000}
    assert set(hours_at(served, 1001).renewable_ppm) == {999_999}


def test_no_hour_matches_more_than_it_is_renewable_or_is_more_renewable_than_carbon_free(point):
    make_served(point, MONDAY, days=40, wh=windy(3), technology="wind")

    green = hours_at(point, 700)

    shares = zip(green.matched_ppm, green.renewable_ppm, green.carbon_free_ppm, strict=True)
    assert all(careful <= 1_000_000 for careful in green.careful_ppm)
    assert all(matched <= renewable <= free for matched, renewable, free in shares)


def test_points_have_their_own_plants(point):
    other = make_point(zone=point.zone)
    make_served(point, MONDAY, days=40, wh=[800])
    make_served(other, MONDAY, days=40, wh=[300])

    assert hours_at(point).matched_ppm[0] == 800_000
    assert hours_at(other).matched_ppm[0] == 300_000


def windy(seed):
    return np.random.default_rng(seed).integers(0, 1600, 24 * 60).tolist()


@pytest.mark.parametrize("technology", ["wind", "solar"])
def test_the_mean_of_the_careful_hours_never_exceeds_the_worst_tenth_of_any_run(point, technology):
    publish_grid(make_zone("FR"), MONDAY, days=60)
    point = make_point(zone=make_zone("FR"))
    make_served(point, MONDAY, days=60, wh=windy(7), technology=technology)
    green = hours_at(point, hours=72)
    plants = plants_of(points=[point.pk], first=MONDAY, hours=72, now=MONDAY)
    [plant] = plants.of_point[point.pk]
    from marketplace.energy.paths import paths_known, supply_paths

    count = paths_known(plant.until - plant.run, 72)
    possible = supply_paths([plant.supply(plant.until, plant.free)], 72, count)

    for first in range(0, 72, 5):
        for length in (1, 2, 5, 13, 24, 72 - first):
            span = slice(first, first + length)
            use = np.full(len(possible[0, span]), 1000)
            shares = np.sort(shares_of(use, possible[:, span], np.zeros_like(possible[:, span])).matched)
            tenth = -(-count // 10)
            assert sum(green.careful_ppm[span]) // len(use) <= shares[tenth - 1]


def test_the_queries_are_as_many_for_twenty_points_as_for_one(point, django_assert_num_queries):
    loads = []
    for _ in range(20):
        each = make_point(zone=point.zone)
        make_served(each, MONDAY, days=15)
        loads.append(PointLoad(each.pk, each.zone, 1000))

    with django_assert_num_queries(6):
        point_hours(loads=loads, start=MONDAY, hours=30, now=MONDAY)
    with django_assert_num_queries(2):
        point_hours(loads=loads, start=MONDAY, hours=30, now=MONDAY)
