"""Each part of the measurement: real series in, figures in per cent, points or g/kWh out."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from benchmarks.green.reading import FIRST_HOUR, FIRST_OF_2024, Output, ZoneSeries
from marketplace.common.units import PPM
from marketplace.energy.annual import Matching, matching, scaled
from marketplace.energy.forecast import DAY, STEP, Series
from marketplace.energy.outlook import Place, flat_outlook
from marketplace.energy.paths import Supply, hours_needed
from marketplace.energy.scoring import (
    SPANS,
    Errors,
    blend_errors,
    coverage,
    place_beats_time,
    promises_kept,
    shifting,
    yesterday_errors,
)

PROMISED_DAYS = range(100, 364)  # days 101 to 364 of the year
LOADS = (0.5, 1.0)
LISTED_HOURS = (7 * DAY, 30 * DAY)
MOST_LOAD_WH = 2_000_000


def errors(zones: dict[str, ZoneSeries]) -> dict[str, Any]:
    """Of the life-cycle intensity, its MAPE (MAE beside it), of the renewable share its MAE; means of the zones."""
    life = {zone: each.lifecycle for zone, each in zones.items()}
    share = {zone: each.renewable for zone, each in zones.items()}
    blend, naive = _each(blend_errors, life), _each(yesterday_errors, life)
    mase = {zone: blend[zone].absolute["1-24"] / naive[zone].absolute["1-24"] for zone in zones}
    inside = {zone: coverage(values, FIRST_OF_2024, every=STEP) for zone, values in life.items()}
    return {
        "lifecycle_mape_percent": {"blend": _mean_percent(blend), "yesterday": _mean_percent(naive)},
        "lifecycle_mae_g": {"blend": _mean_absolute(blend), "yesterday": _mean_absolute(naive)},
        "renewable_mae_points": {
            "blend": _mean_absolute(_each(blend_errors, share)),
            "yesterday": _mean_absolute(_each(yesterday_errors, share)),
        },
        "mase": _spread(mase, 3),
        "inside_p10_p90_percent": _spread(_percent(inside), 2),
        "mape_1_24_by_zone": {zone: round(each.percent["1-24"], 1) for zone, each in blend.items()},
    }


def waiting(zones: dict[str, ZoneSeries]) -> dict[str, Any]:
    """What a job of four hours saves that may start within a day; by forecast and by hindsight."""
    found = {zone: shifting(each.lifecycle, FIRST_OF_2024) for zone, each in zones.items()}
    return {
        "saved_percent": _spread(_percent({zone: each.saved for zone, each in found.items()}), 1),
        "oracle_percent": _spread(_percent({zone: each.could_be_saved for zone, each in found.items()}), 1),
    }


def moving(zones: dict[str, ZoneSeries]) -> dict[str, float]:
    """What the choice of a place is worth in g/kWh, beside that of an hour."""
    hours = np.stack([each.lifecycle[FIRST_OF_2024:] for each in zones.values()])
    return {"zones": len(zones), **{name: round(g, 1) for name, g in place_beats_time(hours)._asdict().items()}}


def promises(outputs: dict[str, Output]) -> dict[str, Any]:
    """The per cent of day-ahead promises that were kept."""
    kept = {
        f"{zone}, {kind}, load {load}": promises_kept(values, solar=kind == "solar", load=load, days=PROMISED_DAYS)
        for zone, output in outputs.items()
        for kind, values in output._asdict().items()
        for load in LOADS
    }
    return _spread(_percent(kept), 2)


def periods(outputs: dict[str, Output]) -> dict[str, Any]:
    """A flat use that is 100 % matched by the year: per cent by month, day and hour."""
    return {zone: {kind: _periods(values) for kind, values in _plants(output)} for zone, output in outputs.items()}


def _plants(output: Output) -> Iterable[tuple[str, Series]]:
    """Sun, wind, and both with half of the energy each."""
    yield from output._asdict().items()
    yield "half each", scaled(output.solar, 1) + scaled(output.wind, 1)


def _periods(supply: Series) -> dict[str, float]:
    use = np.ones(len(supply))
    found: Matching = matching(use, scaled(supply, len(supply)), FIRST_HOUR)
    return {period: round(100 * share, 2) for period, share in found._asdict().items()}


def listing(zones: dict[str, ZoneSeries], outputs: dict[str, Output], *, offers: int, places: int) -> dict[str, Any]:
    """Seconds to say the bands of `offers` flat loads at `places` places of sun and wind, per horizon in days."""
    made = list(_places(zones, outputs, places))
    loads = np.random.default_rng(1).integers(MOST_LOAD_WH // 100, MOST_LOAD_WH, offers)
    took = {}
    for hours in LISTED_HOURS:
        began = time.perf_counter()
        for place, uses in zip(made, np.array_split(loads, places), strict=True):
            flat_outlook(place, uses, hours)
        took[f"{hours // DAY} days"] = round(time.perf_counter() - began, 2)
    return {"offers": offers, "places": places, "seconds": took, "seconds_total": round(sum(took.values()), 2)}


def _places(zones: dict[str, ZoneSeries], outputs: dict[str, Output], count: int) -> Iterable[Place]:
    """Plants of the three zones, each place with another part of the year and another grid."""
    needed = hours_needed(max(LISTED_HOURS))
    plants, grids = list(outputs.values()), [each.renewable * (PPM // 100) for each in zones.values()]
    for number in range(count):
        plant, grid = plants[number % len(plants)], grids[number % len(grids)]
        first = number * DAY % (len(plant.solar) - needed)
        supplies = [
            Supply(scaled(values, MOST_LOAD_WH * len(values) / 2)[first : first + needed], solar=kind == "solar")
            for kind, values in plant._asdict().items()
        ]
        yield Place(supplies, grid[first : first + needed])


def _each(measure: Callable[[Series, int], Errors], series: dict[str, Series]) -> dict[str, Errors]:
    return {zone: measure(values, FIRST_OF_2024) for zone, values in series.items()}


def _mean_percent(found: dict[str, Errors]) -> dict[str, float]:
    return {span: round(float(np.mean([each.percent[span] for each in found.values()])), 2) for span in SPANS}


def _mean_absolute(found: dict[str, Errors]) -> dict[str, float]:
    return {span: round(float(np.mean([each.absolute[span] for each in found.values()])), 2) for span in SPANS}


def _percent(parts: dict[str, float]) -> dict[str, float]:
    return {name: 100 * part for name, part in parts.items()}


def _spread(values: dict[str, float], digits: int) -> dict[str, Any]:
    """The mean, the least and the most of `values`, and each of them."""
    found = list(values.values())
    ends = {"mean": float(np.mean(found)), "least": min(found), "most": max(found)}
    return {
        **{name: round(value, digits) for name, value in ends.items()},
        "each": {name: round(value, digits) for name, value in values.items()},
    }
