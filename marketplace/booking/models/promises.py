"""Promises: hourly capacity, quotes, reservations, contracts and metered use."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.contrib.postgres.fields.ranges import RangeOperators
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.booking.querysets import (
    CapacityDayQuerySet,
    QuoteQuerySet,
    ReservationDayQuerySet,
    ReservationQuerySet,
    UsageQuerySet,
)
from marketplace.booking.states import RESERVATION
from marketplace.catalog.models import Offer
from marketplace.common import references
from marketplace.common.exclusion import same_text
from marketplace.common.ids import PublicIdField
from marketplace.common.sql import HoursFit

HOURS = 24
ON_TOP = "on_top"


def no_units() -> list[int]:
    """A day on which nothing is promised."""
    return [0] * HOURS


# The nested UPDATE comes here again for days of interruptible offers, which are nobody's twin: there it ends.
FOLLOW_TWIN = """
    IF EXISTS (SELECT FROM catalog_offer WHERE twin_id IS NOT NULL)
       AND EXISTS (SELECT FROM changed JOIN catalog_offer AS loose ON loose.twin_id = changed.offer_id) THEN
        UPDATE booking_capacityday AS rest SET units_total = hours_left(changed.units_total, changed.units_promised)
        FROM changed JOIN catalog_offer AS loose ON loose.twin_id = changed.offer_id
        WHERE rest.offer_id = loose.id AND rest.day = changed.day
          AND rest.units_total <> hours_left(changed.units_total, changed.units_promised);
    END IF;
    RETURN NULL;
"""
# A new day of an interruptible offer waits for sales of its twin's day: they have not seen it and will not change it.
BEGIN_LIKE_TWIN = """
    IF EXISTS (SELECT FROM catalog_offer WHERE twin_id IS NOT NULL) THEN
        PERFORM FROM added JOIN catalog_offer AS loose ON loose.id = added.offer_id
        JOIN booking_capacityday AS sold ON sold.offer_id = loose.twin_id AND sold.day = added.day
        ORDER BY sold.id FOR UPDATE OF sold;
        UPDATE booking_capacityday AS rest
        SET units_total = coalesce(hours_left(sold.units_total, sold.units_promised), array_fill(0, ARRAY[24]))
        FROM added
        JOIN catalog_offer AS loose ON loose.twin_id IS NOT NULL AND added.offer_id IN (loose.id, loose.twin_id)
        LEFT JOIN booking_capacityday AS sold ON sold.offer_id = loose.twin_id AND sold.day = added.day
        WHERE rest.offer_id = loose.id AND rest.day = added.day;
    END IF;
    RETURN NULL;
"""


class CapacityDay(models.Model):
    """One offer and UTC day: per hour, units that exist and units already promised.

    Of an interruptible offer with a firm twin those exist that the twin has not promised: a trigger follows every
    change of the twin's days, in the same transaction and set by set.
    """

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="capacity_days", db_index=False)
    day = models.DateField()
    units_total = ArrayField(models.IntegerField(), size=HOURS)
    units_promised = ArrayField(models.IntegerField(), size=HOURS, default=no_units)
    written = models.BigIntegerField(default=0, editable=False)  # the transaction that wrote it last, by the database

    objects = CapacityDayQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["offer", "day"], name="capacity_day_once_per_offer"),
            models.CheckConstraint(condition=HoursFit("units_promised", "units_total"), name="capacity_never_oversold"),
        ]
        indexes = [
            models.Index(fields=["day", "offer"], name="capacity_by_day"),
            models.Index(fields=["written"], name="capacity_by_writer"),
        ]
        triggers = [
            references.stays("capacity_day_stays"),
            references.keeps("capacity_day_keeps_its_place", "offer", "day"),
            pgtrigger.Trigger(
                name="capacity_day_written", level=pgtrigger.Row, when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                func="NEW.written = pg_current_xact_id()::text::bigint; RETURN NEW;",
            ),
            pgtrigger.Trigger(
                name="capacity_follows_twin", level=pgtrigger.Statement, when=pgtrigger.After,
                operation=pgtrigger.Update, referencing=pgtrigger.Referencing(new="changed"), func=FOLLOW_TWIN,  # type: ignore[no-untyped-call]
            ),
            pgtrigger.Trigger(
                name="capacity_begins_like_twin", level=pgtrigger.Statement, when=pgtrigger.After,
                operation=pgtrigger.Insert, referencing=pgtrigger.Referencing(new="added"), func=BEGIN_LIKE_TWIN,  # type: ignore[no-untyped-call]
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.offer_id} {self.day}"


class Quote(models.Model):
    """A frozen answer to one request: up to five options with their all-in prices; it expires."""

    public_id = PublicIdField("qte")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="quotes")
    request = models.JSONField()
    options = models.JSONField()
    rejected = models.JSONField(default=dict)
    considered = models.PositiveIntegerField(default=0)
    signature = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = QuoteQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="quote_expires_later"),
        ]

    def __str__(self) -> str:
        return self.public_id


class Contract(models.Model):
    """The terms frozen at booking or match; never changed afterwards.

    It is found through its reservation or allocation: an index per party would be written and never read.
    """

    public_id = PublicIdField("ctr")
    subject = models.CharField(max_length=40, unique=True)
    buyer = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    provider = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    offer = models.ForeignKey(
        Offer, on_delete=models.PROTECT, related_name="contracts", db_index=False, db_constraint=False
    )
    units = models.PositiveIntegerField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    currency = models.CharField(max_length=3)
    rate_mm = ArrayField(models.BigIntegerField())
    seconds = ArrayField(models.IntegerField())
    electricity_mm = models.BigIntegerField()
    fee_bp = models.PositiveIntegerField()
    tax_bp = models.PositiveIntegerField()
    price_lines = models.JSONField()
    total_minor = models.BigIntegerField()
    terms = models.JSONField()
    created_at = models.DateTimeField()

    @property
    def added_fee_bp(self) -> int:
        """What the fee adds to the price; nothing where it is a part of it."""
        return self.fee_bp if self.terms.get("fee_mode", ON_TOP) == ON_TOP else 0

    @property
    def untaxed_minor(self) -> int:
        """What full use costs before tax, in minor units."""
        return sum(line["amount_minor"] for line in self.price_lines if line["code"] != "tax")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="contract_has_a_span"),
            models.CheckConstraint(condition=Q(units__gte=1), name="contract_has_units"),
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="contract_total_not_negative"),
        ]
        triggers = [
            pgtrigger.Protect(name="contract_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete),
            references.exist(
                "contract_parties_exist", buyer_id="accounts_organization", provider_id="accounts_organization",
                offer_id="catalog_offer",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id


class Reservation(models.Model):
    """Units promised to a buyer in every hour of [start, end).

    `contract` is the first one; hours and units that came later have their own (`ReservationChange`). `units` are those
    from the last change on; `ReservationDay` has those of each hour.
    """

    public_id = PublicIdField("rsv")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="reservations")
    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="reservations")
    quote = models.ForeignKey(Quote, on_delete=models.PROTECT, null=True, related_name="reservations")
    contract = models.OneToOneField(Contract, on_delete=models.PROTECT, related_name="reservation")
    units = models.PositiveIntegerField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    state = models.CharField(max_length=10, default="held")
    reason = models.CharField(max_length=40, blank=True)
    expires_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            RESERVATION.constraint(),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="reservation_has_a_span"),
            models.CheckConstraint(condition=Q(units__gte=1), name="reservation_has_units"),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(expires_at__isnull=False), name="reservation_held_expires"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="reservation_by_expiry"),
            models.Index(fields=["buyer", "-id"], name="reservation_by_buyer"),
        ]
        triggers = [RESERVATION.trigger()]

    @property
    def contracts(self) -> "list[Contract]":
        """Everything that was bought for it, the first contract first."""
        return [self.contract, *(change.contract for change in self.changes.all() if change.contract)]

    def __str__(self) -> str:
        return self.public_id


class ReservationDay(models.Model):
    """One reservation and UTC day: per hour, units that it holds and units promised to the work inside it.

    A reservation that has ended holds nothing from that hour on.
    """

    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="days", db_index=False)
    day = models.DateField()
    units_total = ArrayField(models.IntegerField(), size=HOURS, default=no_units)
    units_promised = ArrayField(models.IntegerField(), size=HOURS, default=no_units)

    objects = ReservationDayQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["reservation", "day"], name="reservation_day_once"),
            models.CheckConstraint(
                condition=HoursFit("units_promised", "units_total"), name="reservation_never_overfilled"
            ),
        ]
        triggers = [
            references.stays("reservation_day_stays"),
            references.keeps("reservation_day_keeps_its_place", "reservation", "day"),
        ]

    def __str__(self) -> str:
        return f"{self.reservation_id} {self.day}"


class ReservationChange(models.Model):
    """Units that a reservation has more, or fewer, in the hours that [start, end) touches.

    More of them are bought by a contract of their own, at the price of that day; fewer change no contract.
    """

    public_id = PublicIdField("rch")
    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="changes")
    contract = models.OneToOneField(Contract, on_delete=models.PROTECT, null=True, related_name="change")
    units = models.IntegerField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    idle_bp = models.PositiveIntegerField(null=True)  # of fewer units: the part of their rate that is still due
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="reservation_change_has_a_span"),
            models.CheckConstraint(
                condition=Q(units__gt=0, contract__isnull=False, idle_bp=None)
                | Q(units__lt=0, contract=None, idle_bp__isnull=False),
                name="reservation_change_more_is_bought",
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="reservation_change_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.public_id


class UsageRecord(models.Model):
    """Metered use of one attempt in one span; spans of an attempt that are believed never overlap."""

    public_id = PublicIdField("use")
    attempt = models.CharField(max_length=40)
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="usage_records")
    during = DateTimeRangeField()
    units = models.PositiveIntegerField()
    milliseconds = models.BigIntegerField()
    cpu_ms = models.BigIntegerField()
    peak_memory_bytes = models.BigIntegerField()
    bytes_in = models.BigIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    energy_wh = models.BigIntegerField()
    site_wh = models.BigIntegerField()
    energy_method = models.CharField(max_length=20)
    carbon_ug = models.DecimalField(max_digits=24, decimal_places=0)
    renewable_ppm = models.PositiveIntegerField()
    signal_quality = models.CharField(max_length=10)
    flagged = models.CharField(max_length=80, blank=True)
    line = models.TextField(blank=True)
    signature = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            ExclusionConstraint(
                name="usage_of_an_attempt_never_overlaps",
                expressions=[
                    same_text("attempt"),
                    ("during", RangeOperators.OVERLAPS),
                ],
                condition=Q(flagged=""),
            ),
            models.CheckConstraint(condition=Q(during__isempty=False), name="usage_span_not_empty"),
            models.CheckConstraint(
                condition=Q(milliseconds__gte=0, cpu_ms__gte=0, energy_wh__gte=0, site_wh__gte=F("energy_wh")),
                name="usage_counts_not_negative",
            ),
            models.CheckConstraint(condition=Q(renewable_ppm__lte=1_000_000), name="usage_share_in_ppm"),
        ]
        triggers = [pgtrigger.Protect(name="usage_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.public_id
