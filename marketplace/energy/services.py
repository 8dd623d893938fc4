"""Hours of the grid: written as they become known, forecast where they are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.core.cache import cache
from django.db import transaction

from marketplace.common.clock import HOUR, hour_ceil, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.forecast import NEEDED, blend
from marketplace.energy.models import GridHour, GridZone
from marketplace.energy.sample import SOURCE, ZONES, hours_of_zone

HISTORY_HOURS = NEEDED + 5 * 24
SAMPLE_HISTORY_HOURS = 75 * 24
CACHED_SECONDS = 3600
VINTAGE = "1"
SIGNALS = ("renewable_ppm", "carbon_free_ppm", "lifecycle_mg", "direct_mg")


@dataclass(frozen=True, slots=True)
class ZoneHours:
    """Hourly signals of one zone from a whole hour on; `known` hours were published, the rest is forecast."""

    renewable_ppm: tuple[int, ...]
    carbon_free_ppm: tuple[int, ...]
    lifecycle_mg: tuple[int, ...]
    direct_mg: tuple[int, ...]
    known: int
    sample: bool

    def quality(self, index: int) -> str:
        """`sample`, `metered` or `forecast`: what the value of hour `index` is."""
        if self.sample:
            return "sample"
        return "metered" if index < self.known else "forecast"


@dataclass(frozen=True, slots=True)
class HourWindow:
    """Signals of several zones over the same hours."""

    start: datetime
    hours: int
    zones: dict[int, ZoneHours]

    def zone(self, zone: GridZone) -> ZoneHours:
        return self.zones[zone.pk]


@dataclass(frozen=True, slots=True)
class GreenShare:
    """Time-weighted means over a run: share rounded down (ppm), intensity rounded up (mg/kWh)."""

    renewable_ppm: int
    lifecycle_mg: int
    direct_mg: int
    quality: str


class NoHistory(LookupError):
    """A zone has too few published hours to forecast from."""


def hours_of(*, zones: Sequence[GridZone], start: datetime, hours: int, now: datetime) -> HourWindow:
    """Signals of `zones` for `hours` from the whole hour `start`; published where known, else forecast.

    Raises NoHistory for a zone with fewer than 171 published hours before `start`. One query for what is not cached.
    """
    first = hour_floor(start)
    distinct = {zone.pk: zone for zone in zones}
    names = {pk: f"hours:{pk}:{first:%Y%m%d%H}:{hours}:{hour_floor(now):%Y%m%d%H}" for pk in distinct}
    cached = cache.get_many(names.values())
    found = {pk: cached[name] for pk, name in names.items() if name in cached}
    missing = [zone for pk, zone in distinct.items() if pk not in found]
    if missing:
        fresh = _read(missing, first, hours, now)
        cache.set_many({names[pk]: value for pk, value in fresh.items()}, CACHED_SECONDS)
        found |= fresh
    return HourWindow(first, hours, found)


def share_over(*, zone: GridZone, start: datetime, end: datetime, now: datetime) -> GreenShare:
    """Means over [start, end), each hour weighted by the part of it that the span covers.

    Raises ValueError for an empty span.
    """
    if end <= start:
        raise ValueError("a span must end after it starts")
    first = hour_floor(start)
    count = (hour_ceil(end) - first) // HOUR
    hours = hours_of(zones=[zone], start=first, hours=count, now=now).zone(zone)
    weights = [
        (min(end, first + (n + 1) * HOUR) - max(start, first + n * HOUR)).total_seconds() for n in range(count)
    ]
    milliseconds = [max(1, round(weight * 1000)) for weight in weights]
    whole = sum(milliseconds)
    return GreenShare(
        renewable_ppm=sum(w * v for w, v in zip(milliseconds, hours.renewable_ppm, strict=True)) // whole,
        lifecycle_mg=-(-sum(w * v for w, v in zip(milliseconds, hours.lifecycle_mg, strict=True)) // whole),
        direct_mg=-(-sum(w * v for w, v in zip(milliseconds, hours.direct_mg, strict=True)) // whole),
        quality=max((hours.quality(n) for n in range(count)), key=("metered", "forecast", "sample").index),
    )


def _read(zones: Sequence[GridZone], first: datetime, hours: int, now: datetime) -> dict[int, ZoneHours]:
    begin = first - HISTORY_HOURS * HOUR
    columns = ("renewable_ppm", "carbon_free_ppm", "lifecycle_mg_per_kwh", "direct_mg_per_kwh")
    values: dict[int, dict[int, tuple[int, ...]]] = {zone.pk: {} for zone in zones}
    rows = GridHour.objects.within(zones, begin, min(hour_ceil(now), first + hours * HOUR))
    for zone, start, *signals in rows.values_list("zone_id", "start", *columns):
        values[zone][(start - begin) // HOUR] = tuple(signals)
    return {zone.pk: _zone_hours(zone, values[zone.pk], hours) for zone in zones}


def _zone_hours(zone: GridZone, values: dict[int, tuple[int, ...]], hours: int) -> ZoneHours:
    """Published hours up to the first gap after the history, then the forecast from there."""
    last = max(values, default=-1)
    first = last
    while first - 1 in values:
        first -= 1
    known = last + 1 - HISTORY_HOURS
    if last - first + 1 < NEEDED or known < -HISTORY_HOURS + NEEDED:
        raise NoHistory(f"zone {zone.code} has no {NEEDED} hours of history in a row")
    history = np.array([values[n] for n in range(first, last + 1)], dtype=np.float64)
    ahead = max(0, hours - known)
    columns = []
    for index in range(len(SIGNALS)):
        series = history[:, index]
        future = blend(series, ahead) if ahead else np.empty(0)
        whole = np.concatenate([series, future])[len(series) - known :][:hours] if known > 0 else future[-known:][:hours]
        limit = PPM if SIGNALS[index].endswith("ppm") else np.inf
        columns.append(tuple(int(value) for value in np.clip(np.rint(whole), 0, limit)))
    renewable, free, lifecycle, direct = columns
    free = tuple(max(pair) for pair in zip(renewable, free, strict=True))
    return ZoneHours(renewable, free, lifecycle, direct, known=max(0, min(hours, known)), sample=zone.sample)


@transaction.atomic
def refresh_sample_hours(*, now: datetime) -> int:
    """Make the sample zones and publish every hour up to `now` that is missing; the number of hours written."""
    written = 0
    for mix in ZONES:
        zone, _ = GridZone.objects.get_or_create(
            code=mix.code,
            defaults={
                "name": mix.name, "name_zh": mix.name_zh, "country": mix.country,
                "timezone": mix.timezone, "sample": True,
            },
        )  # fmt: skip
        if not zone.sample:
            continue
        latest = zone.hours.filter(source=SOURCE).order_by("-start").values_list("start", flat=True).first()
        start = latest + HOUR if latest else hour_floor(now) - SAMPLE_HISTORY_HOURS * HOUR
        count = max(0, (hour_floor(now) - start) // HOUR + 1)
        GridHour.objects.bulk_create(
            GridHour(
                zone=zone, start=point.start, direct_mg_per_kwh=point.direct_mg, lifecycle_mg_per_kwh=point.lifecycle_mg,
                renewable_ppm=point.renewable_ppm, carbon_free_ppm=point.carbon_free_ppm, source=SOURCE,
                vintage=VINTAGE, published_at=now,
            )
            for point in hours_of_zone(mix, start, count)
        )  # fmt: skip
        written += count
    return written
