"""The shelf ranks and filters by the shares of an offer's own point: its plants first, the grid for the rest."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange
from rest_framework.test import APIClient

from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from marketplace.energy.models import SourceShare
from scheduler.quoting import make_quote
from scheduler.search import Need, facets, search
from tests.energy.evidence import make_generation, make_issuance, make_share, make_source
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

    with django_assert_max_num_queries(18):
        search(need=need("hours=4"), now=NOON)
    assert Offer.objects.count() == 25


# ---- sources of the energy, and how finely its time is known


def serve(offer, kind="onsite", technology="wind", *, low=0, high=1_000_000, **fields):
    """A source with a share of the offer's point; nobody has verified it unless `fields` say so."""
    source = make_source(offer.site.provider, zone=offer.site.zone, kind=kind, technology=technology, **fields)
    make_share(source, offer.site.point, low, high)
    return source


def certify(source, resolution, length):
    make_issuance(NOON - timedelta(days=400), source=source, length=length, temporal_resolution=resolution)


def facet(shelf, name, text="hours=4"):
    return facets(search(need=need(text), now=NOON))[name]


def test_the_source_filter_takes_any_of_the_kinds_and_technologies_named(shelf):
    make_share(make_plant(shelf["near"].site.point, technology="solar"), shelf["near"].site.point)
    serve(shelf["grey"], "ppa_physical", "wind", high=500_000)
    serve(shelf["grey"], "tariff", "hydro")

    assert found(shelf, "energy_source=solar&accelerator=H100") == {"near"}
    assert found(shelf, "energy_source=onsite&accelerator=H100") == {"near"}
    assert found(shelf, "energy_source=solar&energy_source=hydro&accelerator=H100") == {"near", "grey"}
    assert found(shelf, "energy_source=ppa_physical&accelerator=H100") == {"grey"}
    assert found(shelf, "energy_source=geothermal&accelerator=H100") == set()


def test_a_source_whose_certificates_are_sold_or_whose_share_has_ended_is_not_behind_an_offer(shelf):
    serve(shelf["near"], technology="solar", certificates_sold=True)
    source = make_source(shelf["grey"].site.provider, technology="solar")
    SourceShare.objects.create(
        source=source, point=shelf["grey"].site.point, slice=NumericRange(0, 100),
        valid=DateTimeTZRange(NOON - timedelta(days=9), NOON),
    )  # fmt: skip

    assert found(shelf, "energy_source=solar&accelerator=H100") == set()


def test_the_time_of_production_is_at_least_as_fine_as_asked_for(shelf):
    make_share(make_plant(shelf["near"].site.point), shelf["near"].site.point)
    certify(serve(shelf["grey"], "tariff", "hydro"), "month", timedelta(days=30))
    certify(serve(shelf["green"], "certificate_only"), "year", timedelta(days=365))
    serve(shelf["loose"])  # metered by nobody

    assert found(shelf, "temporal_resolution=hour&accelerator=H100") == {"near"}
    assert found(shelf, "temporal_resolution=day&accelerator=H100") == {"near"}
    assert found(shelf, "temporal_resolution=month&accelerator=H100") == {"near", "grey"}
    assert found(shelf, "temporal_resolution=year&accelerator=H100") == {"near", "grey", "green"}


def test_facets_count_each_choice_without_its_own_filter(shelf):
    make_share(make_plant(shelf["near"].site.point, technology="solar"), shelf["near"].site.point)
    certify(serve(shelf["grey"], "tariff", "hydro"), "month", timedelta(days=30))
    every = {"hydro": 1, "onsite": 1, "solar": 1, "tariff": 1}

    assert facet(shelf, "energy_source") == every
    assert facet(shelf, "energy_source", "hours=4&energy_source=solar") == every
    assert facet(shelf, "energy_source", "hours=4&temporal_resolution=hour") == {"onsite": 1, "solar": 1}
    assert facet(shelf, "temporal_resolution", "hours=4&temporal_resolution=hour") == {"hour": 1, "month": 1}


def test_the_api_takes_the_same_names_and_refuses_what_it_does_not_know():
    now = hour_floor(utc_now())
    shelf = make_shelf(now)
    make_share(make_plant(shelf["near"].site.point, technology="solar"), shelf["near"].site.point)
    client = APIClient()

    def ids(**query):
        return {row["id"] for row in client.get("/api/v1/offers", query).json()["data"]}

    assert ids(energy_source="solar", temporal_resolution="hour") == {shelf["near"].public_id}
    assert ids(energy_source=["wind", "hydro"]) == set()
    for query in ({"energy_source": "coal"}, {"temporal_resolution": "minute"}):
        answer = client.get("/api/v1/offers", query)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def test_nothing_of_that_source_says_which_filter_to_drop(shelf):
    result = search(need=need("energy_source=marine&accelerator=H100"), now=NOON)

    assert (len(result.rows), result.rejected) == (0, {"energy_source": 5, "hardware": 1})
    assert any(dict(way["changes"]) == {"energy_source": None} for way in result.relax)


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
