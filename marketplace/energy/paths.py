"""Possible futures of an hourly series: the forecast, off by what each of the last days' forecasts was off by.

The quantiles of single hours do not add up to the quantile of a sum: a dull day is dull for hours on end. A path keeps
the errors of one origin together, so a sum over a path is a sum that could happen (energy.md, Forecast: "P10 of a
share: 6th smallest of 60 daily residual paths, output never below 0").
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from marketplace.common.units import PPM, ceil_div
from marketplace.energy.forecast import DAY, NEEDED, Series, Table, blends, usuals

PATHS = 60
FEWEST_PATHS = 10  # of fewer, one in ten is nothing

Whole = npt.NDArray[np.int64]
Ahead = Callable[[Series, Whole, int], Table]


class Supply(NamedTuple):
    """Hourly output in Wh, the last hour just known: [hours]. The sun's is forecast by its usual day alone.

    `free` is ppm of each hour to come that may be counted on, in as many hours as are asked for; None: all of it.
    """

    history: Series
    solar: bool
    free: Whole | None = None


def paths_known(size: int, hours: int) -> int:
    """How many whole paths of `hours` a history of `size` hours holds: 0 to 60."""
    return min(PATHS, max(0, (size - NEEDED) // DAY - ceil_div(hours, DAY) + 1))


def hours_needed(hours: int, paths: int = PATHS) -> int:
    """The hours of history that `paths` paths of `hours` rest on."""
    return NEEDED + DAY * (ceil_div(hours, DAY) + paths - 1)


def possible(history: Series, hours: int, ahead: Ahead, paths: int = PATHS) -> Table:
    """Futures of `history` ([n] hourly values): [paths, hours], the forecast of `ahead` plus its residuals.

    Row k is off by what the forecast made k days before the latest one that is known to its end was off by. All of them
    were made at the same hour of the day as this one. Raises ValueError when the history is too short.
    """
    size = len(history)
    if size < hours_needed(hours, paths):
        raise ValueError(f"{paths} paths need {hours_needed(hours, paths)} hours of history, got {size}")
    origins = size - DAY * (ceil_div(hours, DAY) + np.arange(paths))
    off = history[origins[:, None] + np.arange(hours)] - ahead(history, origins, hours)
    futures: Table = ahead(history, np.array([size]), hours) + off
    return futures


def supply_paths(supplies: Sequence[Supply], hours: int, paths: int = PATHS) -> Whole:
    """What all of `supplies` may deliver: Wh [paths, hours], rounded down, each supply never below 0.

    Row k of every supply rests on the same day, so that their luck goes together. Their histories must end at the same
    hour. Raises ValueError when one is too short.
    """
    total = np.zeros((paths, hours))
    for supply in supplies:
        futures = possible(supply.history, hours, usuals if supply.solar else blends, paths)
        total += np.maximum(futures, 0) * (1 if supply.free is None else supply.free / PPM)
    return np.floor(total).astype(np.int64)


def grid_paths(history: Series, hours: int, paths: int = PATHS) -> Whole:
    """What a grid's share, given in ppm [n], may be: ppm [paths, hours], rounded down, from 0 to 1,000,000.

    Raises ValueError when the history is too short.
    """
    return np.clip(np.floor(possible(history, hours, blends, paths)), 0, PPM).astype(np.int64)
