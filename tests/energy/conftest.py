"""A grid to test on: sample zones with their hours, and the real hours where they are at hand."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from benchmarks.green import reading
from marketplace.energy.models import GridZone
from marketplace.energy.services import add_zone, refresh_hours
from marketplace.energy.signals.sample import SampleProvider
from marketplace.energy.zones import BY_CODE

GRID = reading.FOLDER / reading.GRID
NOW = datetime(2026, 11, 24, 10, 40, tzinfo=UTC)


@pytest.fixture
def zones(db: None) -> list[GridZone]:
    """Three sample zones whose hours are known up to NOW."""
    zones = [add_zone(known=BY_CODE[code], sample=True) for code in ("CN-NX", "DE", "SG")]
    refresh_hours(provider=SampleProvider(), zones=zones, now=NOW)
    return zones


@pytest.fixture
def ningxia(zones: list[GridZone]) -> GridZone:
    return zones[0]


@pytest.fixture(scope="session")
def real_hours() -> dict[str, reading.ZoneSeries]:
    """The hours of each real zone from 2021-01-01T00Z on: life-cycle g/kWh and renewable per cent."""
    return reading.grid_hours(kept_outside(reading.GRID))


@pytest.fixture(scope="session")
def real_intensity(real_hours: dict[str, reading.ZoneSeries]) -> dict[str, np.ndarray]:
    """Life-cycle g/kWh of each real zone from 2021-01-01T00Z on, hour by hour."""
    return {zone: series.lifecycle for zone, series in real_hours.items()}


@pytest.fixture(scope="session")
def us_output() -> dict[str, reading.Output]:
    """Sun and wind of California, Texas and PJM in 2021, in Wh, hour by hour."""
    return reading.us_output(kept_outside(reading.MIX))


def kept_outside(name: str) -> Path:
    """The file of real data called `name`; without it the test is skipped, and says so."""
    if not (reading.FOLDER / name).exists():
        pytest.skip(f"no real grid hours: {name} is kept outside this repository")
    return reading.FOLDER / name
