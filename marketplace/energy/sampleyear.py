"""A year of the sample grid's sun against a flat load of as much energy: what annual matching hides, hour by hour."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np

from marketplace.common.clock import HOUR
from marketplace.energy.annual import Matching, matching, scaled
from marketplace.energy.forecast import DAY, Series
from marketplace.energy.signals.sample import output_ppm

ZONE = "US-TEX"
YEAR = 2025
WEEK_START = datetime(2025, 3, 17, 5, tzinfo=UTC)  # Monday, midnight there
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class SolarYear:
    """How much of a flat load panels match that make as much in the year, and a week of it in parts of the load."""

    matching: Matching
    week_start: datetime
    week: Series


@cache
def solar_year() -> SolarYear:
    """Of the sample zone, the same in any process."""
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    hours = (datetime(YEAR + 1, 1, 1, tzinfo=UTC) - start) // HOUR
    made = np.array([output_ppm(ZONE, "solar", start + n * HOUR) for n in range(hours)], dtype=np.float64)
    load = np.ones(hours)
    supply = scaled(made, float(hours))
    first = (WEEK_START - start) // HOUR
    return SolarYear(matching(load, supply, start), WEEK_START, supply[first : first + WEEK])
