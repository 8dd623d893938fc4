"""How much of a use a supply matches when it is counted by the year, the month, the day or the hour.

The longer the period, the more a surplus at noon is said to have covered the night. Only the last column is a claim
(energy.md, Annual is not hourly).
"""

from datetime import datetime
from typing import NamedTuple

import numpy as np

from marketplace.energy.forecast import Series

UNITS = {"year": "Y", "month": "M", "day": "D", "hour": "h"}


class Matching(NamedTuple):
    """Shares of the use, 0 to 1, matched within each calendar period of UTC; none is smaller than the next."""

    year: float
    month: float
    day: float
    hour: float


def matching(use: Series, supply: Series, start: datetime) -> Matching:
    """How much of `use` [hours] is matched by `supply` [hours] of the same unit, the first hour being `start` (UTC).

    Σ over periods of min(Σ use, Σ supply), over Σ use. Raises ValueError for series of different lengths, values below
    0, a use of nothing, or a start that is not a whole UTC hour.
    """
    if use.shape != supply.shape or use.ndim != 1:
        raise ValueError(f"use and supply must cover the same hours, got {use.shape} and {supply.shape}")
    if not len(use) or use.sum() <= 0 or min(use.min(), supply.min()) < 0:
        raise ValueError("use and supply are never below 0, and use is above it")
    hours = _hours_from(start, len(use))
    return Matching(*(_within(use, supply, hours.astype(f"datetime64[{unit}]")) for unit in UNITS.values()))


def scaled(supply: Series, total: float) -> Series:
    """`supply` [hours] in proportion, so that it sums to `total`. Raises ValueError for a supply of nothing."""
    if supply.sum() <= 0:
        raise ValueError("a supply of nothing cannot be scaled")
    whole: Series = supply * (total / supply.sum())
    return whole


def _hours_from(start: datetime, count: int) -> "np.ndarray[tuple[int], np.dtype[np.datetime64]]":
    offset = start.utcoffset()
    if offset is None or offset or (start.minute, start.second, start.microsecond) != (0, 0, 0):
        raise ValueError(f"{start.isoformat()} is not a whole hour of UTC")
    return np.datetime64(start.replace(tzinfo=None), "h") + np.arange(count)


def _within(use: Series, supply: Series, periods: "np.ndarray[tuple[int], np.dtype[np.datetime64]]") -> float:
    _, number = np.unique(periods, return_inverse=True)
    return float(np.minimum(np.bincount(number, use), np.bincount(number, supply)).sum() / use.sum())
