"""Questions about certified energy."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from accounts.models import Organization
    from marketplace.energy.models import (  # noqa: F401
        CertificateLot,
        EnergySource,
        MatchLine,
        MeterPoint,
        SupplyEntry,
    )


class CertificateLotQuerySet(PublicQuerySet["CertificateLot"]):
    def of(self, organizations: "Iterable[Organization]") -> Self:
        """Lots that one of `organizations` holds."""
        return self.filter(holder__in=list(organizations))

    def pending(self) -> Self:
        """Lots that wait for a reviewer."""
        return self.filter(state="pending")

    def to_review(self) -> Self:
        """Certificates that wait for a reviewer; on-site records become usable with their source."""
        return self.pending().exclude(issuance__scheme="METER")

    def on_site_of(self, source: "EnergySource") -> Self:
        """On-site records of a source: what its own meter says."""
        return self.filter(issuance__source=source, issuance__scheme="METER")

    def withdrawable(self, *, correction: bool) -> Self:
        """Lots with energy that can be taken out of use; a `correction` reaches what was cancelled too."""
        closed = Q(state="closed", cancelled_wh__gt=0) if correction else Q(pk=None)
        return self.filter(Q(state="active") | closed)

    def expiring(self, by: datetime) -> Self:
        """Lots whose certificates expire by then."""
        return self.filter(issuance__expires_at__lte=by)

    def alive(self) -> Self:
        """Lots with energy that may yet be used, or that matches a use now."""
        usable = Q(available_wh__gt=0) | Q(reserved_wh__gt=0) | Q(stored_wh__gt=0)
        return self.filter(Q(state__in=["pending", "active"]) & usable | Q(lines__live=True)).distinct()

    def covering(self, points: "Iterable[MeterPoint | int]", start: datetime, end: datetime) -> Self:
        """Active lots for `points` with something available whose interval meets [start, end)."""
        return self.filter(
            point__in=list(points), state="active", available_wh__gt=0, issuance__start__lt=end, issuance__end__gt=start
        )


class SupplyEntryQuerySet(models.QuerySet["SupplyEntry"]):
    def of_subject(self, subject: str) -> Self:
        """The moves for one reservation or job, in order."""
        return self.filter(subject=subject)

    def cancelled_for(self, subjects: Iterable[str]) -> Self:
        """The moves that cancelled energy for reservations or jobs, in order."""
        return self.filter(subject__in=list(subjects), to_state="cancelled")


class MatchLineQuerySet(models.QuerySet["MatchLine"]):
    def live_of(self, subjects: Iterable[str]) -> Self:
        """What matches the uses of `subjects` now."""
        return self.filter(use_hour__subject__in=list(subjects), live=True)
