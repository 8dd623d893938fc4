"""The shares to expect at a place: of one use hour by hour, or of the flat loads of many offers at once."""

from collections.abc import Sequence
from typing import NamedTuple

from marketplace.energy.forecast import Series
from marketplace.energy.paths import FEWEST_PATHS, Supply, Whole, grid_paths, paths_known, supply_paths
from marketplace.energy.shares import ShareBands, bands_of, flat_bands


class Place(NamedTuple):
    """What serves a point: the supplies that it may count on, and its grid zone's renewable share in ppm [hours].

    Without a supply only the grid is there. All histories end at the same hour, the last one known.
    """

    supplies: Sequence[Supply]
    grid: Series


def paths_at(place: Place, hours: int) -> int:
    """How many paths of `hours` the place's histories hold, 60 at most. With fewer than 10 its shares are unproven."""
    return min(paths_known(len(history), hours) for history in (place.grid, *(each.history for each in place.supplies)))


def outlook(place: Place, use: Whole, *, lead: int = 0) -> ShareBands:
    """The bands of `use`, Wh in each hour from `lead` hours after the last known one on.

    Raises ValueError where fewer than ten paths are known, and for a use of nothing.
    """
    supply, grid = _possible(place, lead + len(use))
    return bands_of(use, supply[:, lead:], grid[:, lead:])


def flat_outlook(place: Place, loads: Whole, hours: int, *, lead: int = 0) -> ShareBands:
    """The bands of flat uses over the same `hours`: `loads` holds the Wh per hour of each use.

    A place takes some 60 × hours × 100 bytes while it is looked at; a market goes from place to place. Raises as
    `outlook` does.
    """
    supply, grid = _possible(place, lead + hours)
    return flat_bands(loads, supply[:, lead:], grid[:, lead:])


def _possible(place: Place, hours: int) -> tuple[Whole, Whole]:
    """Wh and ppm, both [paths, hours], row by row of the same day."""
    paths = paths_at(place, hours)
    if paths < FEWEST_PATHS:
        raise ValueError(f"{FEWEST_PATHS} paths of {hours} hours make a band, {paths} are known")
    return supply_paths(place.supplies, hours, paths), grid_paths(place.grid, hours, paths)
