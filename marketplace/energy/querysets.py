"""Questions about grid hours."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from marketplace.energy.models import GridHour, GridZone  # noqa: F401


class GridHourQuerySet(models.QuerySet["GridHour"]):
    def within(self, zones: Iterable["GridZone"], start: datetime, end: datetime) -> Self:
        """The hours of `zones` that start in [start, end), the latest vintage of each last."""
        return self.filter(zone__in=list(zones), start__gte=start, start__lt=end).order_by("start", "published_at", "pk")
