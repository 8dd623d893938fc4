"""Batches and quality rounds are to the byte those of a plain twin, which has nothing of the core but its types."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from scheduler.core import batch, canonical, rounds
from scheduler.core.matching import match
from tests.core import reference_batch
from tests.core.market import batch_markets
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
    """The plan to the byte, but for why asks wait."""
    with pytest.MonkeyPatch.context() as patch:
        mine = batch.Effort(effort.steps, effort.moves_per_ask, effort.most_moves, effort.warm_steps)
        patch.setitem(rounds.EFFORTS, market.mode, mine)
        for name, size in SIZES.items():
            patch.setattr(batch, name, getattr(effort, size))
        plan = match(market)

    assert canonical.dump_plan(replace(plan, unplaced=())) == canonical.dump_plan(
        reference_batch.decide(market, effort)
    )


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
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_so_is_a_plan_at_the_full_effort_which_looks_back_at_the_best_one_so_far(mode, seed):
    assert_equal(replace(small(seed, jobs=12, offers=3), mode=mode, seed=seed), EFFORTS[mode])


@pytest.mark.parametrize("mode", EFFORTS)
def test_so_is_the_plan_of_the_round_that_begins_at_the_prices_kept_from_it(mode):
    for seed in range(1, 9):
        market = replace(small(seed, jobs=16, offers=4), mode=mode, seed=seed)
        kept = match(replace(market, asks=market.asks[:12])).prices
        assert kept

        assert_equal(replace(market, warm=kept), EFFORTS[mode]._replace(moves_per_ask=30))
