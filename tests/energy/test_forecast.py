"""The blend forecast: the usual value of the hour, bent towards the last hours, and how far it errs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.forecast import INTERVAL_NEEDED, NEEDED, bands, blend, blends

WEEKS = 24 * 70


def noisy(seed: int, hours: int = WEEKS) -> np.ndarray:
    """A daily wave with noise that never repeats."""
    day = np.sin(np.arange(hours) * 2 * np.pi / 24)
    return 400 + 100 * day + np.random.default_rng(seed).normal(0, 30, hours)


def by_the_book(y: np.ndarray, h: int) -> float:
    """The formula of the specification, word by word, for origin len(y)."""
    o = len(y)
    same_hour = [y[t] for t in range(o - 1, -1, -1) if (t - (o + h - 1)) % 24 == 0][:7]
    drift = [y[t] - np.mean([y[t - 24 * d] for d in range(1, 8)]) for t in (o - 1, o - 2, o - 3)]
    return float(np.mean(same_hour) + np.mean(drift) * math.exp(-h / 18))


@given(st.integers(0, 2**32 - 1), st.integers(NEEDED, NEEDED + 100), st.integers(1, 200))
def test_every_step_follows_the_formula(seed, known, h):
    history = noisy(seed, known)

    assert blend(history, h)[h - 1] == pytest.approx(by_the_book(history, h))


def test_a_grid_that_never_changes_is_forecast_to_stay():
    low, middle, high = bands(np.full(WEEKS, 250.0), 336)

    assert low == pytest.approx(250)
    assert middle == pytest.approx(250)
    assert high == pytest.approx(250)


def test_a_day_that_always_repeats_is_forecast_exactly():
    series = np.tile(np.arange(24.0) ** 2, 80)

    assert blend(series, 60) == pytest.approx(np.resize(np.arange(24.0) ** 2, 60))


@given(st.integers(0, 2**32 - 1), st.integers(NEEDED, WEEKS - 1))
def test_a_forecast_reads_nothing_of_its_future(seed, origin):
    series = noisy(seed)
    elsewhere = series.copy()
    elsewhere[origin:] = -1e9

    at = np.array([origin])

    assert blends(series, at, 48).tolist() == blends(elsewhere, at, 48).tolist()


@pytest.mark.parametrize("h", [1, 6, 7, 24, 100])
def test_the_range_adds_the_quantiles_of_past_errors_at_the_same_step(h):
    series = noisy(7)
    o = len(series)
    errors = [
        series[past + h - 1] - by_the_book(series[:past], h) for past in range(o - 60 * 24, o, 6) if past + h - 1 < o
    ]

    low, middle, high = bands(series, h)

    assert low[-1] - middle[-1] == pytest.approx(np.quantile(errors, 0.1))
    assert high[-1] - middle[-1] == pytest.approx(np.quantile(errors, 0.9))


def test_too_short_a_history_is_refused_with_the_hours_it_needs():
    with pytest.raises(ValueError, match=f"needs {NEEDED} hours of history, got {NEEDED - 1}"):
        blend(noisy(1, NEEDED - 1), 1)
    with pytest.raises(ValueError, match=f"needs {INTERVAL_NEEDED} hours"):
        bands(noisy(1, INTERVAL_NEEDED - 1), 1)
    with pytest.raises(ValueError, match="nothing about more than"):
        bands(noisy(1), 60 * 24)
