"""What changes the grid's record: hours as they become known, and the forecasts made from them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import numpy as np
from django.db import transaction

from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.copying import HourRow, copy_hours, wait_for_turn
from marketplace.energy.forecast import INTERVAL_NEEDED, METHOD, Bands, Series, bands
from marketplace.energy.models import SIGNAL_COLUMNS, ForecastSignal, GridForecast, GridHour, GridZone
from marketplace.energy.scores import record_scores
from marketplace.energy.signals.base import SignalProvider, whole_hours
from marketplace.energy.signals.sample import MIXES, SampleProvider
from marketplace.energy.windows import GreenShare, HourWindow, ZoneHours, hours_of, share_over
from marketplace.energy.zones import BY_CODE, KnownZone

__all__ = [
    "GreenShare",
    "HourWindow",
    "ZoneHours",
    "add_zone",
    "forecast_zone",
    "hours_of",
    "record_scores",
    "refresh_forecasts",
    "refresh_hours",
    "refresh_sample_hours",
    "share_over",
]
HISTORY_HOURS = 75 * 24
AHEAD_HOURS = 14 * 24
SHARES = {ForecastSignal.RENEWABLE, ForecastSignal.CARBON_FREE}


def add_zone(*, known: KnownZone, sample: bool = False) -> GridZone:
    """The zone of a known code, made if it is not there yet; one that exists is left as it is."""
    zone, _ = GridZone.objects.get_or_create(
        code=known.code,
        defaults={
            "name": known.name, "name_zh": known.name_zh, "country": known.country, "timezone": known.timezone,
            "market_boundary": known.market_boundary, "latitude": known.latitude, "longitude": known.longitude,
            "sample": sample,
        },
    )  # fmt: skip
    return zone


@transaction.atomic
def refresh_sample_hours(*, now: datetime) -> int:
    """Make the sample zones and publish every hour that has ended by `now` and is missing; how many were written.

    A zone of the same code that is not marked as sample gets none.
    """
    zones = [add_zone(known=BY_CODE[mix.code], sample=True) for mix in MIXES]
    return refresh_hours(provider=SampleProvider(), zones=[zone for zone in zones if zone.sample], now=now)


@transaction.atomic
def refresh_hours(*, provider: SignalProvider, zones: Sequence[GridZone], now: datetime) -> int:
    """Write what `provider` knows of `zones` since its last hour here (at first: 75 days); how many hours.

    Only hours that have ended by `now`. Running it twice, or in two processes at once, writes each hour once.
    """
    wait_for_turn()
    latest = GridHour.objects.latest_starts(zones, provider.source, provider.vintage)
    oldest = hour_floor(now) - HISTORY_HOURS * HOUR
    return copy_hours(
        row
        for zone in zones
        for row in _rows(provider, zone, latest[zone.pk] + HOUR if zone.pk in latest else oldest, hour_floor(now))
    )


def _rows(provider: SignalProvider, zone: GridZone, start: datetime, end: datetime) -> Iterator[HourRow]:
    for hour in whole_hours(provider.points(zone=zone.code, start=start, end=end)):
        yield HourRow(
            zone.pk, hour.start, hour.direct_mg, hour.lifecycle_mg, hour.residual_mg, hour.renewable_ppm,
            hour.carbon_free_ppm, provider.source, provider.vintage, hour.estimated, hour.issued_at,
        )  # fmt: skip


@transaction.atomic
def refresh_forecasts(*, zones: Iterable[GridZone], now: datetime) -> int:
    """Store the forecast of the next 14 days of each zone and signal from the last published hour; how many are new.

    A zone without 67 days of unbroken history is passed over, and so is a forecast that is there already.
    """
    wait_for_turn()
    fresh = [row for zone in zones for row in forecast_zone(zone=zone, now=now)]
    before = GridForecast.objects.count()
    GridForecast.objects.bulk_create(fresh, ignore_conflicts=True)
    return GridForecast.objects.count() - before


def forecast_zone(*, zone: GridZone, now: datetime, hours: int = AHEAD_HOURS) -> list[GridForecast]:
    """The zone's forecasts of each signal, not yet stored: P10, P50, P90 for `hours` after the last known hour.

    Empty when the zone's last 67 days are not known without a gap.
    """
    columns = list(SIGNAL_COLUMNS.values())
    origin = hour_floor(now)
    rows = GridHour.objects.within([zone], origin - HISTORY_HOURS * HOUR, origin)
    known = {start: (values, f"{source}:{vintage}") for start, source, vintage, *values in
             rows.values_list("start", "source", "vintage", *columns)}  # fmt: skip
    if not known:
        return []
    origin = max(known) + HOUR
    starts = [origin - n * HOUR for n in range(INTERVAL_NEEDED, 0, -1)]
    if any(start not in known for start in starts):
        return []
    history = np.array([known[start][0] for start in starts], dtype=np.float64)
    outlook = [bands(column, hours) for column in history.T]
    vintage = known[starts[-1]][1]
    return [
        _forecast(zone, signal, origin, vintage, outlook[index]) for index, signal in enumerate(SIGNAL_COLUMNS)
    ]  # fmt: skip


def _forecast(zone: GridZone, signal: ForecastSignal, origin: datetime, vintage: str, found: Bands) -> GridForecast:
    low, middle, high = (_whole(values, signal) for values in found)
    return GridForecast(
        zone=zone, signal=signal, origin=origin, method=METHOD, vintage=vintage,
        p10=np.minimum(low, middle).tolist(), p50=middle.tolist(), p90=np.maximum(high, middle).tolist(),
    )  # fmt: skip


def _whole(values: Series, signal: ForecastSignal) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Rounded to whole ppm or mg, and never outside what the signal can be."""
    return np.clip(np.rint(values), 0, PPM if signal in SHARES else None).astype(np.int64)
