"""Questions about metering points, sources, and what both measured."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models

from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from accounts.models import Organization
    from marketplace.energy.models import (  # noqa: F401
        EnergySource,
        GenerationHour,
        MeterPoint,
        PointHour,
        SourceShare,
        UseHour,
    )  # fmt: skip


class EnergySourceQuerySet(PublicQuerySet["EnergySource"]):
    def of(self, organizations: "Iterable[Organization]") -> Self:
        """Sources that one of `organizations` owns."""
        return self.filter(organization__in=list(organizations))


class SourceShareQuerySet(models.QuerySet["SourceShare"]):
    def serving(self, points: "Iterable[MeterPoint | int]", at: datetime) -> Self:
        """Shares that serve one of `points` at that moment."""
        return self.filter(point__in=list(points), valid__contains=at)


class GenerationHourQuerySet(models.QuerySet["GenerationHour"]):
    def within(self, start: datetime, end: datetime) -> Self:
        """Hours that start in [start, end)."""
        return self.filter(start__gte=start, start__lt=end)


class PointHourQuerySet(models.QuerySet["PointHour"]):
    def within(self, start: datetime, end: datetime) -> Self:
        """Hours that start in [start, end)."""
        return self.filter(start__gte=start, start__lt=end)


class UseHourQuerySet(models.QuerySet["UseHour"]):
    def of_subject(self, subject: str) -> Self:
        """The hours of one reservation or job, earliest first."""
        return self.filter(subject=subject).order_by("start", "pk")

    def to_settle(self, before: datetime) -> Self:
        """Hours that start before that moment and are not settled."""
        return self.filter(settled_at=None, start__lt=before)
