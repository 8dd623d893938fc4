"""Questions about grid hours and forecasts, and about the sources that tell them."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, Max, Value, When

from marketplace.energy.signals.sample import SOURCE
from marketplace.energy.signals.sources import SOURCES

if TYPE_CHECKING:
    from marketplace.energy.models import GridForecast, GridHour, GridZone, MarginalHour, SignalFeed  # noqa: F401

# What is invented goes first, so that whatever was really published has the last word.
IS_REAL = Case(When(source=SOURCE, then=Value(0)), default=Value(1))


class GridHourQuerySet(models.QuerySet["GridHour"]):
    def within(self, zones: Iterable["GridZone | int"], start: datetime, end: datetime) -> Self:
        """The hours of `zones` that start in [start, end); of one hour the best source's latest vintage comes last."""
        return self.filter(zone__in=list(zones), start__gte=start, start__lt=end).order_by(
            IS_REAL, "published_at", "pk"
        )

    def latest_starts(self, zones: Iterable["GridZone"], source: str, vintage: str) -> dict[int, datetime]:
        """Per zone (by key) the last hour that `source` published in `vintage`."""
        rows = self.filter(zone__in=list(zones), source=source, vintage=vintage).order_by()
        return dict(rows.values_list("zone_id").annotate(latest=Max("start")))

    def told_by(self, source: str, zone: "GridZone", start: datetime, end: datetime) -> "dict[datetime, GridHour]":
        """What `source` says of each hour in [start, end), by its latest vintage."""
        rows = self.filter(zone=zone, source=source, start__gte=start, start__lt=end)
        return {row.start: row for row in rows.order_by("published_at", "pk")}


class GridForecastQuerySet(models.QuerySet["GridForecast"]):
    def latest_of(self, zone: "GridZone", signal: str, *, by: datetime) -> "GridForecast | None":
        """The newest forecast of `signal` whose origin is not after `by`."""
        return self.filter(zone=zone, signal=signal, origin__lte=by).order_by("-origin", "-pk").first()


class MarginalHourQuerySet(models.QuerySet["MarginalHour"]):
    def latest_within(self, zone: "GridZone", start: datetime, end: datetime) -> "dict[datetime, MarginalHour]":
        """The latest vintage of each known hour in [start, end), in the order of the hours."""
        rows = self.filter(zone=zone, start__gte=start, start__lt=end)
        return {row.start: row for row in rows.order_by("start", "published_at", "pk")}


class SignalFeedQuerySet(models.QuerySet["SignalFeed"]):
    def due(self, now: datetime) -> Self:
        """The feeds whose turn has come."""
        return self.filter(next_try_at__lte=now)

    def stale_since(self, now: datetime) -> dict[int, datetime]:
        """Per zone (by key) the end of the last hour known from its source, where later hours should long be known.

        A source that never told anything is stale since its feed was made. Zones that no source serves are never stale.
        """
        rows = self.filter(marginal=False, provider__in=SOURCES).values_list(
            "zone_id", "provider", "known_until", "since"
        )
        ends = ((zone, SOURCES[provider].patience, until or since) for zone, provider, until, since in rows)
        return {zone: until for zone, patience, until in ends if now - until > patience}
