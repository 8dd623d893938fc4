"""The shelf ranks and filters by the shares of an offer's own point: its plants first, the grid for the rest."""

from dataclasses import replace
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from scheduler.quoting import make_quote
from scheduler.search import Need, search
from tests.energy.evidence import make_generation, make_share
from tests.energy.plants import make_plant, make_served
from tests.market import NOON, make_cpu, make_offer, make_organization
from tests.search.shelf import make_shelf, need

pytestmark = pytest.mark.django_db
LOAD = 16 * 980 * 12 // 10  # W of the grey offer, all units at full power with the overhead


@pytest.fixture
def shelf():
    return make_shelf(NOON)


def found(shelf, text):
    names = {offer.public_id: name for name, offer in shelf.items()}
    return {names[row.offer.public_id] for row in search(need=need(text), now=NOON).rows}


def row_of(offer, text="hours=4"):
    return next(row for row in search(need=need(text), now=NOON).rows if row.offer.pk == offer.pk)


def powered(offer, *, days=40, part=1.0):
    """Give the offer's site a plant that makes `part` of its load in every hour."""
    make_served(offer.site.point, NOON, days=days, wh=[int(LOAD * part)], technology="wind")


def test_an_offer_with_its_own_plant_ranks_by_what_that_plant_adds(shelf):
    assert found(shelf, "renewable_share__gte=0.5&accelerator=H100") == {"near", "green", "loose"}

    powered(shelf["grey"], part=0.75)

    assert found(shelf, "renewable_share__gte=0.7&accelerator=H100") == {"green", "grey"}
    assert row_of(shelf["grey"]).ranked.share_ppm == 775_000
    assert row_of(shelf["grey"]).shares.grid == 100_000


def test_the_matched_filter_compares_what_can_be_promised(shelf):
    powered(shelf["grey"], part=0.75)

    assert found(shelf, "matched_share__gte=0.7&accelerator=H100") == {"grey"}
    assert found(shelf, "matched_share__gte=0.8&accelerator=H100") == set()


def test_what_is_unproven_never_passes_the_matched_filter(shelf):
    powered(shelf["grey"], days=20)  # expected, but fewer than ten paths of a week are known

    assert row_of(shelf["grey"]).shares.expected > 900_000
    assert row_of(shelf["grey"]).shares.matched is None
    assert found(shelf, "matched_share__gte=0.01&accelerator=H100") == set()


def test_the_carbon_free_filter_counts_the_own_plant_too(shelf):
    powered(shelf["grey"])

    assert found(shelf, "carbon_free_share__gte=0.96&accelerator=H100") == {"grey"}


def test_all_that_a_point_has_on_sale_shares_its_plant(shelf):
    powered(shelf["grey"])
    alone = row_of(shelf["grey"]).shares.expected

    make_offer(shelf["grey"].site, units=16, now=NOON, hardware=make_cpu())
    make_offer(shelf["grey"].site, units=16, now=NOON)

    assert 480_000 < row_of(shelf["grey"]).shares.expected < alone // 2


def test_machines_that_two_offers_share_are_one_load(shelf):
    grey = shelf["grey"]
    powered(grey)
    alone = row_of(grey).shares.expected

    make_offer(grey.site, units=16, now=NOON, tier="interruptible", notice_s=30, twin=grey)

    assert row_of(grey).shares.expected == alone


def test_the_list_of_offers_shows_the_three_shares_beside_each_other():
    now = hour_floor(utc_now())
    shelf = make_shelf(now)
    source = make_plant(shelf["grey"].site.point, technology="wind")
    make_share(source, shelf["grey"].site.point)
    make_generation(source, now - timedelta(days=40), *[LOAD // 2] * 960)

    answer = APIClient().get("/api/v1/offers", {"accelerator": "H100", "sort": "-renewable_share"}).json()
    match = next(row["match"] for row in answer["data"] if row["id"] == shelf["grey"].public_id)

    assert match["matched_share_ppm"] == match["matched_expected_ppm"]
    assert 490_000 < match["matched_share_ppm"] < 510_000
    assert (match["grid_share_ppm"], match["carbon_free_share_ppm"] > 970_000) == (100_000, True)
    rest = 1_000_000 - match["matched_expected_ppm"]
    assert abs(match["renewable_share_ppm"] - match["matched_expected_ppm"] - rest // 10) <= 2


def test_a_ranking_asks_as_much_for_many_offers_as_for_few(shelf, django_assert_max_num_queries):
    powered(shelf["grey"])
    for _ in range(10):
        make_offer(shelf["grey"].site, now=NOON)
        make_offer(shelf["near"].site, now=NOON)

    with django_assert_max_num_queries(16):
        search(need=need("hours=4"), now=NOON)
    assert Offer.objects.count() == 25


def test_the_greenest_start_is_where_the_own_plant_makes_power_and_the_quote_takes_it(shelf):
    """The grid is alike at all hours; the plant runs from three to five in the night."""
    at_night = [LOAD if hour in (15, 16) else 0 for hour in range(24)]  # of a day that begins at noon
    make_served(shelf["grey"].site.point, NOON, days=40, wh=at_night, technology="wind")
    wanted = Need(hours=2, limits={"offer": [shelf["grey"].public_id]})

    starts = search(need=wanted, now=NOON).starts
    quote = make_quote(buyer=make_organization(), need=replace(wanted, when="greenest"), now=NOON)

    night = int((NOON + timedelta(hours=15)).timestamp())
    assert {when: start.start_s - night for when, start in starts.items()}["greenest"] % 86_400 == 0
    assert starts["now"].start_s == NOON.timestamp()
    assert starts["greenest"].share_ppm > 900_000 > starts["now"].share_ppm
    assert quote.options[0]["start"][11:] == "03:00:00Z"
