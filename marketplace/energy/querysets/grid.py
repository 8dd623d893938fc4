"""Questions about grid hours and forecasts."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, Max, Value, When

from marketplace.energy.signals.sample import SOURCE

if TYPE_CHECKING:
    from marketplace.energy.models import GridForecast, GridHour, GridZone  # noqa: F401

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


class GridForecastQuerySet(models.QuerySet["GridForecast"]):
    def latest_of(self, zone: "GridZone", signal: str, *, by: datetime) -> "GridForecast | None":
        """The newest forecast of `signal` whose origin is not after `by`."""
        return self.filter(zone=zone, signal=signal, origin__lte=by).order_by("-origin", "-pk").first()
