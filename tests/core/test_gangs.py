"""Gangs start together or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from scheduler.core import canonical, checker
from scheduler.core.matching import match
from scheduler.core.types import BATCH, INSTANT, QUALITY
from tests.core import reference
from tests.core.market import HOUR, NOON, ask, gang_markets, offer, snapshot


def gang(*names, size=None, **fields):
    return [ask(name, gang=1, gang_size=size or len(names), **fields) for name in names]


@settings(max_examples=300, deadline=None)
@given(gang_markets())
def test_every_plan_with_gangs_is_that_of_the_plain_twin_and_sound(market):
    plan = match(market)

    assert checker.faults(market, plan) == []
    assert [(each.ask, each.offer, each.start_s, each.z) for each in plan.placed] == reference.decide(market)


@pytest.mark.parametrize("mode", [BATCH, QUALITY])
@settings(max_examples=60, deadline=None)
@given(market=gang_markets())
def test_a_batch_tears_no_gang_and_proves_no_less_than_it_has(mode, market):
    plan = match(replace(market, mode=mode))

    assert checker.faults(replace(market, mode=mode), plan) == []
    assert plan.utility <= plan.bound
    assert plan.utility >= match(market).utility


@settings(max_examples=60, deadline=None)
@given(gang_markets())
def test_a_snapshot_with_gangs_is_kept_whole(market):
    content = canonical.dump_snapshot(market)

    again = canonical.load_snapshot(content)

    assert canonical.dump_snapshot(again) == content
    assert tuple(again.asks) == market.asks


def test_an_instant_round_leaves_gangs_to_the_batch():
    plan = match(replace(snapshot([offer("X")], *gang("a", "b"), ask("c")), mode=INSTANT))

    assert [each.ask for each in plan.placed] == ["c"]


def test_members_spread_over_offers_when_one_is_too_small():
    market = snapshot([offer("X", free=2), offer("Y", free=2, price=210_000)], *gang("a", "b", units=2))

    assert {(each.ask, each.offer) for each in match(market).placed} == {("a", "X"), ("b", "Y")}


def test_a_gang_that_does_not_fit_as_a_whole_takes_nothing_and_says_so():
    market = snapshot([offer("X", free=3)], *gang("a", "b", units=2))

    plan = match(market)

    assert plan.placed == ()
    assert [(each.ask, each.code) for each in plan.unplaced] == [("a", "gang_incomplete"), ("b", "gang_incomplete")]


def test_the_member_that_fits_nowhere_says_what_keeps_it_away():
    stuck = ask("b", gang=1, gang_size=2, limits={"accelerator": ("H200",)})
    market = snapshot([offer("X")], ask("a", gang=1, gang_size=2), stuck)

    codes = {each.ask: (each.code, dict(each.rejected)) for each in match(market).unplaced}

    assert codes == {"a": ("gang_incomplete", {}), "b": ("never_fits", {"hardware": 1})}


def test_a_gang_waits_for_all_its_members():
    market = snapshot([offer("X")], *gang("a", "b", size=3))

    assert [(each.ask, each.code) for each in match(market).unplaced] == [
        ("a", "gang_incomplete"), ("b", "gang_incomplete"),
    ]  # fmt: skip


def test_the_start_is_the_one_that_is_cheapest_for_all_together():
    """Hour 1 is the cheapest on the small offer alone, hour 2 where both are needed."""
    small = offer("S", hours=4, price=[200_000, 50_000, 120_000, 200_000], free=1)
    other = offer("T", hours=4, price=[200_000, 300_000, 120_000, 200_000], free=1)

    plan = match(snapshot([small, other], *gang("a", "b", when="cheapest")))

    assert {each.start_s for each in plan.placed} == {NOON + 2 * HOUR}


def test_a_gang_in_a_hurry_takes_the_first_hour_at_which_all_fit():
    busy = offer("X", hours=4, free=[1, 2, 2, 2], total=2, price=[200_000, 200_000, 100_000, 100_000])

    plan = match(snapshot([busy], *gang("a", "b", when="now")))

    assert {each.start_s for each in plan.placed} == {NOON + HOUR}


def test_a_gang_is_due_when_all_its_members_are():
    rich = ask("rich", bid_mm=400_000)
    one = offer("X", hours=2, free=[2, 0], total=2)
    waiting = [
        replace(each, bid_mm=1, due_s=due) for each, due in zip(gang("a", "b"), (NOON - 9, NOON - 1), strict=True)
    ]

    placed = {each.ask for each in match(snapshot([one], rich, *waiting)).placed}
    later = [replace(each, due_s=due) for each, due in zip(waiting, (NOON - 9, NOON + 9), strict=True)]

    assert placed == {"a", "b"}
    assert {each.ask for each in match(snapshot([one], rich, *later)).placed} == {"rich"}


def test_a_gang_chooses_its_start_itself():
    with pytest.raises(ValueError, match="chooses its start itself"):
        ask("a", gang=1, gang_size=2, start_s=NOON)
    with pytest.raises(ValueError, match="up to 64"):
        ask("a", gang=1, gang_size=65)
