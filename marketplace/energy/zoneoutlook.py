"""What is known or expected of a zone hour by hour, with its range; and who said what is known."""

from collections.abc import Collection, Sequence
from datetime import datetime

from marketplace.common.clock import HOUR, hour_floor
from marketplace.energy.models import ForecastSignal, GridForecast, GridHour, GridZone
from marketplace.energy.services import forecast_zone, hours_of
from marketplace.energy.signals.base import NOTICES
from marketplace.energy.signals.sample import SOURCE
from marketplace.energy.starts import Band, HourOutlook


def forecasts_of(*, zone: GridZone, signals: Sequence[str], now: datetime) -> list[GridForecast]:
    """The latest forecast of each of `signals`: those that are stored, else made now and not stored.

    Empty without enough history.
    """
    stored = [GridForecast.objects.latest_of(zone, signal, by=now) for signal in signals]
    found = [row for row in stored if row]
    if len(found) < len(signals):
        found = [row for row in forecast_zone(zone=zone, now=now) if row.signal in signals]
    return found


def outlook_of(*, zone: GridZone, start: datetime, hours: int, now: datetime) -> list[HourOutlook]:
    """The outlook of `hours` from the whole hour that `start` lies in: what is published has no range to speak of.

    An hour that no forecast with a range reaches has a median alone. Raises NoHistory.
    """
    first = hour_floor(start)
    known = hours_of(zones=[zone], start=first, hours=hours, now=now).zone(zone)
    wanted = (ForecastSignal.LIFECYCLE, ForecastSignal.RENEWABLE)
    rows = {row.signal: row for row in forecasts_of(zone=zone, signals=wanted, now=now)}
    lifecycle, renewable = (
        [
            _band(rows.get(signal), first + n * HOUR, value, forecast)
            for n, (value, forecast) in enumerate(zip(values, known.forecast, strict=True))
        ]
        for signal, values in zip(wanted, (known.lifecycle_mg, known.renewable_ppm), strict=True)
    )
    return [HourOutlook(*each) for each in zip(lifecycle, renewable, known.qualities, strict=True)]


def _band(row: GridForecast | None, hour: datetime, value: int, forecast: bool) -> Band:
    if not forecast:
        return Band(value, value, value)
    index = (hour - row.origin) // HOUR if row else -1
    if row is None or not 0 <= index < len(row.p50):
        return Band(None, value, None)
    return Band(row.p10[index], row.p50[index], row.p90[index])


def told_hours(*, zone: GridZone, start: datetime, end: datetime) -> dict[datetime, GridHour]:
    """Each published hour in [start, end) as it is used: the best source's latest vintage, earliest hour first."""
    latest = {row.start: row for row in GridHour.objects.within([zone], start, end)}
    return dict(sorted(latest.items()))


def notice_of(*, zone: GridZone, sources: Collection[str], now: datetime) -> str:
    """What must be said wherever values of `sources` are shown; without any, of who told the zone's last hour."""
    if not sources:
        last = GridHour.objects.filter(zone=zone, start__lt=now).order_by("-start", "-pk").first()
        sources = [last.source] if last else []
    return " ".join(NOTICES[source] for source in sorted(set(sources) - {SOURCE}) if source in NOTICES)
