"""A grid to test on: sample zones with their hours, and the real hours where they are at hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from marketplace.energy.imports.sheets import LAYOUTS, Sheet, text_of
from marketplace.energy.models import GridZone
from marketplace.energy.services import add_zone, refresh_hours
from marketplace.energy.signals.sample import SampleProvider
from marketplace.energy.zones import BY_CODE

GRID = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "grid" / "grid_hourly.csv.gz"
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
def real_intensity() -> Iterator[dict[str, np.ndarray]]:
    """Life-cycle g/kWh of each real zone from 2021-01-01T00Z on, hour by hour."""
    if not GRID.exists():
        pytest.skip(f"no real grid hours: {GRID.name} is kept outside this repository")
    sheet = Sheet(text_of(GRID.read_bytes()), LAYOUTS["grid_hourly"], BY_CODE)
    values: dict[str, list[int]] = {}
    for hour in sheet.hours():
        values.setdefault(hour.zone, []).append(hour.lifecycle_mg)
    assert sheet.fault_count == 0
    yield {zone: np.array(found) / 1000 for zone, found in values.items()}
