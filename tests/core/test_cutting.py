"""Work that may run in pieces is cut where that is at least a hundredth cheaper, and never past what it asks for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import canonical
from scheduler.core.checker import faults
from scheduler.core.matching import match
from scheduler.core.types import BATCH, GREEDY, INSTANT, QUALITY
from tests.core.market import HOUR, NOON, ask, markets, offer, snapshot

CLEAN = {3, 4, 12, 13}  # hours at a third of the price


def a_day(name="X", clean=CLEAN, **fields):
    price = [100_000 if hour in clean else 300_000 for hour in range(24)]
    return offer(name, hours=24, price=price, **fields)


def work(name="a", **fields):
    return ask(name, **({"run_s": 4 * HOUR, "max_pieces": 4, "restart_s": 600, "when": "cheapest"} | fields))


def decided(market, *, mode=GREEDY):
    """The plan, sound and the same once it was written and read again."""
    market = replace(market, mode=mode)
    plan = match(market)
    assert faults(market, plan) == []
    assert canonical.load_plan(canonical.dump_plan(plan)) == plan
    again = canonical.load_snapshot(canonical.dump_snapshot(market))
    assert canonical.dump_plan(match(again)) == canonical.dump_plan(plan)
    return plan


def hours_of(plan, name="a"):
    """The pieces of an ask in hours after noon."""
    return [((begin - NOON) / HOUR, (end - NOON) / HOUR) for begin, end in plan.pieces.get(name, ())]


@pytest.mark.parametrize("mode", [GREEDY, BATCH, QUALITY, INSTANT])
def test_a_round_of_any_mode_cuts_work_into_the_cheap_hours(mode):
    plan = decided(snapshot([a_day()], work()), mode=mode)

    assert hours_of(plan) == [(3, 5), (12, 14 + 1 / 6)]
    [placed] = plan.placed
    assert (placed.start_s, placed.end_s) == (NOON + 3 * HOUR, NOON + 5 * HOUR)
    assert len(placed.hours) == 5
    assert placed.run_cost == 4 * 100_000 + 300_000 // 6


def test_work_that_may_not_is_left_whole_and_its_bytes_say_nothing_of_pieces():
    market = snapshot([a_day()], work(max_pieces=1, restart_s=0))

    plan = decided(market)

    assert plan.pieces == {}
    assert b"pieces" not in canonical.dump_plan(plan) + canonical.dump_snapshot(market)


def test_what_saves_less_than_a_hundredth_is_not_cut():
    slight = offer("X", hours=24, price=[298_000 if hour in CLEAN else 300_000 for hour in range(24)])

    assert decided(snapshot([slight], work(restart_s=0))).pieces == {}
    assert decided(snapshot([a_day()], work(restart_s=5 * HOUR))).pieces == {}


def test_the_pieces_keep_to_the_window_with_the_margin_of_every_start():
    last = NOON + 14 * HOUR + 600
    assert hours_of(decided(snapshot([a_day()], work(finish_by_s=last + 120))))[-1][1] == 14 + 1 / 6
    early = decided(snapshot([a_day()], work(finish_by_s=last + 119)))

    assert hours_of(early) == [(3, 5), (11, 13 + 1 / 6)]


def test_the_pieces_keep_to_limits_on_means_and_totals():
    """The cheap hours are dirty: within the limit the run stays whole."""
    dirty = a_day(ci=[900_000 if hour in CLEAN else 300_000 for hour in range(24)])

    assert hours_of(decided(snapshot([dirty], work())))
    for limits in ({"carbon_g_per_kwh__lte": 600_000}, {"carbon_cap_g": 2_000}):
        plan = decided(snapshot([dirty], work(limits=limits)))
        assert (plan.pieces, len(plan.placed)) == ({}, 1), limits


def test_two_jobs_never_take_the_same_units_and_the_dearer_hours_go_to_one_of_them():
    plan = decided(snapshot([a_day(free=1)], work("a"), work("b")))

    assert len(plan.placed) == 2
    taken = [hour for each in plan.placed for hour in each.hours]
    assert len(taken) == len(set(taken))


def test_the_pieces_are_on_one_offer_though_it_is_not_the_one_of_the_whole_run():
    whole = a_day("W", clean={2, 3, 4, 5}, free=[8] * 24)
    dear = offer("W", hours=24, price=[160_000] * 24)

    assert decided(snapshot([whole, a_day("X")], work())).placed[0].offer == "W"
    plan = decided(snapshot([dear, a_day("X")], work()))

    assert plan.placed[0].offer == "X"
    assert hours_of(plan) == [(3, 5), (12, 14 + 1 / 6)]


def test_waiting_between_pieces_weighs_what_waiting_before_the_start_does():
    patient, hasty = (work(when="balanced", waiting_value=value) for value in (0, 60_000))

    assert hours_of(decided(snapshot([a_day()], patient)))
    assert hours_of(decided(snapshot([a_day()], hasty))) == []


@given(st.data())
def test_any_market_is_decided_soundly_and_pieces_cost_a_hundredth_less(data):
    market = data.draw(markets())
    pieces = st.sampled_from([1, 2, 3, 4])
    asks = tuple(
        replace(each, max_pieces=data.draw(pieces), restart_s=data.draw(st.sampled_from([0, 600])),
                run_s=data.draw(st.sampled_from([HOUR, 3 * HOUR, 4 * HOUR])), finish_by_s=None)
        for each in market.asks
    )  # fmt: skip
    market = replace(market, asks=asks)

    plan = decided(market)

    whole = {
        each.ask: each for each in match(replace(market, asks=tuple(replace(a, max_pieces=1) for a in asks))).placed
    }
    assert {each.ask for each in plan.placed} == set(whole)
    for each in plan.placed:
        if each.ask in plan.pieces:
            assert 100 * each.z <= 99 * whole[each.ask].z
        assert each.u == whole[each.ask].u
