"""The forecast's promises, kept on a year of real hours of 14 zones (energy.md, Forecast and acceptance)."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from benchmarks.green.reading import FIRST_HOUR, FIRST_OF_2024, scored, with_2024
from benchmarks.shifting import CHEAPEST_HOURS, CONTIGUOUS, in_pieces
from marketplace.energy.forecast import blend
from marketplace.energy.scoring import (
    SPANS,
    blend_errors,
    coverage,
    place_beats_time,
    scattering,
    shifting,
    yesterday_errors,
)
from scheduler.core.pieces import Work

BLEND_MAPE = {"1-6": 7.5, "1-24": 11.0, "25-48": 14.9, "49-96": 16.2}
RENEWABLE_MAE = {"1-6": 2.8, "1-24": 3.9, "25-48": 5.0, "49-96": 5.4}
YESTERDAY_RENEWABLE_MAE = {"1-6": 4.8, "1-24": 4.8, "25-48": 5.9, "49-96": 6.3}
YESTERDAY_MAPE = {"1-6": 13.3, "1-24": 13.3, "25-48": 17.0, "49-96": 18.5}


@pytest.fixture(scope="module")
def series(real_hours) -> list[np.ndarray]:
    found = [each.lifecycle for each in scored(real_hours).values()]
    assert len(found) == 14
    return found


def mean(values) -> float:
    return float(np.mean(list(values)))


def test_germany_on_a_july_night_is_forecast_to_the_digit(real_intensity):
    origin = (datetime(2024, 7, 1, tzinfo=UTC) - FIRST_HOUR) // timedelta(hours=1)

    ahead = blend(real_intensity["DE"][:origin], 96)

    assert [round(float(ahead[h - 1]), 2) for h in (1, 6, 24, 96)] == [379.87, 333.10, 373.12, 373.44]


def test_the_blend_errs_as_little_as_promised_at_every_range(series):
    errors = [blend_errors(values, FIRST_OF_2024) for values in series]

    for span in SPANS:
        assert mean(error.percent[span] for error in errors) == pytest.approx(BLEND_MAPE[span], abs=0.5), span


def test_saying_yesterday_again_errs_as_the_specification_measured(series):
    errors = [yesterday_errors(values, FIRST_OF_2024) for values in series]

    for span in SPANS:
        assert mean(error.percent[span] for error in errors) == pytest.approx(YESTERDAY_MAPE[span], abs=0.5), span


@pytest.mark.parametrize(
    ("errors", "promised"), [(blend_errors, RENEWABLE_MAE), (yesterday_errors, YESTERDAY_RENEWABLE_MAE)]
)
def test_the_renewable_share_errs_by_as_many_points_as_promised(real_hours, errors, promised):
    found = [errors(each.renewable, FIRST_OF_2024) for each in scored(real_hours).values()]

    for span in SPANS:
        assert mean(error.absolute[span] for error in found) == pytest.approx(promised[span], abs=0.5), span


def test_the_blend_beats_yesterday_by_a_tenth_on_the_next_day(series):
    ratios = [
        blend_errors(values, FIRST_OF_2024).absolute["1-24"] / yesterday_errors(values, FIRST_OF_2024).absolute["1-24"]
        for values in series
    ]

    assert mean(ratios) < 0.9


def test_four_in_five_hours_of_the_next_day_fall_into_the_range(series):
    inside = [100 * coverage(values, FIRST_OF_2024) for values in series]

    assert mean(inside) == pytest.approx(80, abs=2)
    assert 77 <= min(inside) <= max(inside) <= 83


@pytest.mark.parametrize("hours", CONTIGUOUS, ids=str)
def test_waiting_for_the_cleanest_run_saves_what_is_said(series, hours):
    runs = [shifting(values, FIRST_OF_2024, run=hours[0], window=hours[1]) for values in series]

    assert saved_by(runs) == pytest.approx(CONTIGUOUS[hours], abs=0.5)


@pytest.mark.parametrize("hours", CHEAPEST_HOURS, ids=str)
def test_waiting_for_the_cleanest_hours_saves_what_is_said(series, hours):
    runs = [scattering(values, FIRST_OF_2024, run=hours[0], window=hours[1]) for values in series]

    assert saved_by(runs) == pytest.approx(CHEAPEST_HOURS[hours], abs=0.5)


def test_pieces_save_most_of_what_the_cheapest_hours_save_of_a_day_of_work(series):
    """Of one zone: the whole table takes minutes (`python -m benchmarks.shifting`)."""
    day = Work(run_s=24 * 3600, max_pieces=4, restart_s=600)
    some = series[:1]

    whole = saved_by([shifting(values, FIRST_OF_2024, run=24, window=96) for values in some])
    pieces = saved_by([in_pieces(values, FIRST_OF_2024, run=24, window=96, work=day) for values in some])
    hours = saved_by([scattering(values, FIRST_OF_2024, run=24, window=96) for values in some])

    assert whole[0] < pieces[0] < hours[0]
    assert whole[1] < pieces[1] < hours[1]
    assert pieces[0] - whole[0] > 0.7 * (hours[0] - whole[0])


def saved_by(runs) -> tuple[float, float]:
    """Per cent, by forecast and by hindsight."""
    return tuple(100 * mean(getattr(run, name) for run in runs) for name in ("saved", "could_be_saved"))


def test_a_better_place_beats_a_better_hour(real_hours):
    known = [each.lifecycle[FIRST_OF_2024:] for each in with_2024(real_hours).values()]

    found = place_beats_time(np.stack(known))

    assert len(known) == 16
    assert found == pytest.approx((385, 88, 70), abs=0.5)
