"""The real hours: series of grid zones, and a year of sun and wind in three of them."""

import csv
import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from marketplace.energy.forecast import Series
from marketplace.energy.imports.gridsheet import LAYOUTS, GridSheet
from marketplace.energy.imports.sheets import text_of
from marketplace.energy.zones import BY_CODE

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "grid"
GRID, MIX = "grid_hourly.csv.gz", "us_generation_mix_2021.csv.gz"
FIRST_HOUR = datetime(2021, 1, 1, tzinfo=UTC)  # of every series of 2021 to 2024
FIRST_OF_2024 = (datetime(2024, 1, 1, tzinfo=UTC) - FIRST_HOUR) // timedelta(hours=1)
HOURS_TO_2025 = FIRST_OF_2024 + 366 * 24
NOT_SCORED = {"IN-WE", "JP-TK"}  # modelled by their publisher
WH_PER_MWH = 1_000_000


class ZoneSeries(NamedTuple):
    """One zone's hours: life-cycle intensity in g/kWh, renewable share in per cent."""

    lifecycle: Series
    renewable: Series


class Output(NamedTuple):
    """A year of hourly output in Wh."""

    solar: Series
    wind: Series


def grid_hours(path: Path) -> dict[str, ZoneSeries]:
    """Every zone of the file at `path`, hour by hour; raises ValueError for a file with faults."""
    sheet = GridSheet(text_of(path.read_bytes()), LAYOUTS["grid_hourly"], BY_CODE)
    found: dict[str, tuple[list[int], list[int]]] = {}
    for hour in sheet.hours():
        lifecycle, renewable = found.setdefault(hour.zone, ([], []))
        lifecycle.append(hour.lifecycle_mg)
        renewable.append(hour.renewable_ppm)
    if sheet.faults.count:
        raise ValueError(f"{path.name} has {sheet.faults.count} faults, the first: {sheet.faults.listed[0]}")
    return {
        zone: ZoneSeries(np.array(lifecycle) / 1_000, np.array(renewable) / 10_000)
        for zone, (lifecycle, renewable) in found.items()
    }


def with_2024(zones: dict[str, ZoneSeries]) -> dict[str, ZoneSeries]:
    """The zones whose hours are known from 2021 through 2024."""
    return {zone: series for zone, series in zones.items() if len(series.lifecycle) == HOURS_TO_2025}


def scored(zones: dict[str, ZoneSeries]) -> dict[str, ZoneSeries]:
    """Of those, the zones whose hours were measured rather than modelled."""
    return {zone: series for zone, series in with_2024(zones).items() if zone not in NOT_SCORED}


def us_output(path: Path) -> dict[str, Output]:
    """Sun and wind of the three zones in the file at `path`, all of 2021."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            solar, wind = found.setdefault(row["zone"], ([], []))
            solar.append(float(row["solar_mwh"]))
            wind.append(float(row["wind_mwh"]))
    return {
        zone: Output(np.array(solar) * WH_PER_MWH, np.array(wind) * WH_PER_MWH) for zone, (solar, wind) in found.items()
    }
