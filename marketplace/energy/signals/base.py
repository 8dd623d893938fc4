"""What every source of grid data speaks: points of one signal, joined here into whole hours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

ODBL_NOTICE = (
    "Contains information from Electricity Maps, which is made available under the Open Database License (ODbL)"
)
NOTICES = {
    "electricity_maps": ODBL_NOTICE,
    "entsoe": "Computed from generation data of the ENTSO-E Transparency Platform (CC BY 4.0)",
    "uk_carbon": "Contains and is computed from data of the Carbon Intensity API of NESO (CC BY 4.0)",
    "watttime": "Marginal emissions by WattTime",
    "sample": "Sample data: invented by Joulemart for demonstrations, not measured",
}
# What a source's average is taken over: all that was consumed, imports traced, or what was produced in the zone.
BASES = {"electricity_maps": "consumption", "entsoe": "production", "uk_carbon": "production", "sample": "production"}


class Signal(StrEnum):
    """The kinds of point. Intensities are mg/kWh, shares are ppm; marginal is never mixed with the others."""

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"
    MARGINAL = "marginal"
    RENEWABLE = "renewable"
    CARBON_FREE = "carbon_free"
    RESIDUAL = "residual"


class SignalPoint(NamedTuple):
    """One value of one zone over `minutes` from `start` (UTC), and who said it when."""

    zone: str
    start: datetime
    minutes: int
    kind: Signal
    value: int
    estimated: bool
    issued_at: datetime
    source: str


class SignalProvider(Protocol):
    """A source of grid signals. `vintage` names its edition: another edition never overwrites this one."""

    @property
    def source(self) -> str:
        """Who says it."""
        ...

    @property
    def vintage(self) -> str:
        """In which edition."""
        ...

    def points(self, *, zone: str, start: datetime, end: datetime) -> Iterable[SignalPoint]:
        """All points of `zone` that start in [start, end), hour by hour."""
        ...


@dataclass(frozen=True, slots=True)
class HourOfSignals:
    """One zone's hour with all it needs: intensities in mg/kWh, shares in ppm."""

    start: datetime
    direct_mg: int
    lifecycle_mg: int
    residual_mg: int | None
    renewable_ppm: int
    carbon_free_ppm: int
    estimated: bool
    issued_at: datetime


NEEDED = (Signal.DIRECT, Signal.LIFECYCLE, Signal.RENEWABLE, Signal.CARBON_FREE)


def whole_hours(points: Iterable[SignalPoint]) -> Iterator[HourOfSignals]:
    """Join hourly points of one zone into hours, earliest first; an hour that lacks a needed signal is left out.

    A carbon-free share that its source rounded below the renewable share is raised to it.

    Raises ValueError for a point that is not an hour long or does not start on the hour.
    """
    hours: dict[datetime, dict[Signal, SignalPoint]] = {}
    for point in points:
        if point.minutes != 60 or (point.start.minute, point.start.second, point.start.microsecond) != (0, 0, 0):
            raise ValueError(f"{point.zone} {point.start.isoformat()}: {point.minutes} minutes are not a whole hour")
        hours.setdefault(point.start, {})[point.kind] = point
    for start, found in sorted(hours.items()):
        if all(kind in found for kind in NEEDED):
            yield _joined(start, found)


def _joined(start: datetime, found: dict[Signal, SignalPoint]) -> HourOfSignals:
    residual = found.get(Signal.RESIDUAL)
    return HourOfSignals(
        start=start,
        direct_mg=found[Signal.DIRECT].value,
        lifecycle_mg=found[Signal.LIFECYCLE].value,
        residual_mg=residual.value if residual else None,
        renewable_ppm=found[Signal.RENEWABLE].value,
        carbon_free_ppm=max(found[Signal.RENEWABLE].value, found[Signal.CARBON_FREE].value),
        estimated=any(found[kind].estimated for kind in NEEDED),
        issued_at=max(point.issued_at for point in found.values()),
    )
