"""The ENTSO-E transparency platform: what a zone's power stations delivered, by technology (basis: production).

Document A75 (actual generation per production type), process A16 (realised). The mix makes both intensities and both
shares with the factors of `factors`; imports and exports are not in it. What storage gives back was generated before
and is left out, and so is what it takes in. Output below zero, a station's own need, counts as none.

An hour is whole when every technology of the answer covers all of it: what is missing is never taken for zero. With
curve type A03 a value that stays the same is told once, so it is held until the next one or the end of its period.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction

from marketplace.common.clock import hour_floor
from marketplace.energy.signals.base import SignalPoint
from marketplace.energy.signals.errors import ProviderRefused
from marketplace.energy.signals.factors import signals_of_mix
from marketplace.energy.signals.reading import exact, moment, understood
from marketplace.energy.signals.visit import Visit
from marketplace.energy.signals.xmlreading import Node, xml_of

TECHNOLOGY = {
    "B01": "biomass", "B02": "coal", "B03": "gas", "B04": "gas", "B05": "coal", "B06": "oil", "B07": "coal",
    "B08": "coal", "B09": "geothermal", "B11": "hydro", "B12": "hydro", "B13": "unknown", "B14": "nuclear",
    "B15": "unknown", "B16": "solar", "B17": "unknown", "B18": "wind_offshore", "B19": "wind_onshore", "B20": "unknown",
}  # fmt: skip
STORAGE = {"B10", "B25"}  # pumped water, batteries
MINUTES = {"PT15M": 15, "PT30M": 30, "PT60M": 60, "PT1H": 60}
NO_DATA = "999"
MINUTE = timedelta(minutes=1)

Covered = dict[datetime, tuple[int, Fraction]]  # by hour: minutes that are known, and MW times minutes


class Entsoe(Visit):
    """A fetch from the transparency platform."""

    __slots__ = ()

    def points(self, *, zone: str, start: datetime, end: datetime) -> list[SignalPoint]:
        """All it knows of `zone` in [start, end), at most a year; raises ProviderError."""
        raw = self.door.get(
            "",
            params={
                "securityToken": self.account.key, "documentType": "A75", "processType": "A16",
                "in_Domain": self.region, "periodStart": f"{start:%Y%m%d%H%M}", "periodEnd": f"{end:%Y%m%d%H%M}",
            },
            also={400},  # it says so that it has nothing
        )  # fmt: skip
        with understood(self.source):
            root = xml_of(raw)
            if root.name == "Acknowledgement_MarketDocument":
                return self._nothing(root)
            if root.name != "GL_MarketDocument":
                raise ValueError(f"{root.name} was not asked for")
            return [
                SignalPoint(zone, hour, 60, kind, value, False, self.asked_at, self.source)
                for hour, mix in _whole_hours(root)
                if start <= hour < end
                for kind, value in signals_of_mix(mix).items()
            ]

    def _nothing(self, root: Node) -> list[SignalPoint]:
        """No points where it has none; raises ProviderRefused for any other reason."""
        code = root.one("Reason", "code")
        if code != NO_DATA:
            raise ProviderRefused(f"{self.source} refuses the question with reason {code[:20]}")
        return []


def _whole_hours(root: Node) -> Iterator[tuple[datetime, dict[str, Fraction]]]:
    """Each hour that all technologies cover, with MW times minutes by technology; hours without output are left out."""
    series = _covered(root)
    hours = sorted({hour for covered in series.values() for hour in covered})
    for hour in hours:
        parts = {code: covered.get(hour, (0, Fraction(0))) for code, covered in series.items()}
        if any(minutes != 60 for minutes, _ in parts.values()):
            continue
        mix: dict[str, Fraction] = defaultdict(Fraction)
        for code, (_, output) in parts.items():
            mix[TECHNOLOGY[code]] += max(output, Fraction(0))
        if any(mix.values()):
            yield hour, dict(mix)


def _covered(root: Node) -> dict[str, Covered]:
    """By production type, what is known of each hour; raises LookupError for a type that has no technology."""
    series: dict[str, Covered] = defaultdict(dict)
    for each in root.all("TimeSeries"):
        code = each.one("MktPSRType", "psrType")
        taken_in = any(True for _ in each.all("outBiddingZone_Domain.mRID"))
        if taken_in or code in STORAGE:
            continue
        if code not in TECHNOLOGY or each.one("quantity_Measure_Unit.name") != "MAW":
            raise LookupError(f"production type {code} is not known in this unit")
        for start, minutes, output in _slots(each):
            known, before = series[code].get(hour_floor(start), (0, Fraction(0)))
            series[code][hour_floor(start)] = (known + minutes, before + output * minutes)
    return dict(series)


def _slots(series: Node) -> Iterator[tuple[datetime, int, Fraction]]:
    """Start, minutes and MW of each slot that the series knows."""
    held = series.one("curveType") == "A03"
    for period in series.all("Period"):
        minutes = MINUTES[period.one("resolution")]
        start, end = (moment(period.one("timeInterval", name)) for name in ("start", "end"))
        told = {int(point.one("position")): exact(point.one("quantity")) for point in period.all("Point")}
        value = None
        for position in range(1, (end - start) // (minutes * MINUTE) + 1):
            value = told.get(position, value if held else None)
            if value is not None:
                yield start + (position - 1) * minutes * MINUTE, minutes, value
