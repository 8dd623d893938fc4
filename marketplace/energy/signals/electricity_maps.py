"""Electricity Maps, API version 3: hourly averages of what a zone consumes, imports traced to their origin.

Four questions make an hour: the life-cycle and the direct intensity (g/kWh), the renewable and the carbon-free share
(per cent). A value that the publisher estimated is flagged. The `past-range` endpoints need a plan with past data.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from marketplace.energy.signals.base import Signal, SignalPoint
from marketplace.energy.signals.reading import json_of, mg_of, moment, ppm_of, understood, utc_text
from marketplace.energy.signals.visit import Visit

ASKED: tuple[tuple[Signal, str, dict[str, str]], ...] = (
    (Signal.LIFECYCLE, "carbon-intensity", {"emissionFactorType": "lifecycle"}),
    (Signal.DIRECT, "carbon-intensity", {"emissionFactorType": "direct"}),
    (Signal.RENEWABLE, "renewable-energy", {}),
    (Signal.CARBON_FREE, "carbon-free-energy", {}),
)
INTENSITIES = (Signal.LIFECYCLE, Signal.DIRECT)


class ElectricityMaps(Visit):
    """A fetch from Electricity Maps."""

    __slots__ = ()

    def points(self, *, zone: str, start: datetime, end: datetime) -> list[SignalPoint]:
        """All it knows of `zone` in [start, end), at most ten days; raises ProviderError."""
        points: list[SignalPoint] = []
        for kind, endpoint, more in ASKED:
            raw = self.door.get(
                f"/{endpoint}/past-range",
                params={
                    "zone": self.region, "start": utc_text(start), "end": utc_text(end),
                    "temporalGranularity": "hourly", **more,
                },
                headers={"auth-token": self.account.key},
            )  # fmt: skip
            with understood(self.source):
                points += self._points(kind, json_of(raw), zone)
        return [point for point in points if start <= point.start < end]

    def _points(self, kind: Signal, answer: Any, zone: str) -> Iterator[SignalPoint]:
        """Hours without a value are left out; raises ValueError for an answer to another question."""
        if answer.get("temporalGranularity", "hourly") != "hourly":
            raise ValueError("the answer is not by the hour")
        for row in answer["data"]:
            if row.get("zone", answer.get("zone", self.region)) != self.region:
                raise ValueError(f"the answer is not about {self.region}")
            if kind in INTENSITIES and row["emissionFactorType"] != kind.value:
                raise ValueError(f"the intensity is not {kind.value}")
            value = row["carbonIntensity" if kind in INTENSITIES else "value"]
            if value is None:
                continue
            yield SignalPoint(
                zone, moment(row["datetime"]), 60, kind, mg_of(value) if kind in INTENSITIES else ppm_of(value),
                bool(row.get("isEstimated")), self._issued(row), self.source,
            )  # fmt: skip

    def _issued(self, row: Any) -> datetime:
        """When the publisher last touched the value, never later than it was asked."""
        told = row.get("updatedAt")
        return min(moment(told), self.asked_at) if told else self.asked_at
