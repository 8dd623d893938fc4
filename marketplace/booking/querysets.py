"""Questions about promises, and the guarded writes that services build on."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from accounts.models import Organization
from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.catalog.models import Offer
from marketplace.common.querysets import PublicQuerySet
from marketplace.common.sql import HoursAdd, HoursFit
from marketplace.ledger.models import Hold

if TYPE_CHECKING:
    from marketplace.booking.models import (  # noqa: F401
        CapacityDay,
        ChargeLine,
        Quote,
        Reservation,
        ServiceCredit,
        UsageRecord,
    )

INTS = ArrayField(models.IntegerField())


class CapacityDayQuerySet(models.QuerySet["CapacityDay"]):
    def of_offer(self, offer: Offer, days: Iterable[date]) -> Self:
        return self.filter(offer=offer, day__in=list(days))

    def on_machines_of(self, offer: Offer) -> Self:
        """Days of the offer and of the one that shares its machines."""
        return self.filter(offer__in=[offer.pk, *Offer.objects.sharing_with(offer).values_list("pk", flat=True)])

    def free_by_hour(self, offer: Offer, first: date, last: date) -> dict[tuple[date, int], int]:
        """{(day, hour): units that nobody was promised}, of a twin neither there nor on the interruptible offer."""
        beside = self.filter(offer__twin=OuterRef("offer"), day=OuterRef("day")).values("units_promised")
        nothing = Value([0] * HOURS_OF_DAY, INTS)
        taken = HoursAdd("units_promised", Coalesce(Subquery(beside), nothing))
        rows = self.filter(offer=offer, day__range=(first, last)).values_list("day", "units_total", taken)
        return {
            (day, hour): units - given
            for day, total, promised in rows
            for hour, (units, given) in enumerate(zip(total, promised, strict=True))
        }

    def take(self, hours: list[int]) -> bool:
        """Promise `hours[h]` units of hour h in one statement; False when they no longer fit."""
        if min(hours) < 0:
            raise ValueError("units must not be negative")
        promised = HoursAdd("units_promised", Value(hours, INTS))
        return self.filter(HoursFit(promised, "units_total")).update(units_promised=promised) == 1

    def give_back(self, hours: list[int]) -> bool:
        """Return `hours[h]` units of hour h in one statement; False when more would return than was promised."""
        if min(hours) < 0:
            raise ValueError("units must not be negative")
        promised = HoursAdd("units_promised", Value([-units for units in hours], INTS))
        return self.filter(HoursFit(promised, "units_total")).update(units_promised=promised) == 1


class QuoteQuerySet(PublicQuerySet["Quote"]):
    def of(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))


class ReservationQuerySet(PublicQuerySet["Reservation"]):
    def of(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def sold_by(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(offer__site__provider__in=list(organizations))

    def with_terms(self) -> Self:
        return self.select_related("buyer", "offer__site__provider", "offer__hardware", "contract", "quote")

    def lapsed(self, now: datetime) -> Self:
        return self.filter(state="held", expires_at__lte=now)

    def due_to_start(self, now: datetime) -> Self:
        return self.filter(state="confirmed", start__lte=now)

    def due_to_end(self, now: datetime) -> Self:
        return self.filter(state="active", end__lte=now)

    def to_settle(self, ended_by: datetime) -> Self:
        """Completed ones that ended by then and whose money is still held."""
        held = Hold.objects.open().filter(subject__startswith="rsv_").values("subject")
        return self.filter(public_id__in=held, state="completed", end__lte=ended_by)


class UsageQuerySet(models.QuerySet["UsageRecord"]):
    def of_attempts(self, public_ids: Iterable[str]) -> Self:
        return self.filter(attempt__in=list(public_ids))


class ChargeLineQuerySet(PublicQuerySet["ChargeLine"]):
    def of_buyers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(contract__buyer__in=list(organizations))

    def sold_by(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(contract__provider__in=list(organizations))

    def of_attempts(self, public_ids: Iterable[str]) -> Self:
        return self.filter(attempt__in=list(public_ids))

    def maturing(self) -> Self:
        """Those of which something has not matured, the next first; those that a dispute keeps come last."""
        return self.filter(state__in=("pending", "frozen"), pending_left__gt=0).order_by("-state", "matures_at", "pk")

    def due_to_mature(self, now: datetime) -> Self:
        """Pending lines whose time has come."""
        return self.filter(state="pending", matures_at__lte=now)


class ServiceCreditQuerySet(PublicQuerySet["ServiceCredit"]):
    def of_buyers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))
