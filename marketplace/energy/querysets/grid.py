"""Questions about grid hours, forecasts and how good those were."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.db import models
from django.db.models import Case, Count, F, Max, Sum, Value, When

from marketplace.energy.signals.sample import SOURCE

if TYPE_CHECKING:
    from marketplace.energy.models import ForecastScore, GridForecast, GridHour, GridZone  # noqa: F401

OVER_HOURS = ("mae", "naive_mae", "inside_ppm")  # means of a score over its hours
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

    def foreseeing(self, zone: "GridZone", start: datetime, end: datetime, *, ahead: timedelta) -> Self:
        """The zone's forecasts that reach into [start, end) with their first `ahead`."""
        return self.filter(zone=zone, origin__gt=start - ahead, origin__lt=end).order_by("origin", "pk")


class ScoreTotals(NamedTuple):
    """What the forecasts of one signal by one method add up to; divided by `hours`, the last three are means."""

    signal: str
    method: str
    days: int
    hours: int
    error: int
    naive_error: int
    inside_ppm: int


class ForecastScoreQuerySet(models.QuerySet["ForecastScore"]):
    def of_days(self, zone: "GridZone", first: date, end: date) -> Self:
        """The scores of `zone` for the days in [first, end)."""
        return self.filter(zone=zone, day__gte=first, day__lt=end)

    def by_signal(self) -> list[ScoreTotals]:
        """The scores summed up per signal and method, in their order."""
        return [ScoreTotals(*row) for row in self._summed("signal", "method")]

    def by_zone(self) -> list[tuple[int, ScoreTotals]]:
        """The same of each zone (by key)."""
        return [(zone, ScoreTotals(*totals)) for zone, *totals in self._summed("zone_id", "signal", "method")]

    def _summed(self, *keys: str) -> Iterable[tuple[Any, ...]]:
        weighed = {
            f"{name}_total": Sum(F(name) * F("hours"), output_field=models.BigIntegerField()) for name in OVER_HOURS
        }
        rows = self.order_by(*keys).values_list(*keys)
        summed: Iterable[tuple[Any, ...]] = rows.annotate(days=Count("pk"), hours_total=Sum("hours"), **weighed)
        return summed
