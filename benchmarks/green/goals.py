"""What the figures must be: the specification's numbers with how far each may be off."""

from collections.abc import Iterator
from typing import Any, NamedTuple

MAPE = {"blend": (7.5, 11.0, 14.9, 16.2), "yesterday": (13.3, 13.3, 17.0, 18.5)}
MAE_POINTS = {"blend": (2.8, 3.9, 5.0, 5.4), "yesterday": (4.8, 4.8, 5.9, 6.3)}
BY_THE_HOUR = {
    "US-CAL-CISO": {"solar": 44.2, "wind": 72.0, "half each": 73.5},
    "US-TEX-ERCO": {"solar": 43.3, "wind": 76.7, "half each": 74.4},
    "US-MIDA-PJM": {"solar": 41.5, "wind": 71.8, "half each": 69.8},
}
COARSER = {  # whole per cent over the three zones
    "solar": {"month": (86, 89), "day": (82, 88)},
    "wind": {"month": (86, 93), "day": (76, 81)},
    "half each": {"month": (88, 95), "day": (85, 90)},
}
PLACES_G = {"average": 385, "best": 88, "best_each_hour": 70}
MOST_SECONDS, MOST_LISTING_SECONDS = 60, 8


class Goal(NamedTuple):
    """A figure and the range that it must lie in."""

    name: str
    found: float
    least: float
    most: float

    @property
    def reached(self) -> bool:
        return self.least <= self.found <= self.most


def goals(figures: dict[str, Any]) -> Iterator[Goal]:
    """Every goal with what was found."""
    yield from _of_errors(figures["errors"])
    yield from _of_choices(figures)
    kept = figures["promises_kept_percent"]
    yield Goal("promises kept, mean", kept["mean"], 90, 100)
    yield Goal("promises kept, least", kept["least"], 87, 100)
    yield from _of_periods(figures["annual_is_not_hourly_percent"])
    yield Goal("seconds of the listing", figures["listing"]["seconds_total"], 0, MOST_LISTING_SECONDS)
    yield Goal("seconds", figures["seconds"], 0, MOST_SECONDS)


def missed(figures: dict[str, Any]) -> list[str]:
    """The goals that were not reached, in words."""
    return [
        f"{goal.name}: {goal.found} is not within {goal.least:g} and {goal.most:g}"
        for goal in goals(figures)
        if not goal.reached
    ]


def _of_errors(errors: dict[str, Any]) -> Iterator[Goal]:
    for key, wanted in (("lifecycle_mape_percent", MAPE), ("renewable_mae_points", MAE_POINTS)):
        for method, values in wanted.items():
            for (span, found), value in zip(errors[key][method].items(), values, strict=True):
                yield _about(f"{key} of {method}, {span} h", found, value, 0.5)
    yield Goal("mase", errors["mase"]["mean"], 0, 0.899)
    inside = errors["inside_p10_p90_percent"]
    yield _about("inside P10 to P90, mean", inside["mean"], 80, 2)
    yield Goal("inside P10 to P90, least", inside["least"], 77, 83)
    yield Goal("inside P10 to P90, most", inside["most"], 77, 83)


def _of_choices(figures: dict[str, Any]) -> Iterator[Goal]:
    yield _about("saved by waiting", figures["waiting"]["saved_percent"]["mean"], 18.4, 0.5)
    yield _about("saved by hindsight", figures["waiting"]["oracle_percent"]["mean"], 20.8, 0.5)
    for name, value in PLACES_G.items():
        yield _about(f"{name} zone, g/kWh", figures["places_g"][name], value, 0.5)


def _of_periods(zones: dict[str, Any]) -> Iterator[Goal]:
    for zone, plants in zones.items():
        for plant, found in plants.items():
            where = f"{plant} in {zone}"
            yield _about(f"{where} by the year", found["year"], 100, 0.01)
            yield _about(f"{where} by the hour", found["hour"], BY_THE_HOUR[zone][plant], 0.1)
            for period, (least, most) in COARSER[plant].items():
                yield Goal(f"{where} by the {period}", found[period], least - 0.5, most + 0.5)


def _about(name: str, found: float, value: float, off: float) -> Goal:
    return Goal(name, found, round(value - off, 3), round(value + off, 3))
