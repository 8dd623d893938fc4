"""Scarce hours go to who waited and who used little; nobody waits for ever, and a flood takes no more than its part."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core.fairness import MAX_WAIT_S, WHOLE, Party, age_mm, overs, patience_s, share_mm
from scheduler.core.matching import match
from tests.core.exchange import Exchange, decayed
from tests.core.market import HOUR, NOON, ask, markets, offer, snapshot

P_MID = 230_000
OVERS = st.integers(0, 100 * WHOLE)
PARTIES = st.dictionaries(
    st.integers(0, 20), st.builds(Party, st.integers(0, 10**15), st.integers(1, 1000)), min_size=1
)


def over_of(part, others):
    """How far the first of organizations of weight 1 is over its part."""
    return overs({0: Party(part, 1)} | {n: Party(work, 1) for n, work in enumerate(others, start=1)})[0]


def test_an_organization_at_three_times_its_part_waits_18_hours_until_it_is_due():
    over = over_of(3, [0, 1, 0])  # three quarters of the work, a quarter of the weight

    assert (over, patience_s(over)) == (3 * WHOLE, 18 * HOUR)


def test_an_organization_at_half_its_part_waits_6_hours_and_counts_a_quarter_of_the_usual_price_more():
    over = over_of(1, [3])

    assert (over, patience_s(over), share_mm(p_mid=P_MID, over=over)) == (WHOLE // 2, 6 * HOUR, 57_500)


def test_the_longest_patience_is_a_day_and_the_largest_share_half_of_the_usual_price():
    assert patience_s(100 * WHOLE) == 24 * HOUR
    assert [share_mm(p_mid=P_MID, over=over) for over in (0, WHOLE, 2 * WHOLE, 9 * WHOLE)] == [
        115_000, 0, -115_000, -115_000
    ]  # fmt: skip


def test_twice_the_weight_is_a_part_twice_as_large():
    assert overs({"lab": Party(2, 2), "firm": Party(1, 1)}) == {"lab": WHOLE, "firm": WHOLE}


def test_while_nobody_used_anything_nobody_is_over_its_part():
    assert overs({1: Party(0, 1), 2: Party(0, 5)}) == {1: 0, 2: 0}


def test_half_of_the_work_is_forgotten_in_seven_days():
    assert decayed(10**12, 7) / 10**12 == pytest.approx(0.5, abs=1e-5)


@given(PARTIES)
def test_being_over_ones_part_is_always_at_the_cost_of_others(parties):
    """Weighted by the weights, everybody together is exactly at its part, but for rounding down."""
    found, weight = overs(parties), sum(party.weight for party in parties.values())

    mean = sum(found[key] * party.weight for key, party in parties.items()) / weight

    assert min(found.values()) >= 0
    assert mean <= WHOLE
    assert mean >= WHOLE - 1 or not any(party.work for party in parties.values())


@given(PARTIES, st.integers(1, 10**6))
def test_the_unit_of_work_does_not_matter(parties, factor):
    scaled = {key: party._replace(work=party.work * factor) for key, party in parties.items()}

    assert overs(scaled) == overs(parties)


@given(OVERS, OVERS, st.integers(10, 10**9))
def test_who_used_more_never_counts_more_and_is_never_due_earlier(one, other, p_mid):
    less, more = sorted((one, other))

    assert p_mid // 2 >= share_mm(p_mid=p_mid, over=less) >= share_mm(p_mid=p_mid, over=more) >= -(p_mid + 1) // 2
    assert MAX_WAIT_S <= patience_s(less) <= patience_s(more) <= 4 * MAX_WAIT_S


@given(st.integers(-HOUR, 10 * MAX_WAIT_S), st.integers(0, HOUR), st.integers(10, 10**9))
def test_waiting_longer_never_counts_less_and_at_most_one_usual_price(waited, longer, p_mid):
    before, after = (age_mm(p_mid=p_mid, waited_s=seconds) for seconds in (waited, waited + longer))

    assert 0 <= before <= after <= p_mid
    assert age_mm(p_mid=p_mid, waited_s=MAX_WAIT_S) == p_mid


@settings(max_examples=40, deadline=None)
@given(markets(), st.integers(0, P_MID), st.integers(-P_MID // 2, P_MID // 2))
def test_age_and_share_never_change_which_offer_a_job_prefers(market, age, share):
    for wish in market.asks:
        plain, counted = (
            match(replace(market, asks=(each,))).placed for each in (wish, replace(wish, age_mm=age, share_mm=share))
        )
        assert [(each.offer, each.start_s) for each in plain] == [(each.offer, each.start_s) for each in counted]


@pytest.mark.parametrize(
    "favour",
    [
        {"age_mm": age_mm(p_mid=P_MID, waited_s=60)},
        {"share_mm": share_mm(p_mid=P_MID, over=9 * WHOLE // 10)},
    ],
    ids=["a minute older", "a tenth below its part"],
)
def test_of_two_jobs_alike_the_older_and_the_one_below_its_part_go_first(favour):
    market = snapshot([offer("o", free=[1, 0])], ask("a"), ask("b", **favour))

    assert [each.ask for each in match(market).placed] == ["b"]
    assert [each.ask for each in match(replace(market, asks=(ask("a"), ask("b")))).placed] == ["a"]


UNITS = 4


def besieged(*, busy, rounds, with_due=True):
    """Two cheap jobs, one of them long and wide, while one-hour jobs that pay more ask for twice what there is."""
    exchange = Exchange(units=UNITS, busy=busy, with_due=with_due)
    for hour in range(rounds):
        if hour == 3:
            exchange.submit("cheap", "modest", run_s=HOUR, bid_mm=1)
            if busy < 300:
                exchange.submit("cheap and long", "modest", run_s=12 * HOUR, units=UNITS, bid_mm=1)
        for number in range(2 * UNITS):
            exchange.submit(f"arrival {hour:03} {number}", f"rich {number % 3}", run_s=HOUR)
        exchange.hold_round()
    return exchange


def latest_start(exchange, waiting):
    """due_at + 336 h + unit-hours due ahead / units, and the hour that may pass until a round sees it."""
    ahead = sum(
        each.fields.get("units", 1) * each.fields["run_s"]
        for each in exchange.known.values()
        if (each.due, each.id) < (waiting.due, waiting.id)
        and exchange.decided.get(each.id, exchange.now) >= waiting.due
    )
    return waiting.due + 336 * HOUR + ahead // UNITS + HOUR


@pytest.mark.parametrize("busy", [168, 336], ids=["week two is free", "nothing is free for two weeks"])
def test_endless_dearer_arrivals_keep_no_job_waiting_beyond_its_bound(busy):
    exchange = besieged(busy=busy, rounds=40)

    cheap = exchange.known["cheap"]
    assert exchange.decided["cheap"] == cheap.due == cheap.submitted + MAX_WAIT_S
    for waiting in exchange.known.values():
        placed = exchange.placed.get(waiting.id)
        assert (placed.start_s if placed else exchange.now) <= latest_start(exchange, waiting)


def test_a_long_job_for_every_unit_gets_its_hours_of_week_two_as_soon_as_it_is_due():
    exchange = besieged(busy=168, rounds=15)

    long = exchange.known["cheap and long"]
    assert exchange.decided[long.id] == long.due
    assert exchange.placed[long.id].start_s <= latest_start(exchange, long)


def test_only_jobs_submitted_less_than_three_longest_waits_later_get_ahead_of_one_that_is_due():
    exchange = besieged(busy=336, rounds=60)
    cheap = exchange.known["cheap"]

    ahead = [each for each in exchange.known.values() if each.due <= cheap.due and each.submitted > cheap.submitted]

    assert all(each.submitted < cheap.submitted + 3 * MAX_WAIT_S for each in ahead)


@pytest.mark.parametrize("busy", [168, 336])
def test_the_control_if_no_job_ever_fell_due_the_cheap_ones_would_wait_for_ever(busy):
    exchange = besieged(busy=busy, rounds=40, with_due=False)

    assert {each.id for each in exchange.queue} >= {"cheap"}


def flooded(*, rounds=72, weights=None, arrivals=None, **fields):
    """Ten organizations ask each hour for a tenth of the hours each, one for ten times as much; jobs wait 4 h at most.

    Returns the hours that began while they asked, by organization.
    """
    rng, exchange = random.Random(7), Exchange(units=10, hours=169, weights=weights or {}, **fields)
    arrivals = arrivals or [f"modest {number}" for number in range(9)] + ["flood"] * 10
    for _ in range(rounds):
        rng.shuffle(arrivals)
        for organization in arrivals:
            name = f"{rng.randrange(10**9):09}"
            exchange.submit(name, organization, run_s=HOUR, finish_by_s=exchange.now + 4 * HOUR + 120)
        exchange.hold_round()
    return Counter(
        exchange.known[name].organization
        for name, placed in exchange.placed.items()
        if placed.start_s < NOON + rounds * HOUR
    )


def jain(served):
    """Jain's index: 1 when all are served alike, 1/n when one gets everything."""
    return sum(served) ** 2 / (len(served) * sum(each * each for each in served))


def test_a_flood_leaves_each_other_nine_tenths_of_its_tenth_and_all_are_served_alike():
    served = flooded()

    assert min(served.values()) >= 0.9 * 72
    assert jain(served.values()) >= 0.95
    assert sum(served.values()) >= 0.99 * 720, "no hour is left empty for the sake of fairness"


def test_the_control_without_share_the_flood_takes_what_it_asks_for():
    served = flooded(with_share=False)

    assert min(served.values()) < 0.6 * 72
    assert jain(served.values()) < 0.6


def test_of_two_floods_the_one_of_three_times_the_weight_gets_three_times_the_hours():
    served = flooded(weights={"institute": 3}, arrivals=["institute"] * 10 + ["firm"] * 10)

    assert served["institute"] / served["firm"] == pytest.approx(3, rel=0.1)
