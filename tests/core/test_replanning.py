"""Work promised for later moves where it is better off, and only there."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core import canonical, checker
from scheduler.core.matching import match
from scheduler.core.types import REPLAN, Placement
from tests.core.market import HOUR, NOON, ask, markets, offer, snapshot


def held(wish, name, hour, hours=1):
    """What `wish` has on the offer called `name`."""
    start = NOON + HOUR * hour
    touched = tuple(start + HOUR * each for each in range(hours))
    return {wish.id: Placement(wish.id, name, start, start + wish.run_s, wish.units, touched, 0, 0, 0)}


def replanned(offers, *wishes, held):
    market = replace(snapshot(offers, *wishes), mode=REPLAN, held=held)
    return {each.ask: (each.offer, (each.start_s - NOON) // HOUR) for each in match(market).placed}


def test_work_moves_to_an_hour_that_became_a_hundredth_better():
    x = offer("X", hours=4, price=[200_000, 200_000, 150_000, 200_000], free=[0, 0, 1, 0], total=1)
    wish = ask(when="cheapest")

    assert replanned([x], wish, held=held(wish, "X", 3)) == {"a": ("X", 2)}


@pytest.mark.parametrize(("price", "moves"), [(198_100, {}), (197_900, {"a": ("X", 2)})])
def test_less_than_a_hundredth_is_not_worth_a_move(price, moves):
    x = offer("X", hours=4, price=[200_000, 200_000, price, 200_000], free=[0, 0, 1, 0], total=1, share=1_000_000,
              latency_ms={"shanghai": 5})  # fmt: skip
    wish = ask(when="cheapest")

    assert replanned([x], wish, held=held(wish, "X", 3)) == moves


def test_work_may_move_into_hours_that_it_holds_itself():
    x = offer("X", hours=4, price=[200_000, 100_000, 100_000, 200_000], free=[0, 1, 0, 0], total=1)
    wish = ask(when="cheapest", run_s=2 * HOUR)

    assert replanned([x], wish, held=held(wish, "X", 2, hours=2)) == {"a": ("X", 1)}


def test_what_one_leaves_the_next_may_take():
    x = offer("X", hours=4, price=[200_000, 100_000, 150_000, 200_000], free=[0, 1, 0, 0], total=1)
    first, second = ask("a", when="cheapest"), ask("b", when="cheapest")
    both = held(first, "X", 2) | held(second, "X", 3)

    assert replanned([x], first, second, held=both) == {"a": ("X", 1), "b": ("X", 2)}


def test_work_in_a_hurry_moves_to_an_earlier_start_and_never_to_a_later_one():
    x = offer("X", hours=4, price=[200_000, 250_000, 200_000, 100_000], free=[0, 1, 0, 1], total=1)
    wish = ask(when="now")

    assert replanned([x], wish, held=held(wish, "X", 2)) == {"a": ("X", 1)}
    assert replanned([replace(x, free=(0, 0, 0, 1))], wish, held=held(wish, "X", 2)) == {}


def test_a_limit_that_the_forecast_broke_sends_it_to_where_it_holds():
    x = offer("X", hours=4, share=[500_000, 500_000, 100_000, 500_000], free=[0, 0, 0, 1], total=1)
    wish = ask(limits={"renewable_share__gte": 400_000})

    assert replanned([x], wish, held=held(wish, "X", 2)) == {"a": ("X", 3)}


def test_a_site_that_is_silent_now_keeps_what_it_promised():
    silent = offer("X", hours=4, free=[0, 0, 0, 0], total=1, served=False)
    wish = ask(limits={"served": True})

    assert replanned([silent], wish, held=held(wish, "X", 2)) == {}


@settings(max_examples=200, deadline=None)
@given(markets(), st.data())
def test_moves_are_sound_lower_what_each_costs_and_replay(market, data):
    """Everything a round placed is looked at again after prices have changed."""
    market = replace(market, asks=tuple(replace(each, gang=None) for each in market.asks))
    plan = match(market)
    free = {each.id: list(each.free) for each in market.offers}
    for each in plan.placed:
        for second in each.hours:
            free[each.offer][(second - market.first_hour_s) // HOUR] -= each.units
    prices = {each.id: data.draw(st.permutations(each.price)) for each in market.offers}
    offers = tuple(replace(each, free=tuple(free[each.id]), price=tuple(prices[each.id])) for each in market.offers)
    holds = {each.ask: each for each in plan.placed}
    later = replace(
        market, offers=offers, asks=tuple(each for each in market.asks if each.id in holds), held=holds, mode=REPLAN
    )

    moved = match(later)

    assert checker.faults(later, moved) == []
    content = canonical.dump_snapshot(later)
    assert canonical.dump_plan(match(canonical.load_snapshot(content))) == canonical.dump_plan(moved)
