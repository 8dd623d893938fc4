"""What a flat load at a point is matched by, hour by hour: its own supply first, the grid's share for the rest.

Of each hour three figures. `matched_ppm`, the share that the expected supply covers: min(1, A/E). `renewable_ppm`, that
share and the grid's part of the rest: what ranks. `careful_ppm`, what can be promised: over the daily residual paths
(`paths.py`) the mean of the tenth with the least. The sum of the hours' worst tenths is never above the worst tenth of
the sums, which is never above its P10; so the mean of `careful_ppm` over any run whatever promises no more than the P10
of the matched share over that run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.db import connection

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.errors import NoHistory
from marketplace.energy.forecast import blend, usuals
from marketplace.energy.models import GridZone
from marketplace.energy.paths import FEWEST_PATHS, Whole, paths_known, supply_paths
from marketplace.energy.starts import overlaps
from marketplace.energy.supplyhours import Mark, Plant, Plants, plants_of, supply_mark
from marketplace.energy.windows import FORECAST, METERED, QUALITIES, SAMPLE, HourWindow, ZoneHours, hours_of

TENTHS = 10


class PointLoad(NamedTuple):
    """A metering point (by key), its zone, and the W that all it sells would draw at the site's meter."""

    point: int
    zone: GridZone
    watts: int


@dataclass(frozen=True, slots=True)
class PointHours(ZoneHours):
    """Hours of a point: `renewable_ppm` and `carbon_free_ppm` with its own supply, intensities of the grid.

    `grid_ppm` is the grid's renewable share alone. `unproven`: a plant serves the point, and not enough is known of any
    one to promise from it.
    """

    matched_ppm: tuple[int, ...]
    careful_ppm: tuple[int, ...]
    grid_ppm: tuple[int, ...]
    supplied: bool
    unproven: bool


class RunShares(NamedTuple):
    """Means over a run, in ppm and rounded down: `renewable` expected, with the grid's part; `matched` what can be
    promised of it, None where that is unproven; `expected` what the supply is expected to match; `grid` the place's."""

    renewable: int
    matched: int | None
    expected: int
    grid: int
    carbon_free: int
    quality: str


class SupplyShares(NamedTuple):
    """Of each hour of a window, in ppm: expected, and careful; how sure that is, and whether it is proven."""

    matched: Whole
    careful: Whole
    quality: Whole
    unproven: bool


@dataclass(frozen=True, slots=True)
class PointWindow:
    """Hours of several points. One in a zone of which too little is known has none."""

    zones: HourWindow
    points: Mapping[int, PointHours]

    @property
    def hours(self) -> int:
        """How many."""
        return self.zones.hours

    def has(self, point: int) -> bool:
        """Whether anything can be said of the point."""
        return point in self.points

    def point(self, load: PointLoad) -> PointHours:
        """The hours of the point; raises NoHistory."""
        if load.point not in self.points:
            raise NoHistory(load.zone.code)
        return self.points[load.point]


def point_hours(*, loads: Sequence[PointLoad], start: datetime, hours: int, now: datetime) -> PointWindow:
    """The hours of the points of `loads`, as `windows.hours_of` says those of zones.

    At most three queries when what they rest on is remembered; three more when it is not.
    """
    zones = hours_of(zones=[load.zone for load in loads], start=start, hours=hours, now=now)
    mark = supply_mark(now=now)
    served: Mapping[int, SupplyShares] = {}
    if mark:
        watts = tuple(sorted((load.point, load.watts) for load in loads))
        database = str(connection.settings_dict["NAME"])
        served = _served(database, mark, watts, zones.start, hours, hour_floor(now))
    points = {
        load.point: _with_supply(zones.zone(load.zone), served.get(load.point))
        for load in loads
        if zones.has(load.zone)
    }
    return PointWindow(zones, points)


def run_shares(hours: PointHours, first: datetime, start: datetime, end: datetime) -> RunShares:
    """The means over [start, end) of `hours`, which begin at the whole hour `first` and reach to its end."""
    weights = overlaps(start, end)
    skip, whole = (hour_floor(start) - first) // HOUR, sum(weights)

    def mean(values: Sequence[int]) -> int:
        covered = values[skip : skip + len(weights)]
        return sum(weight * value for weight, value in zip(weights, covered, strict=True)) // whole

    return RunShares(
        renewable=mean(hours.renewable_ppm), matched=None if hours.unproven else mean(hours.careful_ppm),
        expected=mean(hours.matched_ppm), grid=mean(hours.grid_ppm), carbon_free=mean(hours.carbon_free_ppm),
        quality=QUALITIES[max(hours.qualities[skip : skip + len(weights)])],
    )  # fmt: skip


def _with_supply(zone: ZoneHours, supply: SupplyShares | None) -> PointHours:
    """The whole is called renewable only where all of it is matched for sure, never because the grid happens to be."""
    nothing = (0,) * len(zone.renewable_ppm)
    if supply is None:
        short = zone.renewable_ppm
        if max(short) == PPM:
            short = tuple(min(ppm, PPM - 1) for ppm in short)
        return PointHours(
            short, zone.carbon_free_ppm, zone.lifecycle_mg, zone.direct_mg, zone.forecast, zone.qualities,
            nothing, nothing, zone.renewable_ppm, supplied=False, unproven=False,
        )  # fmt: skip
    rest = PPM - supply.matched
    most = np.where(supply.careful == PPM, PPM, PPM - 1)  # what is only expected is never called the whole
    matched, blended, free = (
        np.minimum(share, most)
        for share in (
            supply.matched,
            supply.matched + rest * np.array(zone.renewable_ppm) // PPM,
            supply.matched + rest * np.array(zone.carbon_free_ppm) // PPM,
        )
    )
    qualities = np.maximum(zone.qualities, supply.quality)
    forecast = np.array(zone.forecast) | (supply.quality == FORECAST)
    return PointHours(
        tuple(blended.tolist()), tuple(free.tolist()), zone.lifecycle_mg, zone.direct_mg, tuple(forecast.tolist()),
        tuple(qualities.tolist()), tuple(matched.tolist()), tuple(supply.careful.tolist()), zone.renewable_ppm,
        supplied=True, unproven=supply.unproven,
    )  # fmt: skip


@lru_cache(maxsize=32)
def _served(
    database: str, mark: Mark, watts: tuple[tuple[int, int], ...], first: datetime, hours: int, by: datetime
) -> dict[int, SupplyShares]:
    """The shares of every point that a plant serves. `database` and `mark` are there to tell stale answers apart."""
    loads = dict(watts)
    plants = plants_of(points=loads, first=first, hours=hours, now=by)
    return {point: supply_shares(plants, point, loads[point]) for point in plants.of_point}


def supply_shares(plants: Plants, point: int, load_wh: int) -> SupplyShares:
    """What a flat load of `load_wh` an hour at `point` is matched by; nothing where there is no load.

    Plants that are not proven count nothing.
    """
    proven = [plant for plant in plants.of_point[point] if plant.is_proven]
    if not proven or load_wh <= 0:
        nothing = np.zeros(plants.hours, dtype=np.int64)
        return SupplyShares(nothing, nothing, nothing, unproven=not proven)
    expected = sum((_expected(plant, plants) for plant in proven), np.zeros(plants.hours, dtype=np.int64))
    possible = _possible(proven, plants)
    paths = len(possible)
    worst = np.sort(np.minimum(possible, load_wh), axis=0)[: ceil_div(paths, TENTHS)]
    careful = worst.sum(axis=0) * PPM // (load_wh * max(1, len(worst)))
    return SupplyShares(
        np.minimum(expected, load_wh) * PPM // load_wh,
        careful if paths else np.zeros(plants.hours, dtype=np.int64),
        np.max([_quality(plant, plants) for plant in proven], axis=0),
        unproven=not paths,
    )


def _quality(plant: Plant, plants: Plants) -> Whole:
    """How sure each hour of the window is."""
    if plant.sample:
        return np.full(plants.hours, SAMPLE)
    return np.where(plants.skip + np.arange(plants.hours) < plant.until, METERED, FORECAST)


def _expected(plant: Plant, plants: Plants) -> Whole:
    """Wh of each hour of the window: as metered, nothing where nobody did, and the forecast behind the last one."""
    told = plant.known[plants.skip : min(plant.until, plants.skip + plants.hours)]
    wanted = plants.skip + plants.hours - plant.until
    history = plant.history(plant.until)
    ahead = usuals(history, np.array([len(history)]), wanted)[0] if plant.solar else blend(history, wanted)
    whole = np.concatenate([np.nan_to_num(told), np.maximum(ahead, 0)])[-plants.hours :]
    return np.floor(whole * plant.free / PPM).astype(np.int64)


def _possible(proven: Sequence[Plant], plants: Plants) -> Whole:
    """What the plants may make together, Wh [paths, hours of the window]; no path where fewer than ten are known.

    All start behind the hour that all are known up to, so that one day's luck is one day's in every row.
    """
    origin = min(plant.until for plant in proven)
    ahead, lead = plants.skip + plants.hours - origin, origin - plants.skip
    paths = min(paths_known(origin - plant.run, ahead) for plant in proven)
    if paths < FEWEST_PATHS:
        return np.zeros((0, plants.hours), dtype=np.int64)
    free = [np.pad(plant.free[max(0, lead) :], (max(0, -lead), 0), constant_values=PPM) for plant in proven]
    future = supply_paths([plant.supply(origin, part) for plant, part in zip(proven, free, strict=True)], ahead, paths)
    told = sum(
        np.nan_to_num(plant.known[plants.skip : origin]) * plant.free[: max(0, lead)] / PPM for plant in proven
    ) if lead > 0 else np.zeros(0)  # fmt: skip
    past = np.broadcast_to(np.floor(told).astype(np.int64), (paths, max(0, lead)))
    return np.concatenate([past, future[:, max(0, -lead) :]], axis=1)
