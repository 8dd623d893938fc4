"""WattTime, API version 3: the marginal operating emissions rate, which says what one more kWh would emit.

It is told in lb/MWh every five minutes; an hour is the mean of its parts, and an hour that lacks one is left out. One
pound is 0.45359237 kg, so 1,000 lb/MWh are 453,592 mg/kWh. Each fetch signs in anew: no token is kept.
"""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from typing import Any

from marketplace.common.clock import hour_floor
from marketplace.energy.signals.base import Signal, SignalPoint
from marketplace.energy.signals.reading import exact, json_of, moment, understood, utc_text
from marketplace.energy.signals.visit import Visit

MG_PER_KWH = Fraction(45_359_237, 100_000)  # of one lb/MWh
UNITS = "lbs_co2_per_mwh"
SIGNAL = "co2_moer"


class WattTime(Visit):
    """A fetch from WattTime."""

    __slots__ = ()

    def points(self, *, zone: str, start: datetime, end: datetime) -> list[SignalPoint]:
        """The marginal intensity of `zone` in [start, end), at most 32 days; raises ProviderError."""
        raw = self.door.get(
            "/v3/historical",
            params={"region": self.region, "signal_type": SIGNAL, "start": utc_text(start), "end": utc_text(end)},
            headers={"Authorization": f"Bearer {self._token()}"},
        )
        with understood(self.source):
            answer = json_of(raw)
            parts = _parts_an_hour(answer["meta"], self.region)
            hours = _by_hour((moment(row["point_time"]), exact(row["value"])) for row in answer["data"])
            means = {
                hour: marginal_mg(sum(rates.values(), Fraction(0)) / parts)
                for hour, rates in sorted(hours.items())
                if start <= hour < end and len(rates) == parts
            }
        return [
            SignalPoint(zone, hour, 60, Signal.MARGINAL, value, False, self.asked_at, self.source)
            for hour, value in means.items()
        ]

    def _token(self) -> str:
        raw = self.door.get("/login", basic=(self.account.user, self.account.key))
        with understood(self.source):
            token: str = json_of(raw)["token"]
            if not token.isascii() or not token.isprintable():
                raise ValueError("the token is none")
            return token


def marginal_mg(pounds_per_mwh: Fraction) -> int:
    """lb/MWh as whole mg/kWh, to the nearest; raises ValueError below 0."""
    if pounds_per_mwh < 0:
        raise ValueError("a rate is never negative")
    return round(pounds_per_mwh * MG_PER_KWH)


def _parts_an_hour(meta: Any, region: str) -> int:
    """Raises ValueError for an answer about something else."""
    told = (meta["region"], meta["signal_type"], meta["units"])
    seconds = meta["data_point_period_seconds"]
    if told != (region, SIGNAL, UNITS):
        raise ValueError(f"{told} was not asked for")
    if not isinstance(seconds, int) or not 0 < seconds <= 3600 or 3600 % seconds:
        raise ValueError(f"{seconds} s do not divide an hour")
    return 3600 // seconds


def _by_hour(values: Iterable[tuple[datetime, Fraction]]) -> dict[datetime, dict[datetime, Fraction]]:
    hours: dict[datetime, dict[datetime, Fraction]] = {}
    for at, rate in values:
        hours.setdefault(hour_floor(at), {})[at] = rate
    return hours
