"""Questions about metering points, sources, and what both measured."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, Q

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

    def to_review(self) -> Self:
        """Sources that wait for a reviewer's word: declared ones, and documented ones whose on-site records wait.

        A word that was given (`review_reason`) holds until their owner changes something.
        """
        on_site = Q(issuances__scheme="METER", issuances__lots__state="pending")
        documented = Q(evidence="documents") & Q(pk__in=self.model.objects.filter(on_site).values("pk"))
        return self.filter(documented | Q(evidence="declared"), review_reason="")


class SourceShareQuerySet(models.QuerySet["SourceShare"]):
    def serving(self, points: "Iterable[MeterPoint | int]", at: datetime) -> Self:
        """Shares that serve one of `points` at that moment."""
        return self.filter(point__in=list(points), valid__contains=at)

    def backing(self, points: "Iterable[MeterPoint | int]", start: datetime, end: datetime) -> Self:
        """Shares that serve `points` at some time in [start, end) from a renewable source whose hours may be claimed.

        With their sources, point by point. A source of another market than the point's serves no claim there.
        """
        same_market = Q(source__zone__market_boundary=F("point__zone__market_boundary"))
        within = Q(source__zone=F("point__zone")) | (same_market & ~Q(source__zone__market_boundary=""))
        return (
            self.filter(
                within,
                point__in=list(points),
                valid__overlap=DateTimeTZRange(start, end),
                source__certificates_sold=False,
                source__evidence__in=("metered", "audited"),
                source__kind__in=("onsite", "ppa_physical", "ppa_virtual"),
            )
            .select_related("source")
            .order_by("point", "pk")
        )


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
