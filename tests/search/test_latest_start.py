"""No start is later than `finish_by - run_s - 120 s`: what search shows and quotes freeze keeps to it as rounds do."""

from datetime import timedelta

import pytest

from marketplace.catalog.models import HOURS_OF_WEEK
from scheduler.core.ranking import STARTS
from scheduler.quoting import make_quote
from scheduler.search import search
from tests.market import MONDAY, NOON, make_offer, make_organization
from tests.search.shelf import Need, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def offer():
    """Every hour is cheaper than the one before, and greener: whoever may wait waits for the last start."""
    publish("DE", 500_000, NOON)
    offer = make_offer()
    offer.rate_mm = [900_000 - 1_000 * hour for hour in range(HOURS_OF_WEEK)]
    offer.save(update_fields=["rate_mm"])
    return offer


def asked(finish, *, when="cheapest", hours=2):
    return Need(hours=hours, when=when, finish_by=finish)


@pytest.mark.parametrize(
    ("late", "start"), [(timedelta(seconds=120), 18), (timedelta(seconds=119), 17), (timedelta(0), 17)]
)
def test_a_search_keeps_two_minutes_between_the_latest_end_and_the_window(offer, late, start):
    [row] = search(need=asked(MONDAY + 20 * HOUR + late), now=NOON).rows

    assert row.start == MONDAY + start * HOUR
    assert row.end + timedelta(seconds=120) <= MONDAY + 20 * HOUR + late


def test_a_quote_keeps_to_it_for_every_way_to_choose(offer):
    finish = MONDAY + 20 * HOUR
    for when in STARTS:
        quote = make_quote(buyer=make_organization(), need=asked(finish, when=when), now=NOON)
        [option] = quote.options
        assert option["start"] <= "2026-11-23T17:58:00Z", when
    assert option["end"] == "2026-11-23T19:00:00Z"


def test_a_window_that_only_just_holds_the_run_is_refused_and_the_way_out_opens_it(offer):
    result = search(need=asked(NOON + 2 * HOUR + timedelta(seconds=119)), now=NOON)

    assert (list(result.rows), result.rejected) == ([], {"window": 1})
    [way] = result.relax
    assert way["changes"] == {"finish_by": "2026-11-23T15:00:00Z"}
    assert search(need=asked(NOON + 3 * HOUR), now=NOON).rows


def test_the_four_starts_keep_to_it_too(offer):
    starts = search(need=asked(MONDAY + 20 * HOUR), now=NOON).starts

    assert {when: start.start_s <= (MONDAY + 18 * HOUR).timestamp() - 120 for when, start in starts.items()} == {
        "now": True, "balanced": True, "cheapest": True, "greenest": True,
    }  # fmt: skip
    assert starts["cheapest"].start_s == (MONDAY + 17 * HOUR).timestamp()
