"""The sample grid is the same everywhere, physically possible, and never passed off as real."""

import csv
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.signals.base import HourOfSignals, Signal, SignalPoint, whole_hours
from marketplace.energy.signals.sample import MIXES, SampleProvider, power_of_hour

GOLDEN = Path(__file__).parent / "golden" / "sample_hours.csv"
ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
moments = st.integers(0, 40 * 8766).map(lambda n: datetime(2020, 1, 1, tzinfo=UTC) + n * HOUR)
mixes = st.sampled_from(MIXES)


def hours(zone: str, start: datetime, count: int) -> list[HourOfSignals]:
    return list(whole_hours(SampleProvider().points(zone=zone, start=start, end=start + count * HOUR)))


def mean_of(zone: str, signal: str, at: int | None = None) -> float:
    found = [getattr(hour, signal) for hour in hours(zone, START, 24 * 90) if at in (None, hour.start.hour)]
    return sum(found) / len(found)


def test_the_sample_hours_are_those_of_the_golden_file():
    with GOLDEN.open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(rows) == 12 * len(MIXES)
    names = ("direct_mg", "lifecycle_mg", "renewable_ppm", "carbon_free_ppm")
    for row in rows:
        (hour,) = hours(row["zone"], datetime.fromisoformat(row["start"]), 1)
        assert [getattr(hour, name) for name in names] == [int(row[name]) for name in names]


def test_another_process_invents_the_same_hours():
    code = (
        "from datetime import datetime, UTC, timedelta\n"
        "from marketplace.energy.signals.sample import SampleProvider\n"
        "start = datetime(2026, 6, 1, tzinfo=UTC)\n"
        "print([p.value for p in SampleProvider().points(zone='DE', start=start, end=start + timedelta(hours=48))])"
    )

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    here = [point.value for point in SampleProvider().points(zone="DE", start=START, end=START + 48 * HOUR)]
    assert run.stdout.strip() == str(here)


@given(mixes, moments)
def test_in_every_hour_the_sources_meet_demand_and_the_signals_are_possible(mix, start):
    power = power_of_hour(mix, start)
    (hour,) = hours(mix.code, start, 1)

    assert min(power.values()) >= 0
    assert 0 <= hour.renewable_ppm <= hour.carbon_free_ppm <= 1_000_000
    assert 0 <= hour.direct_mg < hour.lifecycle_mg <= 820_000


@given(mixes, moments)
def test_there_is_no_sun_at_local_midnight_outside_the_polar_summer(mix, start):
    midnight = start.replace(hour=(-mix.utc_offset) % 24)

    assert mix.code == "SE" or power_of_hour(mix, midnight)["solar"] == 0


def test_the_zones_have_the_characters_they_are_named_for():
    assert mean_of("CN-GZ", "renewable_ppm") > 800_000  # hydro
    assert mean_of("CN-NX", "renewable_ppm", at=5) > mean_of("CN-NX", "renewable_ppm", at=17)  # 13:00 against 01:00
    assert mean_of("CN-GD", "lifecycle_mg") < 200_000 < mean_of("CN-SH", "lifecycle_mg")  # nuclear is low in carbon
    assert mean_of("CN-GD", "renewable_ppm") < 400_000 < 700_000 < mean_of("CN-GD", "carbon_free_ppm")  # not renewable


def test_every_point_says_that_it_is_a_sample():
    points = list(SampleProvider().points(zone="SG", start=START, end=START + 2 * HOUR))

    assert {point.source for point in points} == {"sample"}
    assert {point.kind for point in points} == {Signal.DIRECT, Signal.LIFECYCLE, Signal.RENEWABLE, Signal.CARBON_FREE}


def test_an_hour_that_lacks_a_signal_is_left_out():
    points = list(SampleProvider().points(zone="SG", start=START, end=START + 2 * HOUR))

    assert [hour.start for hour in whole_hours(points[1:])] == [START + HOUR]


def test_a_point_that_is_no_whole_hour_is_refused():
    quarter = SignalPoint("SG", START, 15, Signal.DIRECT, 1, False, START, "meter")

    with pytest.raises(ValueError, match="15 minutes"):
        list(whole_hours([quarter]))
