"""The three shares of a use, exactly (energy.md): matched ΣM/ΣE, blended Σ(M+(E−M)·g)/ΣE, grid ΣE·g/ΣE.

E is the use, A the supply, M = min(E, A), all Wh of the same hours; g the grid's renewable share in ppm. Whole numbers
throughout; each share is rounded down to ppm once, at the end. They stand side by side and are never added.
"""

from typing import NamedTuple

import numpy as np

from marketplace.common.units import PPM
from marketplace.energy.paths import FEWEST_PATHS, Whole

MOST = np.iinfo(np.int64).max // PPM  # Wh of one use whose shares still fit


class Shares(NamedTuple):
    """Three shares in ppm, each of the same shape; matched ≤ blended."""

    matched: Whole
    blended: Whole
    grid: Whole


class ShareBands(NamedTuple):
    """P10, P50 and P90 of each share in ppm, [3] of one use or [3, uses] of many, and how many paths they rest on."""

    matched: Whole
    blended: Whole
    grid: Whole
    paths: int


def shares_of(use: Whole, supply: Whole, grid: Whole) -> Shares:
    """The shares over the last axis: `use` Wh [hours], `supply` Wh and `grid` ppm [..., hours].

    Raises ValueError for a use of nothing, or of more than 9.2 TWh.
    """
    total = int(use.sum())
    _refuse(int(use.min(initial=0)), total)
    matched = np.minimum(use, np.maximum(supply, 0))
    by_supply = matched.sum(axis=-1) * PPM
    rest = ((use - matched) * grid).sum(axis=-1)
    place = (use * grid).sum(axis=-1)
    return Shares(by_supply // total, (by_supply + rest) // total, place // total)


def bands_of(use: Whole, supply: Whole, grid: Whole) -> ShareBands:
    """The bands of a use [hours] over possible `supply` Wh and `grid` ppm, both [paths, hours].

    Raises ValueError for fewer than ten paths and as `shares_of` does.
    """
    return _bands(shares_of(use, supply, grid))


def flat_bands(loads: Whole, supply: Whole, grid: Whole) -> ShareBands:
    """The bands of many flat uses at one place: `loads` Wh per hour [uses], the rest as in `bands_of`.

    Equal to `bands_of` of each load, in one pass: with hours in the order of their supply, the first ones give all they
    have and the others the load, so that every sum is read off running totals. Raises as `bands_of` does.
    """
    hours = supply.shape[-1]
    _refuse(int(loads.min(initial=1)) - 1, int(loads.max(initial=1)) * hours)
    supply = np.clip(supply, 0, loads.max(initial=0))
    order = np.argsort(supply, axis=-1)
    full, share = np.take_along_axis(supply, order, -1), np.take_along_axis(grid, order, -1)
    below, rest = _running(full), _running(full * share)
    part = _running(share)
    short = np.stack([np.searchsorted(row, loads) for row in full])  # hours that lack supply: [paths, uses]
    matched = _at(below, short) + loads * (hours - short)
    replaced = _at(rest, short) + loads * (part[:, -1:] - _at(part, short))  # ΣM·g
    total, place = loads * hours, loads * part[:, -1:]
    return _bands(Shares(matched * PPM // total, (matched * PPM + place - replaced) // total, place // total))


def _running(values: Whole) -> Whole:
    """Running totals of each row with a 0 before them: [rows, hours + 1]."""
    return np.pad(np.cumsum(values, axis=-1), ((0, 0), (1, 0)))


def _at(table: Whole, places: Whole) -> Whole:
    return np.take_along_axis(table, places, axis=-1)


def _bands(shares: Shares) -> ShareBands:
    """Of n paths the ceil(n/10)-th smallest, the ceil(n/2)-th smallest and the ceil(n/10)-th largest."""
    paths = len(shares.matched)
    if paths < FEWEST_PATHS:
        raise ValueError(f"bands of a share need {FEWEST_PATHS} paths, got {paths}")
    tenth, half = -(-paths // 10), -(-paths // 2)
    places = [tenth - 1, half - 1, paths - tenth]
    matched, blended, grid = (np.sort(share, axis=0)[places] for share in shares)
    return ShareBands(matched, blended, grid, paths)


def _refuse(least: int, total: int) -> None:
    if least < 0:
        raise ValueError("energy is never below 0, and a flat load is above it")
    if not 0 < total <= MOST:
        raise ValueError(f"a share is of 1 to {MOST} Wh, not of {total}")
