"""Looking ahead on two threads changes no plan."""

import pytest
from hypothesis import given, settings

from scheduler.core import placing
from scheduler.core.matching import match
from tests.core import reference
from tests.core.market import gang_markets, markets
from tests.core.test_plans import long_market


@pytest.fixture(scope="module")
def in_chunks():
    """Every market is placed three asks at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "WORTH_A_THREAD", 0)
        patch.setattr(placing, "CHUNK", 3)
        yield


@settings(max_examples=200, deadline=None)
@given(market=markets() | gang_markets())
def test_a_plan_made_in_chunks_is_that_of_the_plain_twin(in_chunks, market):
    decided = [(each.ask, each.offer, each.start_s, each.z) for each in match(market).placed]

    assert decided == reference.decide(market)


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_crowded_market_is_placed_alike_in_chunks_and_in_one_go(seed, monkeypatch):
    """A hundred asks for a dozen offers: many of the columns seen ahead are gone when their turn comes."""
    market = long_market(seed, 72)
    monkeypatch.setattr(placing, "WORTH_A_THREAD", len(market.asks) + 1)
    in_one_go = match(market)

    monkeypatch.setattr(placing, "WORTH_A_THREAD", 0)
    for chunk in (1, 7, 40):
        monkeypatch.setattr(placing, "CHUNK", chunk)
        assert match(market) == in_one_go
