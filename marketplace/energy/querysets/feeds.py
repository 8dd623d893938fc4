"""Questions about the sources that tell signals of the grid."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from marketplace.energy.signals.sources import SOURCES

if TYPE_CHECKING:
    from marketplace.energy.models import GridZone, MarginalHour, SignalFeed  # noqa: F401


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
