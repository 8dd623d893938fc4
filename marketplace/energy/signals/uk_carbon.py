"""The Carbon Intensity API of Great Britain: the national intensity and the generation mix, by the half hour.

The direct intensity is what it says (g CO2/kWh, imports included). The life-cycle intensity is computed from the mix of
what was generated in the country, imports left aside; the shares count imports as neither renewable nor carbon-free.
An hour is the mean of its two halves; where one is missing, so is the hour.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from marketplace.common.units import PPM
from marketplace.energy.signals.base import Signal, SignalPoint
from marketplace.energy.signals.factors import FACTORS, lifecycle_mg
from marketplace.energy.signals.reading import exact, json_of, mg_of, moment, understood
from marketplace.energy.signals.visit import Visit

HALF = timedelta(minutes=30)
TECHNOLOGY = {
    "biomass": "biomass", "coal": "coal", "gas": "gas", "hydro": "hydro", "nuclear": "nuclear", "oil": "oil",
    "other": "unknown", "solar": "solar", "wind": "wind",
}  # fmt: skip
IMPORTS = "imports"
NONE = Fraction(0)

Mix = Mapping[str, Fraction]  # per cent by fuel


class UkCarbon(Visit):
    """A fetch from the Carbon Intensity API, which asks for no key."""

    __slots__ = ()

    def points(self, *, zone: str, start: datetime, end: datetime) -> list[SignalPoint]:
        """All it knows of `zone` in [start, end), at most 14 days; raises ProviderError."""
        span = f"{start:%Y-%m-%dT%H:%MZ}/{end:%Y-%m-%dT%H:%MZ}"
        intensities = self._halves(f"/intensity/{span}", _intensity)
        mixes = self._halves(f"/generation/{span}", _mix)
        points: list[SignalPoint] = []
        with understood(self.source):
            hour = start
            while hour < end:
                for kind, value in _hour(hour, intensities, mixes).items():
                    points.append(SignalPoint(zone, hour, 60, kind, value, False, self.asked_at, self.source))
                hour += 2 * HALF
        return points

    def _halves(self, path: str, read: Any) -> dict[datetime, Any]:
        """What `read` finds in each half hour; halves without a value are left out."""
        raw = self.door.get(path, headers={"Accept": "application/json"})
        with understood(self.source):
            rows = json_of(raw)["data"]
            for row in rows:
                if moment(row["to"]) - moment(row["from"]) != HALF:
                    raise ValueError(f"{row['from']} is not the start of half an hour")
            found = {moment(row["from"]): read(row) for row in rows}
            return {at: value for at, value in found.items() if value is not None}


def _intensity(row: Any) -> Fraction | None:
    told = row["intensity"]["actual"]
    return None if told is None else exact(told)


def _mix(row: Any) -> Mix:
    """Raises ValueError for a fuel that is not known, and for parts that are no whole."""
    mix = {part["fuel"]: exact(part["perc"]) for part in row["generationmix"]}
    strangers = mix.keys() - TECHNOLOGY.keys() - {IMPORTS}
    if strangers or min(mix.values()) < 0 or not 98 <= sum(mix.values()) <= 102:
        raise ValueError(f"a mix of {', '.join(sorted(mix))} makes {float(sum(mix.values()))} per cent")
    return mix


def _hour(
    start: datetime, intensities: Mapping[datetime, Fraction], mixes: Mapping[datetime, Mix]
) -> dict[Signal, int]:
    """The signals of the hour; none of a kind that a half lacks."""
    halves = (start, start + HALF)
    signals: dict[Signal, int] = {}
    if all(half in intensities for half in halves):
        signals[Signal.DIRECT] = mg_of(sum((intensities[half] for half in halves), NONE) / 2)
    if all(half in mixes for half in halves):
        first, second = (mixes[half] for half in halves)
        signals |= _of_mix({fuel: first.get(fuel, NONE) + second.get(fuel, NONE) for fuel in (*TECHNOLOGY, IMPORTS)})
    return signals


def _of_mix(mix: Mix) -> dict[Signal, int]:
    whole = sum(mix.values())
    home = {name: mix[fuel] for fuel, name in TECHNOLOGY.items()}
    renewable = sum(part for name, part in home.items() if FACTORS[name].renewable)
    free = sum(part for name, part in home.items() if FACTORS[name].carbon_free)
    return {
        Signal.LIFECYCLE: lifecycle_mg(home),
        Signal.RENEWABLE: floor(renewable * PPM / whole),
        Signal.CARBON_FREE: floor(free * PPM / whole),
    }
