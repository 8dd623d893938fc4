"""Batches and quality rounds are to the byte those of a plain twin, which has nothing of the core but its types."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings

from scheduler.core import batch, canonical, rounds
from scheduler.core.matching import match
from tests.core import reference_batch
from tests.core.market import HOUR, ask, batch_markets, offer, snapshot
from tests.core.reference_batch import BATCH, QUALITY
from tests.core.test_batches import small

EFFORTS = {"batch": BATCH, "quality": QUALITY}
SIZES = {
    "MOST_COLUMNS": "most_columns",
    "LEAST_COLUMNS": "least_columns",
    "COLUMNS": "columns",
    "MOST_STEPS": "most_steps",
}


def assert_equal(market, effort):
    """The plan to the byte, with why asks wait."""
    with pytest.MonkeyPatch.context() as patch:
        mine = batch.Effort(effort.steps, effort.moves_per_ask, effort.most_moves, effort.warm_steps)
        patch.setitem(rounds.EFFORTS, market.mode, mine)
        for name, size in SIZES.items():
            patch.setattr(batch, name, getattr(effort, size))
        plan = match(market)

    assert canonical.dump_plan(plan) == canonical.dump_plan(reference_batch.decide(market, effort))


def crowded(seed):
    """Three offers that differ in what they ask alone, many asks alike, and some so wide that a dozen must go for one.

    Prices are small whole numbers, so that much is equal: who stands first in a list decides.
    """
    dice, hours = random.Random(seed), 8
    offers = [
        offer(
            f"o{number}", hours=hours, price=[dice.choice((100, 150, 200)) for _ in range(hours)], share=10**6,
            free=[dice.choice((1, 6, 14, 14)) for _ in range(hours)], total=14, pf_milli=1000,
        )
        for number in range(3)
    ]  # fmt: skip
    plain = {"near": None, "weights": (100, 0, 0), "waiting_value": 0}
    forms = [{"run_s": HOUR * dice.choice((1, 2)), "bid_mm": dice.choice((250, 300))} for _ in range(3)]
    asks = [ask(f"a{number:02}", **plain, **dice.choice(forms)) for number in range(30)]
    asks += [
        ask(f"b{number}", units=dice.choice((5, 12, 14)), run_s=HOUR * dice.choice((1, 3, 4)),
            bid_mm=dice.choice((200, 250, 280)), **plain)
        for number in range(6)
    ]  # fmt: skip
    return replace(snapshot(offers, *asks), seed=seed)


def hot(seed):
    """The same beside one ask worth a thousand others: search cools down by the mean, so it ends far from its best."""
    market = crowded(seed)
    apart = offer("o9", hours=8, price=100, free=14, pf_milli=1000, share=10**6)
    asks = [replace(each, excluded_sites=("site-o9",)) for each in market.asks]
    rich = ask("z", units=14, run_s=8 * HOUR, bid_mm=460_000, limits={"offer": ("o9",)}, near=None)
    return replace(market, offers=(*market.offers, apart), asks=(*asks, rich))


def queued(seed):
    """A week of two offers that have a unit or none, and more asks than hours, all of which cost about as much."""
    dice, hours = random.Random(seed), 140
    offers = [
        offer(name, hours=hours, price=[dice.choice((100, 110, 120)) for _ in range(hours)], free=free, pf_milli=1000)
        for name, free in (("o0", 1), ("o1", [dice.choice((0, 0, 0, 1)) for _ in range(hours)]))
    ]
    plain = {"near": None, "weights": (80, 0, 20), "run_s": HOUR, "waiting_value": 0}
    asks = [ask(f"a{number:03}", bid_mm=dice.randrange(100, 400), **plain) for number in range(200)]
    return replace(snapshot(offers, *asks), seed=seed)


@pytest.mark.parametrize("mode", EFFORTS)
@settings(max_examples=200, deadline=None)
@given(market=batch_markets())
def test_the_plan_of_a_small_market_full_of_edges_is_that_of_the_plain_twin(mode, market):
    assert_equal(replace(market, mode=mode), EFFORTS[mode]._replace(moves_per_ask=40))


@pytest.mark.parametrize("mode", EFFORTS)
@settings(max_examples=60, deadline=None)
@given(market=batch_markets())
def test_pools_too_narrow_for_all_columns_keep_those_of_the_plain_twin(mode, market):
    narrow = EFFORTS[mode]._replace(moves_per_ask=40, most_columns=8, least_columns=3, columns=40, most_steps=60)

    assert_equal(replace(market, mode=mode), narrow)


@pytest.mark.parametrize("mode", EFFORTS)
def test_the_plan_of_a_drawn_market_is_that_of_the_plain_twin(mode):
    """Up to a day's run on four offers, most of which somebody else wants, too: victims that find another place."""
    for seed in range(1, 31):
        market = replace(small(seed, jobs=16, offers=4), mode=mode, seed=seed)

        assert_equal(market, EFFORTS[mode]._replace(moves_per_ask=30, most_moves=400, most_steps=60))


@pytest.mark.parametrize("mode", EFFORTS)
def test_the_plan_of_a_crowded_market_full_of_equals_is_that_of_the_plain_twin(mode):
    for seed in range(1, 21):
        assert_equal(replace(crowded(seed), mode=mode), EFFORTS[mode]._replace(moves_per_ask=60))


@pytest.mark.parametrize("mode", EFFORTS)
def test_where_asks_have_more_columns_than_are_kept_of_one_offer_the_plan_is_that_of_the_plain_twin(mode):
    assert_equal(replace(queued(1), mode=mode), EFFORTS[mode]._replace(steps=60, moves_per_ask=10, most_steps=60))


@pytest.mark.parametrize("mode", EFFORTS)
def test_a_search_that_ends_below_its_best_plan_gives_that_of_the_plain_twin(mode):
    for seed in range(1, 9):
        assert_equal(replace(hot(seed), mode=mode), EFFORTS[mode]._replace(moves_per_ask=60, most_steps=60))


@pytest.mark.parametrize("mode", EFFORTS)
def test_what_a_short_search_leaves_open_is_filled_as_by_the_plain_twin(mode):
    for seed in range(1, 9):
        assert_equal(
            replace(crowded(seed), mode=mode), EFFORTS[mode]._replace(steps=15, most_steps=15, moves_per_ask=1)
        )


@pytest.mark.parametrize("mode", EFFORTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_so_is_a_plan_at_the_full_effort_which_looks_back_at_the_best_one_so_far(mode, seed):
    assert_equal(replace(small(seed, jobs=12, offers=3), mode=mode, seed=seed), EFFORTS[mode])
    if mode == "batch":
        assert_equal(replace(crowded(seed), mode=mode), EFFORTS[mode])


@pytest.mark.parametrize("mode", EFFORTS)
def test_so_is_the_plan_of_the_round_that_begins_at_the_prices_kept_from_it(mode):
    for seed in range(1, 9):
        market = replace(small(seed, jobs=16, offers=4), mode=mode, seed=seed)
        kept = match(replace(market, asks=market.asks[:12])).prices
        assert kept

        assert_equal(replace(market, warm=kept), EFFORTS[mode]._replace(moves_per_ask=30))
