"""Starts ranked by what their hours are expected to be: pure sums, with their ranges and exact ties."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.starts import Band, HourOutlook, candidate_starts, overlaps, ranked_starts, run_outlook

HOUR = timedelta(hours=1)
FIRST = datetime(2026, 11, 24, 10, tzinfo=UTC)


def hour(mg, share=500_000, *, spread=0, quality=2):
    lifecycle = Band(mg - spread, mg, mg + spread) if spread is not None else Band(None, mg, None)
    return HourOutlook(lifecycle, Band(share, share, share), quality)


def ranked(hours, *, length=HOUR, now=FIRST):
    starts = candidate_starts(now, FIRST + len(hours) * HOUR, length)
    return ranked_starts(hours, first=FIRST, now=now, starts=starts, length=length)


def test_the_cleanest_start_comes_first_and_says_what_it_changes():
    found = ranked([hour(400), hour(300), hour(100), hour(200)], length=2 * HOUR)

    assert [(each.run.start - FIRST) // HOUR for each in found] == [2, 1, 0]
    assert [each.run.lifecycle.p50 for each in found] == [150, 200, 350]
    assert [(each.change_mg, each.change_permille) for each in found] == [(-200, -571), (-150, -428), (0, 0)]


def test_of_equals_the_greener_comes_first_and_then_the_earlier():
    found = ranked([hour(300, 1), hour(300, 2), hour(300, 1), hour(300, 2)])

    assert [(each.run.start - FIRST) // HOUR for each in found] == [1, 3, 0, 2]


def test_a_start_within_an_hour_weighs_its_parts():
    now = FIRST + timedelta(minutes=45)

    found = ranked([hour(100), hour(400), hour(1000)], now=now)

    assert [(each.run.start, each.run.lifecycle.p50) for each in found] == [(now, 325), (FIRST + HOUR, 400),
                                                                           (FIRST + 2 * HOUR, 1000)]  # fmt: skip


def test_ranges_are_means_of_ranges_and_one_hour_without_takes_them_away():
    with_range = run_outlook([hour(100, spread=10), hour(200, spread=31)], FIRST, FIRST, 2 * HOUR)
    without = run_outlook([hour(100, spread=10), hour(200, spread=None)], FIRST, FIRST, 2 * HOUR)

    assert with_range.lifecycle == Band(130, 150, 171)  # 129.5 and 170.5, rounded up
    assert without.lifecycle == Band(None, 150, None)


def test_a_run_is_as_good_as_its_worst_hour_and_shares_are_rounded_down():
    run = run_outlook([hour(1, 1, quality=0), hour(2, 2, quality=3)], FIRST, FIRST, 2 * HOUR)

    assert (run.quality, run.renewable, run.lifecycle.p50) == (3, Band(1, 1, 1), 2)


def test_nothing_can_be_compared_with_nothing():
    assert [each.change_permille for each in ranked([hour(0), hour(5)])] == [None, None]


def test_a_run_outside_the_known_hours_is_a_fault():
    with pytest.raises(ValueError, match="not within the hours"):
        run_outlook([hour(1)], FIRST, FIRST, 2 * HOUR)
    with pytest.raises(ValueError, match="not within the hours"):
        run_outlook([hour(1)], FIRST, FIRST - HOUR, HOUR)


def test_a_run_that_does_not_fit_has_no_start():
    assert list(candidate_starts(FIRST, FIRST + HOUR, 2 * HOUR)) == []


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=3, max_size=20),
    st.integers(0, 59), st.integers(1, 2 * 60),
)  # fmt: skip
def test_means_are_off_by_less_than_one_and_order_holds(values, minute, minutes):
    hours = [hour(mg, share) for mg, share in values]
    start, length = FIRST + timedelta(minutes=minute), timedelta(minutes=minutes)

    run = run_outlook(hours, FIRST, start, length)

    weights = overlaps(start, start + length)
    exact = Fraction(sum(w * v for w, (v, _) in zip(weights, values, strict=False)), sum(weights))
    assert 0 <= run.lifecycle.p50 - exact < 1
    found = ranked_starts(
        hours, first=FIRST, now=FIRST, starts=candidate_starts(start, FIRST + len(hours) * HOUR, length), length=length
    )
    medians = [each.run.lifecycle.p50 for each in found]
    assert medians == sorted(medians)
