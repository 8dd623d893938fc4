"""Looking ahead on two threads and keeping several columns for asks that are alike change no plan."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core import placing
from scheduler.core.matching import match
from tests.core import reference
from tests.core.market import gang_markets, markets
from tests.core.test_plans import long_market


@pytest.fixture(scope="module")
def in_chunks():
    """Every market is placed three asks at a time, and two that are alike keep two columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "WORTH_A_THREAD", 0)
        patch.setattr(placing, "CHUNK", 3)
        patch.setattr(placing, "MANY", 2)
        patch.setattr(placing, "KEPT", 2)
        yield


@st.composite
def alike_markets(draw):
    """Every ask two or three times."""
    market = draw(markets())
    copies = draw(st.integers(2, 3))
    asks = [replace(each, id=f"{each.id}-{copy}") for each in market.asks for copy in range(copies)]
    return replace(market, asks=tuple(asks))


@settings(max_examples=200, deadline=None)
@given(market=markets() | gang_markets() | alike_markets())
def test_a_plan_made_in_chunks_with_kept_columns_is_that_of_the_plain_twin(in_chunks, market):
    decided = [(each.ask, each.offer, each.start_s, each.z) for each in match(market).placed]

    assert decided == reference.decide(market)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_crowded_market_is_placed_alike_in_chunks_and_in_one_go(seed, monkeypatch):
    """A hundred asks for a dozen offers: many of the columns seen ahead are gone when their turn comes."""
    market = long_market(seed, 72)
    monkeypatch.setattr(placing, "WORTH_A_THREAD", len(market.asks) + 1)
    monkeypatch.setattr(placing, "MANY", len(market.asks) + 1)
    in_one_go = match(market)

    monkeypatch.setattr(placing, "WORTH_A_THREAD", 0)
    for chunk, many, kept in ((1, 2, 1), (7, 2, 5), (40, 3, 32), (40, 1, 2)):
        monkeypatch.setattr(placing, "CHUNK", chunk)
        monkeypatch.setattr(placing, "MANY", many)
        monkeypatch.setattr(placing, "KEPT", kept)
        assert match(market) == in_one_go
