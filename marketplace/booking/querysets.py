"""Questions about promises, and the guarded writes that services build on."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Self, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Greatest, TruncMonth

from accounts.models import Organization
from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.catalog.models import Offer
from marketplace.common.months import MOMENT, OPEN_FOR, Month
from marketplace.common.querysets import PublicQuerySet
from marketplace.common.sql import HoursAdd, HoursFit
from marketplace.ledger.models import Hold, InvoiceLine

if TYPE_CHECKING:
    from marketplace.booking.models import (  # noqa: F401
        CapacityDay,
        ChargeLine,
        Quote,
        Reservation,
        ReservationDay,
        ServiceCredit,
        StandingHour,
        StandingOrder,
        UsageDispute,
        UsageRecord,
        Wait,
    )

INTS = ArrayField(models.IntegerField())
Day = TypeVar("Day", bound=models.Model)
INVOICED = Exists(InvoiceLine.objects.filter(source=OuterRef("public_id")))


class HourlyQuerySet(models.QuerySet[Day]):
    """Rows of one day with `units_total` and `units_promised` of each hour, written one at a time."""

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

    def enlarge(self, hours: list[int]) -> bool:
        """Let `hours[h]` units more exist in hour h, in one statement."""
        if min(hours) < 0:
            raise ValueError("units must not be negative")
        return self.update(units_total=HoursAdd("units_total", Value(hours, INTS))) == 1

    def shrink(self, hours: list[int]) -> bool:
        """Let `hours[h]` units fewer exist in hour h, in one statement; False when that is less than is promised."""
        if min(hours) < 0:
            raise ValueError("units must not be negative")
        total = HoursAdd("units_total", Value([-units for units in hours], INTS))
        return self.filter(HoursFit("units_promised", total)).update(units_total=total) == 1


class CapacityDayQuerySet(HourlyQuerySet["CapacityDay"]):
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

    def with_changes(self) -> Self:
        """With everything that was bought for them since."""
        return self.prefetch_related("changes__contract")

    def lapsed(self, now: datetime) -> Self:
        return self.filter(state="held", expires_at__lte=now)

    def due_to_start(self, now: datetime) -> Self:
        return self.filter(state="confirmed", start__lte=now)

    def due_to_end(self, now: datetime) -> Self:
        return self.filter(state="active", end__lte=now)

    def to_settle(self, ended_by: datetime) -> Self:
        """Completed ones that ended by then and whose money is still held."""
        own = Q(subject__startswith="rsv_") | Q(subject__startswith="rch_")
        held = Hold.objects.open().filter(own).values("subject")
        of_it = Q(public_id__in=held) | Q(changes__public_id__in=held)
        return self.filter(of_it, state="completed", end__lte=ended_by).distinct()


class ReservationDayQuerySet(HourlyQuerySet["ReservationDay"]):
    def of_days(self, reservation: "Reservation", days: Iterable[date]) -> Self:
        """In key order, as everybody locks them."""
        return self.filter(reservation=reservation, day__in=list(days)).order_by("pk")


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
        return self.filter(matured_at=None, pending_left__gt=0).order_by("frozen", "matures_at", "pk")

    def due_to_mature(self, now: datetime) -> Self:
        """Lines whose time has come and that nobody disputes."""
        return self.filter(matured_at=None, frozen=False, matures_at__lte=now)

    def open_to_objection(self, now: datetime) -> Self:
        """Charges that their buyer may still object to, the first to mature first."""
        rows = self.filter(matured_at=None, frozen=False, matures_at__gt=now, charge_minor__gt=0, disputes=None)
        return rows.order_by("matures_at", "pk")

    def not_invoiced(self) -> Self:
        """Those on no invoice."""
        return self.filter(~INVOICED)

    def with_month(self) -> Self:
        """Each with `month`: the start of the month that it is billed in, that of its use while it was open then."""
        last = Greatest(
            F("during__endswith") - Value(MOMENT),
            F("created_at") - Value(OPEN_FOR),
            output_field=models.DateTimeField(),
        )
        return self.annotate(month=TruncMonth(last, tzinfo=UTC))

    def of_month(self, month: Month) -> Self:
        """Those billed in that month, each with `month`."""
        return self.with_month().filter(**{"month": month.start})

    def before(self, month: Month) -> Self:
        """Those billed in earlier months, each with `month`."""
        return self.with_month().filter(**{"month__lt": month.start})

    def billed_in(self, month: Month) -> Self:
        """As `of_month`, found by time instead of by looking at every charge.

        For use in the month, or for use before it that was charged once its own month was closed.
        """
        written = self.filter(created_at__gt=month.start, created_at__lt=month.closes_at)
        mine = Q(during__endswith__gt=month.start, during__endswith__lte=month.end)
        return written.filter(mine | Q(during__endswith__lte=month.start, created_at__gte=month.start + OPEN_FOR))


class ServiceCreditQuerySet(PublicQuerySet["ServiceCredit"]):
    def of_buyers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def of_money(self) -> Self:
        """Those in a currency, which bills know, not in compute units."""
        return self.filter(asset__regex="^[A-Z]{3}$")

    def not_invoiced(self) -> Self:
        """Those on no credit note or invoice."""
        return self.filter(~INVOICED)

    def with_month(self) -> Self:
        """Each with `month`: the start of the month in which it was given."""
        return self.annotate(month=TruncMonth("created_at", tzinfo=UTC))

    def of_month(self, month: Month) -> Self:
        """Those given in that month, each with `month`."""
        return self.with_month().billed_in(month)

    def before(self, month: Month) -> Self:
        """Those given in earlier months, each with `month`."""
        return self.with_month().filter(created_at__lt=month.start)

    def billed_in(self, month: Month) -> Self:
        """Those given in `month`."""
        return self.filter(created_at__gte=month.start, created_at__lt=month.end)


class UsageDisputeQuerySet(PublicQuerySet["UsageDispute"]):
    def of_buyers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def to_decide(self) -> Self:
        """Open ones, the oldest first."""
        return self.filter(state="open").order_by("pk")


class StandingOrderQuerySet(PublicQuerySet["StandingOrder"]):
    def of(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def with_terms(self) -> Self:
        return self.select_related("buyer", "api_key", "budget")

    def due(self, now: datetime) -> Self:
        """Those to be looked at, who waits longest first."""
        return self.filter(state="active", look_at__lte=now).order_by("look_at", "pk")


class StandingHourQuerySet(models.QuerySet["StandingHour"]):
    def ahead(self, order: "StandingOrder", first: datetime) -> Self:
        """The hours of an order from `first` on."""
        return self.filter(order=order, hour__gte=first).order_by("hour")

    def lost(self) -> Self:
        """Those whose reservation ended against its buyer's will; what a buyer cancels is not wanted any more."""
        by_others = Q(reservation__state="cancelled") & ~Q(reservation__reason="buyer")
        return self.filter(Q(reservation__state__in=("failed", "expired")) | by_others)

    def kept(self) -> Self:
        """Those whose reservation is firm."""
        return self.filter(reservation__state__in=("confirmed", "active", "completed"))


class WaitQuerySet(PublicQuerySet["Wait"]):
    def of(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def with_terms(self) -> Self:
        return self.select_related("buyer", "api_key", "reservation")

    def waiting(self) -> Self:
        return self.filter(state="waiting")

    def recent(self, since: datetime) -> Self:
        """Those that wait, and those that joined or were served for hours since then."""
        return self.filter(Q(state="waiting") | Q(created_at__gte=since) | Q(reservation__end__gte=since))

    def in_turn(self, family: str) -> Self:
        """Those that wait for hardware of a family, who came first ahead."""
        return self.waiting().filter(family=family).order_by("pk")
