"""Matching by the year flatters, matching by the hour does not."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.annual import Matching, matching, scaled

NEW_YEAR = datetime(2025, 12, 31, tzinfo=UTC)


def test_a_plant_that_runs_at_noon_matches_the_whole_year_and_half_of_the_hours():
    use, supply = np.ones(48), np.tile([0.0, 2.0], 24)

    assert matching(use, supply, NEW_YEAR + timedelta(days=1)) == Matching(1, 1, 1, 0.5)


def test_each_calendar_period_of_utc_is_matched_alone():
    use, supply = np.ones(48), np.repeat([0.0, 2.0], 24)

    assert matching(use, supply, NEW_YEAR) == Matching(0.5, 0.5, 0.5, 0.5)
    assert matching(use, supply, NEW_YEAR + timedelta(days=1)) == Matching(1, 1, 0.5, 0.5)
    assert matching(use, supply, NEW_YEAR - timedelta(days=31)) == Matching(1, 0.5, 0.5, 0.5)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=2000), st.integers(0, 9000))
def test_a_longer_period_never_matches_less(hours, later):
    use, supply = np.array(hours, dtype=float).T

    found = matching(use, supply, NEW_YEAR + timedelta(hours=later))

    assert 1 >= found.year >= found.month >= found.day >= found.hour >= 0


def test_a_plant_is_scaled_to_a_years_use():
    assert scaled(np.array([1.0, 3.0]), 8).tolist() == [2, 6]
    with pytest.raises(ValueError, match="a supply of nothing"):
        scaled(np.zeros(3), 8)


@pytest.mark.parametrize(
    ("use", "supply", "start"),
    [
        ([1.0], [1.0, 1.0], NEW_YEAR),
        ([0.0], [1.0], NEW_YEAR),
        ([], [], NEW_YEAR),
        ([1.0], [-1.0], NEW_YEAR),
        ([1.0], [1.0], NEW_YEAR + timedelta(minutes=1)),
        ([1.0], [1.0], NEW_YEAR.replace(tzinfo=None)),
        ([1.0], [1.0], NEW_YEAR.replace(tzinfo=timezone(timedelta(hours=8)))),
    ],
)
def test_hours_that_do_not_fit_together_are_refused(use, supply, start):
    with pytest.raises(ValueError, match=r"same hours|never below 0|whole hour of UTC"):
        matching(np.array(use), np.array(supply), start)
