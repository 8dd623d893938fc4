"""The shelf ranked for a need: filters by the page's names, the core's order, ways out that open, quotes that hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.booking.errors import QuoteExpired
from marketplace.booking.models import CapacityDay, Quote, Reservation
from marketplace.booking.services import advance_reservations, hold_option
from marketplace.catalog.filters import NearRequired
from marketplace.catalog.models import HOURS_OF_WEEK
from marketplace.common.errors import InvalidParameter, UnknownParameter
from scheduler.core import ranking
from scheduler.errors import NoOfferFits
from scheduler.quoting import make_quote, sign
from scheduler.search import Need, facets, search
from tests.market import NOON, make_offer, make_organization, make_site, make_zone
from tests.search.shelf import make_shelf, need

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    return make_shelf()


def found(shelf, query, **kinds):
    """Names of the offers that a query finds, in its order."""
    names = {offer.public_id: name for name, offer in shelf.items()}
    return [names[row.offer.public_id] for row in search(need=need(query), now=NOON, **kinds).rows]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"near", "green", "grey", "edge", "loose"}),
        ("accelerator=H100", {"near", "green", "grey", "loose"}),
        ("accelerator=A100", {"edge"}),
        ("accelerator=A100&accelerator=H100", {"near", "green", "grey", "edge", "loose"}),
        ("memory_gb__gte=80", {"near", "green", "grey", "loose"}),
        ("kind=edge", {"edge"}),
        ("residency=de,no", {"near", "green"}),
        ("region=eu-north", {"green"}),
        ("tier=interruptible", {"loose"}),
        ("notice_s__gte=120", {"near", "green", "grey", "edge"}),
        ("renewable_share__gte=0.8", {"green"}),
        ("renewable_share__gte=0.5", {"near", "green", "edge", "loose"}),
        ("near=berlin&latency_ms__lte=20", {"near", "grey"}),
        ("price__lte=200", {"grey", "edge", "loose"}),
        ("units=9", {"grey"}),
        ("free__gte=16", {"grey"}),
        ("q=green", {"green"}),
        ("q=nauen compute edge", {"edge"}),
        ("residency=US", set()),
    ],
)
def test_a_filter_keeps_exactly_what_it_names(shelf, query, names):
    assert set(found(shelf, query)) == names


def test_a_paused_offer_is_not_on_the_shelf(shelf):
    shelf["near"].state = "paused"
    shelf["near"].save()

    assert "near" not in found(shelf, "")


def test_an_unknown_filter_names_the_nearest_one(shelf):
    with pytest.raises(UnknownParameter) as refused:
        need("acelerator=H100")

    assert refused.value.hint == "accelerator"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("renewable_share__gte=80", "0.8"), ("reliability__gte=99", "0.99"),
        ("price__lte=2.00", "200"), ("total__lte=12.5", "1250"),
    ],
)  # fmt: skip
def test_a_value_in_another_unit_is_refused_with_the_value_that_was_meant(shelf, query, hint):
    with pytest.raises(InvalidParameter) as refused:
        need(query)

    [problem] = refused.value.problems
    assert (problem.pointer, problem.hint) == (query.partition("=")[0], hint)


def test_a_latency_limit_needs_a_place_to_count_from(shelf):
    with pytest.raises(NearRequired):
        need("latency_ms__lte=20")


def test_an_unknown_place_is_refused_with_the_places_there_are(shelf):
    with pytest.raises(InvalidParameter) as refused:
        need("near=atlantis")

    assert refused.value.problems[0].hint == "berlin"


def test_the_list_stands_in_the_order_of_the_core(shelf):
    result = search(need=need("near=berlin&units=2&hours=3"), now=NOON)

    core = [each.offer.id for each in ranking.rank(result.snapshot, result.ask).ranked]
    assert [row.offer.public_id for row in result.rows] == core
    assert [row.rank for row in result.rows] == [1, 2, 3, 4, 5]
    assert [row.letter for row in result.rows] == list("ABCDE")
    costs = [row.ranked.z for row in result.rows]
    assert costs == sorted(costs)


def test_what_matters_to_the_buyer_decides_who_is_first(shelf):
    assert found(shelf, "near=berlin&accelerator=H100&w_price=5&w_latency=95&w_green=0")[0] == "near"
    assert found(shelf, "near=berlin&accelerator=H100&w_price=5&w_latency=0&w_green=95")[0] == "green"
    assert found(shelf, "near=berlin&accelerator=H100&w_price=100&w_latency=0&w_green=0")[0] == "loose"


def test_a_list_in_another_order_keeps_each_rank_by_cost(shelf):
    dearest_first = search(need=need("accelerator=H100"), now=NOON, sort="-total").rows
    by_cost = {row.offer.public_id: row.rank for row in search(need=need("accelerator=H100"), now=NOON).rows}

    assert [row.total_minor for row in dearest_first] == sorted(
        (row.total_minor for row in dearest_first), reverse=True
    )
    assert {row.offer.public_id: row.rank for row in dearest_first} == by_cost


@pytest.mark.parametrize("order", ["latency", "-latency"])
def test_what_is_unknown_stands_last_in_either_order(shelf, order):
    far = make_offer(make_site(zone=make_zone("MIXED")), now=NOON)

    rows = search(need=need("near=berlin"), now=NOON, sort=order).rows

    known = [row.ranked.latency_ms for row in rows[:-1]]
    assert (rows[-1].offer, rows[-1].ranked.latency_ms) == (far, None)
    assert known == sorted(known, reverse=order.startswith("-"))


@pytest.mark.parametrize("order", ["reliability", "-reliability"])
def test_a_reliability_of_nought_is_known(shelf, order):
    shelf["near"].reliability_ppm, shelf["green"].reliability_ppm = 0, 999_000
    for name in ("near", "green"):
        shelf[name].save()

    assert found(shelf, "accelerator=H100", sort=order)[:2] == (
        ["near", "green"] if order == "reliability" else ["green", "near"]
    )


def test_equals_stand_by_their_id_in_either_order(shelf):
    for order in ("unit_price", "-unit_price"):
        make_offer(shelf["near"].site, rate_mm=300_000, now=NOON)
        rows = search(need=need("accelerator=H100"), now=NOON, sort=order).rows
        same = [row.offer.public_id for row in rows if row.offer.site == shelf["near"].site]
        assert same == sorted(same)
        assert len(same) > 1


def test_an_unknown_order_is_refused_with_the_orders_there_are(shelf):
    with pytest.raises(InvalidParameter) as refused:
        search(need=Need(), now=NOON, sort="colour")

    assert "total" in refused.value.problems[0].hint


def test_totals_are_what_the_lines_add_up_to(shelf):
    for row in search(need=need("units=3&hours=5"), now=NOON).rows:
        assert row.total_minor == sum(line.amount_minor for line in row.price_lines) > 0


@pytest.mark.parametrize("name", ["accelerator", "kind", "tier", "residency", "region"])
def test_a_facet_counts_what_its_filter_would_find(shelf, name):
    counts = facets(search(need=need("renewable_share__gte=0.5"), now=NOON))[name]

    assert counts
    for value, count in counts.items():
        assert len(found(shelf, f"renewable_share__gte=0.5&{name}={value}")) == count


def test_a_facet_leaves_its_own_filter_out(shelf):
    counts = facets(search(need=need("accelerator=A100&near=berlin"), now=NOON))

    assert counts["accelerator"] == {"A100": 1, "H100": 4}
    assert counts["kind"] == {"edge": 1}
    assert counts["latency_ms__lte"]["100"] == 1


@pytest.mark.parametrize(
    "query", ["price__lte=1", "renewable_share__gte=0.95", "near=berlin&latency_ms__lte=1", "residency=US", "units=40"]
)
def test_every_way_out_really_admits_the_offer_it_names(shelf, query):
    """Each way out is taken alone; without its limit as many offers return as it says."""
    asked = need(query)
    result = search(need=asked, now=NOON)

    assert not result.rows
    assert result.relax
    for way in result.relax:
        opened = search(need=changed(asked, way["changes"]), now=NOON).rows
        dropped = search(need=changed(asked, dict.fromkeys(way["changes"])), now=NOON).rows
        assert way["offer"] in {row.offer.public_id for row in opened}, way
        assert len(dropped) == way["offers"]


def changed(asked, changes):
    """The need with limits changed, or dropped where the new value is None."""
    limits = {name: value for name, value in (asked.limits | changes).items() if value is not None}
    units = changes.get("units", asked.units) or 1
    return replace(asked, units=units, limits={name: limits[name] for name in limits if name != "units"})


def test_what_is_refused_is_counted_by_the_limit_that_refuses(shelf):
    result = search(need=need("accelerator=H100&renewable_share__gte=0.8"), now=NOON)

    assert result.considered == 5
    assert result.rejected == {"hardware": 1, "renewable": 4}


def test_a_longer_shelf_costs_no_more_queries(shelf):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as caught:
            search(need=need("near=berlin"), now=NOON)
        return len(caught)

    queries()
    before = queries()
    for _ in range(6):
        make_offer(make_site(zone=make_zone("MIXED")))

    assert queries() == before


@pytest.fixture
def buyer():
    return make_organization("Buyer")


def quote_of(buyer, query="accelerator=H100&units=2&hours=3", **fields):
    return make_quote(buyer=buyer, need=need(query), now=NOON, **fields)


def reprice(offer):
    offer.rate_mm = [9_000_000] * HOURS_OF_WEEK
    offer.save()


def test_a_quote_keeps_its_options_when_prices_change(shelf, buyer):
    quote = quote_of(buyer)
    before = [option["total_minor"] for option in quote.options]

    for offer in shelf.values():
        reprice(offer)

    kept = Quote.objects.get(pk=quote.pk)
    assert [option["total_minor"] for option in kept.options] == before
    assert [option["rank"] for option in kept.options] == [1, 2, 3, 4]
    assert kept.signature == sign(kept.public_id, kept.options)


def test_a_changed_price_no_longer_has_the_quote_s_signature(shelf, buyer):
    quote = quote_of(buyer)
    quote.options[0]["total_minor"] -= 1

    assert quote.signature != sign(quote.public_id, quote.options)


def test_a_quote_that_holds_promises_its_first_option_until_it_expires(shelf, buyer, settings):
    quote = quote_of(buyer, hold=True)

    held = Reservation.objects.get(quote=quote)
    assert (held.state, held.offer.public_id, held.units) == ("held", quote.options[0]["offer"]["id"], 2)
    assert held.expires_at == quote.expires_at == NOON + settings.HOLD_FOR
    assert held.contract.total_minor == quote.options[0]["total_minor"]
    row = CapacityDay.objects.get(offer=held.offer, day=held.start.date())
    assert row.units_promised[held.start.hour] == 2

    advance_reservations(now=quote.expires_at)

    held.refresh_from_db()
    row.refresh_from_db()
    assert held.state == "expired"
    assert sum(row.units_promised) == 0


def test_an_expired_quote_can_no_longer_be_taken(shelf, buyer):
    quote = quote_of(buyer)

    with pytest.raises(QuoteExpired):
        hold_option(quote=quote, option=1, now=quote.expires_at)

    assert hold_option(quote=quote, option=1, now=quote.expires_at - timedelta(seconds=1)).state == "held"


def test_a_reservation_costs_what_its_quote_said_after_a_price_change(shelf, buyer):
    quote = quote_of(buyer)
    chosen = next(offer for offer in shelf.values() if offer.public_id == quote.options[0]["offer"]["id"])
    reprice(chosen)

    held = hold_option(quote=quote, option=1, now=NOON)

    assert held.contract.total_minor == quote.options[0]["total_minor"]
    assert held.contract.price_lines == quote.options[0]["price_lines"]


def test_a_quote_for_what_nobody_has_says_what_would_help_and_is_not_stored(shelf, buyer):
    with pytest.raises(NoOfferFits) as refused:
        quote_of(buyer, "price__lte=1")

    assert refused.value.facts["relax"][0]["limit"] == "price__lte"
    assert not Quote.objects.exists()
