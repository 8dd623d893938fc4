"""Who makes room for firm work: the set whose end loses least, hour by hour."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core.preemption import choose, freed, lost, spared
from scheduler.core.types import Victim
from tests.core.market import HOUR, NOON

NOW = NOON + 1800
PRICE = 3600  # so that a unit-second loses one mm


def victim(name, units, ran_s=None, *, hours=(0, 2), **fields):
    """Interruptible work that has run for `ran_s` seconds and holds [hours) from noon on."""
    values = {
        "id": name, "offer": "L", "twin": "F", "units": units,
        "start_s": NOON + hours[0] * HOUR, "end_s": NOON + hours[1] * HOUR,
        "price": PRICE, "notice_s": 120, "started_s": None if ran_s is None else NOW - ran_s,
    }  # fmt: skip
    return Victim(**(values | fields))


def names(chosen):
    return None if chosen is None else {each.id for each in chosen}


def test_the_example_of_the_specification():
    v1, v2, v3 = victim("v1", 2, 3000), victim("v2", 1, 600), victim("v3", 1, 7200)

    chosen = choose([v1, v2, v3], {NOON: 2}, NOW)

    assert names(chosen) == {"v1"}
    assert sum(lost(each, NOW) for each in chosen) == 6000
    assert lost(v2, NOW) + lost(v3, NOW) == 7800


def test_what_was_saved_is_not_lost_and_what_has_not_begun_loses_nothing():
    assert lost(victim("a", 3, 900), NOW) == 2700
    assert lost(victim("a", 3, 900, saved_s=NOW - 100), NOW) == 300
    assert lost(victim("a", 3, 900, saved_s=NOW - 5000), NOW) == 2700
    assert lost(victim("a", 3), NOW) == 0
    assert lost(victim("a", 1, 1, price=3599), NOW) == 0


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (victim("other", 1, 599), True),
        (victim("other", 1, 600), False),
        (victim("other", 1), False),
        (victim("other", 1, 9000, preempted=1), False),
        (victim("other", 1, 9000, preempted=2), True),
        (victim("other", 1, 9000, due=True), True),
    ],
)
def test_the_young_the_often_preempted_and_the_due_are_spared(other, expected):
    assert spared(other, NOW) is expected


def test_of_equal_loss_fewer_end_then_the_younger():
    two = [victim("b", 1, 1000), victim("c", 1, 1000)]
    assert names(choose([*two, victim("a", 2, 1000)], {NOON: 2}, NOW)) == {"a"}

    old, young = (victim(name, 1, ran, saved_s=NOW - 500) for name, ran in (("old", 9000), ("young", 900)))
    assert names(choose([old, young], {NOON: 1}, NOW)) == {"young"}


def test_a_later_hour_counts_on_those_who_end_for_an_earlier_one():
    long, short = victim("long", 1, 5000, hours=(0, 3)), victim("short", 1, 1000, hours=(0, 1))

    assert names(choose([long, short], {NOON: 1, NOON + HOUR: 1}, NOW)) == {"long", "short"}
    assert names(choose([long, short], {NOON: 2, NOON + HOUR: 1}, NOW)) == {"long", "short"}
    assert names(choose([long, short], {NOON + HOUR: 1}, NOW)) == {"long"}
    assert choose([long, short], {NOON + HOUR: 2}, NOW) is None
    assert choose([long], {NOON: 0}, NOW) == ()


@st.composite
def crowds(draw):
    count = draw(st.integers(1, 7))
    return [
        victim(
            str(number), draw(st.integers(1, 4)), draw(st.sampled_from([None, 0, 60, 60, 300])),
            hours=draw(st.sampled_from([(0, 1), (0, 3), (1, 2), (-5, 2)])),
        )
        for number in range(count)
    ]  # fmt: skip


def weigh(crowd):
    """What the order of sets goes by: loss, members, seconds run together."""
    ran = sum(NOW - each.started_s for each in crowd if each.started_s is not None)
    return sum(lost(each, NOW) for each in crowd), len(crowd), ran


def best_by_trial(crowd, hour, units):
    sets = (each for size in range(len(crowd) + 1) for each in combinations(crowd, size))
    return min((weigh(each) for each in sets if freed(each, hour) >= units), default=None)


@settings(max_examples=300, deadline=None)
@given(crowd=crowds(), hour=st.integers(0, 2), units=st.integers(1, 9))
def test_of_one_hour_no_set_at_all_is_better(crowd, hour, units):
    start = NOON + hour * HOUR

    chosen = choose(crowd, {start: units}, NOW)

    best = best_by_trial(crowd, start, units)
    assert (best is None) == (chosen is None)
    if chosen is not None:
        assert freed(chosen, start) >= units
        assert weigh(chosen) == best


@settings(max_examples=200, deadline=None)
@given(crowd=crowds(), short=st.dictionaries(st.sampled_from([NOON, NOON + HOUR, NOON + 2 * HOUR]), st.integers(0, 6)))
def test_hours_are_served_one_after_the_other_each_at_least_loss(crowd, short):
    expected: list | None = []
    for hour, units in sorted(short.items()):
        lacks = units - freed(expected, hour)
        if lacks > 0:
            found = choose([each for each in crowd if each not in expected], {hour: lacks}, NOW)
            if found is None:
                expected = None
                break
            expected += found

    chosen = choose(crowd, short, NOW)

    assert names(chosen) == names(expected)
    if chosen is not None:
        assert all(freed(chosen, hour) >= units for hour, units in short.items())
        assert len(set(chosen)) == len(chosen)
