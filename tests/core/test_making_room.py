"""Firm work for which interruptible work ends: when, at what cost, and that the plan stays sound."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core import canonical
from scheduler.core.checker import faults
from scheduler.core.matching import match
from scheduler.core.types import BATCH, GREEDY, INSTANT, Plan, Victim
from scheduler.recording import dump_plan, dump_snapshot
from tests.core.market import HOUR, NOON, ask, offer, snapshot

HOURS = 169
NOW = NOON + 1800
FIRM, LOOSE, FAR = "ofr_firm", "ofr_loose", "ofr_far"


def victim(name, units=1, ran_s=3600, *, until=24, **fields):
    values = {
        "id": name, "offer": LOOSE, "twin": FIRM, "units": units, "start_s": NOON - 10 * HOUR,
        "end_s": NOON + until * HOUR, "price": 36_000, "notice_s": 120, "started_s": NOW - ran_s,
    }  # fmt: skip
    return Victim(**(values | fields))


def machines(*victims, units=4, price=200_000):
    """The firm offer with what its victims leave, and the interruptible one on the same machines."""
    used = [sum(v.units for v in victims if v.end_s > NOON + HOUR * h) for h in range(HOURS)]
    free = tuple(units - each for each in used)
    total = (units,) * HOURS
    firm = offer(FIRM, hours=HOURS, price=price, free=free, total=total)
    return [firm, offer(LOOSE, hours=HOURS, price=100_000, free=free, total=total, tier="interruptible")]


def market(*asks, victims, offers=(), mode=GREEDY, **fields):
    seen = snapshot([*machines(*victims, **fields), *offers], *asks, now=NOW)
    return replace(seen, victims=tuple(victims), mode=mode)


def firm_ask(name="a", **fields):
    return ask(name, **({"limits": {"tier": ("firm",)}, "units": 3, "run_s": 6 * HOUR} | fields))


def played(seen):
    """The plan, sound and with equal bytes whoever writes them."""
    plan = match(seen)
    assert faults(seen, plan) == []
    assert dump_plan(plan) == canonical.dump_plan(plan)
    assert dump_snapshot(seen) == canonical.dump_snapshot(seen)
    assert canonical.load_plan(canonical.dump_plan(plan)) == plan
    assert match(canonical.load_snapshot(canonical.dump_snapshot(seen))) == plan
    return plan


@pytest.mark.parametrize("mode", [GREEDY, BATCH])
def test_firm_work_without_a_clear_column_begins_when_the_notice_is_over(mode):
    old, young = victim("old", 2, 7200, until=200), victim("young", 2, 900, until=200)

    plan = played(market(firm_ask(units=2, run_s=100 * HOUR), victims=[old, young], mode=mode))

    [made] = plan.preempting
    assert (made.victims, made.lost) == (("young",), 2 * 900 * 10)
    assert (made.placement.offer, made.placement.start_s, made.placement.end_s) == (
        FIRM,
        NOW + 120,
        NOW + 120 + 360_000,
    )
    assert (plan.placed, plan.unplaced) == ((), ())


def test_a_clear_column_at_up_to_a_quarter_more_is_taken():
    held = victim("v", 4, until=200)

    def plan(price):
        other = offer(FAR, hours=HOURS, price=price, free=8)
        return played(market(firm_ask(when="cheapest"), victims=[held], offers=[other]))

    lost = 4 * 3600 * 10
    limit = (6 * 200_000 * 3 + lost) * 5 // 4 // 18
    assert [each.offer for each in plan(limit).placed] == [FAR]
    dear = plan(limit + 1)
    assert [each.placement.offer for each in dear.preempting] == [FIRM]
    assert dear.placed == ()


def test_work_that_would_run_a_little_later_at_no_more_waits_for_it():
    held = victim("v", 4, until=1)

    plan = played(market(firm_ask(run_s=1200, units=4), victims=[held]))

    assert plan.preempting == ()


@pytest.mark.parametrize(
    "spared", [{"ran_s": 599}, {"preempted": 2}, {"due": True}], ids=["just begun", "preempted twice", "due"]
)
def test_who_is_spared_stays_even_if_firm_work_waits(spared):
    plan = played(market(firm_ask(run_s=100 * HOUR), victims=[victim("v", 4, until=200, **spared)]))

    assert plan.preempting == ()
    assert [each.ask for each in plan.unplaced] == ["a"]


def test_nobody_ends_for_work_of_another_tier_or_of_a_later_hour():
    held = victim("v", 4, until=200)
    asks = [
        firm_ask("loose", run_s=100 * HOUR, limits={"tier": ("interruptible",)}),
        firm_ask("later", run_s=100 * HOUR, start_after_s=NOON + 5 * HOUR),
        firm_ask("cheap", run_s=100 * HOUR, limits={"price_pflop__lte": 100}),
        firm_ask("big", run_s=100 * HOUR, units=5),
    ]

    plan = played(market(*asks, victims=[held]))

    assert plan.preempting == ()
    assert len(plan.unplaced) == 4


def test_nobody_ends_twice_and_what_is_left_of_an_end_serves_the_next():
    held = [victim("v", 4, until=200)]
    asks = [firm_ask(name, run_s=100 * HOUR, units=2, submitted_s=number) for number, name in enumerate("abc")]

    plan = played(market(*asks, victims=held))

    assert [(each.placement.ask, each.victims) for each in plan.preempting] == [("a", ("v",))]
    assert {each.ask for each in plan.unplaced} == {"b", "c"}, "the free rest is the next round's to give"


def test_nobody_ends_for_a_gang():
    asks = [firm_ask(name, run_s=100 * HOUR, units=2, gang=1, gang_size=2) for name in "ab"]

    assert played(market(*asks, victims=[victim("v", 4, until=200)])).preempting == ()


def test_an_instant_round_ends_nobody():
    plan = match(market(firm_ask(run_s=100 * HOUR), victims=[victim("v", 4, until=200)], mode=INSTANT))

    assert (plan.placed, plan.preempting) == ((), ())


def test_a_round_without_victims_keeps_its_bytes():
    seen = market(firm_ask(units=1), victims=[])
    plan = played(seen)

    assert b"victims" not in canonical.dump_snapshot(seen)
    assert b"preempting" not in canonical.dump_plan(plan)


def test_the_checker_sees_who_must_not_end_and_what_was_lost():
    held = victim("v", 4, until=200)
    seen = market(firm_ask(run_s=100 * HOUR), victims=[held])
    [made] = match(seen).preempting

    def told(**changes):
        return faults(seen, Plan((), (), preempting=(replace(made, **changes),)))

    assert told() == []
    assert any("lost" in each for each in told(lost=made.lost + 1))
    assert any("nobody ends" in each for each in told(victims=(), lost=0))
    assert any("not on the machines" in each for each in told(victims=("w",), lost=0))
    early = replace(made.placement, start_s=NOW + 119, end_s=made.placement.end_s - 1)
    assert any("notice" in each for each in told(placement=early))
    spared = replace(seen, victims=(replace(held, due=True),))
    assert any("spared" in each for each in faults(spared, Plan((), (), preempting=(made,))))
    twice = Plan((), (), preempting=(made, made))
    assert any("ends 2 times" in each for each in faults(seen, twice))


@st.composite
def crowded(draw):
    held = [
        victim(
            f"v{number}", draw(st.integers(1, 2)), draw(st.sampled_from([60, 900, 5000])),
            until=draw(st.sampled_from([1, 3, 30])), preempted=draw(st.integers(0, 2)), due=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    asks = [
        firm_ask(
            f"a{number}", units=draw(st.integers(1, 4)), run_s=draw(st.sampled_from([600, 2 * HOUR, 160 * HOUR])),
            due_s=draw(st.sampled_from([None, NOW - 5])), limits=draw(st.sampled_from([{}, {"tier": ("firm",)}])),
        )
        for number in range(draw(st.integers(1, 5)))
    ]  # fmt: skip
    far = offer(FAR, hours=HOURS, price=draw(st.sampled_from([210_000, 400_000])), free=draw(st.integers(0, 2)))
    return market(*asks, victims=held, offers=[far], units=8, mode=draw(st.sampled_from([GREEDY, BATCH])))


@settings(max_examples=60, deadline=None)
@given(seen=crowded())
def test_every_plan_is_sound_and_repeats_to_the_byte(seen):
    plan = played(seen)

    ended = {name for made in plan.preempting for name in made.victims}
    assert ended <= {each.id for each in seen.victims}
    clear = match(replace(seen, victims=()))
    assert {each.ask for each in clear.placed} <= {each.ask for each in plan.placed} | {
        each.placement.ask for each in plan.preempting
    }, "nobody who had a place loses it"
