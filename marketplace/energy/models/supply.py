"""Certified energy: what was issued, the lots that are held of it, and the ledger in which each Wh has one state."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.exclusion import same_id
from marketplace.common.ids import PublicIdField
from marketplace.energy.models import outside, storagerules
from marketplace.energy.models import supplyrules as rules
from marketplace.energy.models.grid import GridZone
from marketplace.energy.models.points import MeterPoint, UseHour
from marketplace.energy.models.rules import append_only, of_choices
from marketplace.energy.models.sources import EnergySource, Technology
from marketplace.energy.querysets import CertificateLotQuerySet, MatchLineQuerySet, SupplyEntryQuerySet
from marketplace.energy.states import LOT, OWNED, SUPPLY

MOST_WH = 2**53


class RangeLength(Func):
    """How many Wh a range has."""

    template = "(upper(%(expressions)s) - lower(%(expressions)s))"
    output_field = models.BigIntegerField()


class Scheme(models.TextChoices):
    """By whose rules energy is certified; METER is a record of a meter on site, never called a certificate."""

    METER = "METER"
    GC = "GC"
    GEC = "GEC"
    GO = "GO"
    IREC = "IREC"
    REC = "REC"


class Resolution(models.TextChoices):
    """How finely the time of production is known, from finest."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Release(models.TextChoices):
    """Energy as it was produced, or as it came out of a store."""

    PRODUCTION = "production"
    STORAGE = "storage"


class Issuance(models.Model):
    """What one registry issued for one device and interval; without a capacity where the registry tells none."""

    registry = models.CharField(max_length=40)
    issuance_id = models.CharField(max_length=80)
    scheme = models.CharField(max_length=5, choices=Scheme.choices)
    source = models.ForeignKey(EnergySource, on_delete=models.PROTECT, null=True, related_name="issuances")
    device_id = models.CharField(max_length=60)
    device_name = models.CharField(max_length=80, blank=True)
    technology = models.CharField(max_length=12, choices=Technology.choices)
    capacity_w = models.BigIntegerField(null=True)
    commissioned_on = models.DateField()
    issuer = models.CharField(max_length=80)
    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="+")
    start = models.DateTimeField()
    end = models.DateTimeField()
    release = models.CharField(max_length=10, choices=Release.choices, default=Release.PRODUCTION)
    temporal_resolution = models.CharField(max_length=5, choices=Resolution.choices)
    support = models.CharField(max_length=80, blank=True)
    tradable = models.BooleanField(default=True)
    underlying_serial = models.CharField(max_length=120, null=True, unique=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["registry", "issuance_id"], name="issuance_once"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="issuance_has_an_interval"),
            models.CheckConstraint(condition=rules.as_fine_as_it_says(), name="issuance_resolution_by_its_length"),
            models.CheckConstraint(
                condition=Q(capacity_w=None) | Q(capacity_w__gte=1), name="issuance_device_has_power"
            ),
            of_choices("scheme", Scheme, "issuance_scheme_known"),
            of_choices("technology", Technology, "issuance_technology_known"),
            of_choices("release", Release, "issuance_release_known"),
        ]
        indexes = [
            models.Index(fields=["start", "id"], name="issuance_by_start"),
            models.Index(fields=["expires_at"], condition=~Q(expires_at=None), name="issuance_by_expiry"),
        ]
        triggers = [append_only("issuance_is_append_only")]

    def __str__(self) -> str:
        return f"{self.registry} {self.issuance_id}"


class CertificateLot(models.Model):
    """A range of Wh of one issuance that one organization holds, for use at `point`.

    The seven counters say how much of it is in which state; the database counts them from the ledger's entries.
    """

    public_id = PublicIdField("crt")
    issuance = models.ForeignKey(Issuance, on_delete=models.PROTECT, related_name="lots")
    wh_range = BigIntegerRangeField()
    holder = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="certificate_lots")
    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, null=True, related_name="lots")
    state = models.CharField(max_length=10, default="pending")
    reason = models.CharField(max_length=200, blank=True)
    serial_text = models.CharField(max_length=200, blank=True)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    available_wh = models.BigIntegerField(default=0, editable=False)
    reserved_wh = models.BigIntegerField(default=0, editable=False)
    cancelled_wh = models.BigIntegerField(default=0, editable=False)
    stored_wh = models.BigIntegerField(default=0, editable=False)
    exported_wh = models.BigIntegerField(default=0, editable=False)
    expired_wh = models.BigIntegerField(default=0, editable=False)
    withdrawn_wh = models.BigIntegerField(default=0, editable=False)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    reviewed_at = models.DateTimeField(null=True)
    warned_at = models.DateTimeField(null=True)  # that it will expire
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = CertificateLotQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            LOT.constraint(),
            models.CheckConstraint(
                condition=Q(wh_range__contained_by=(0, MOST_WH), wh_range__isempty=False), name="certificate_lot_has_wh"
            ),
            models.CheckConstraint(
                condition=Q(**{f"{name}_wh__gte": 0 for name in SUPPLY}), name="certificate_lot_counts_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(Exact(rules.sum_of(f"{name}_wh" for name in SUPPLY), RangeLength("wh_range"))),
                name="certificate_lot_wh_all_accounted",
            ),
            ExclusionConstraint(
                name="certificate_lot_of_its_own_wh",
                expressions=[same_id("issuance"), ("wh_range", RangeOperators.OVERLAPS)],
                condition=~Q(state="refused"),
            ),
        ]
        indexes = [
            models.Index(fields=["point", "id"], condition=Q(available_wh__gt=0), name="certificate_lot_with_rest"),
        ]
        triggers = [
            LOT.trigger(),
            references.stays("certificate_lot_stays"),
            references.keeps("certificate_lot_keeps_its_wh", "public_id", "issuance", "wh_range", "holder"),
            rules.LOT_BEGINS_AVAILABLE, rules.LOT_IS_ONE_SPAN, rules.LOT_COUNTED_BY_ENTRIES,
            outside.LOT_REVIEWED_FROM_OUTSIDE, storagerules.STORAGE_GIVES_WHAT_WENT_IN,
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id


class CertificateSpan(models.Model):
    """A range of a lot in one state, for one subject where it is reserved or cancelled. Written by triggers alone."""

    lot = models.ForeignKey(CertificateLot, on_delete=models.PROTECT, related_name="spans", db_constraint=False)
    wh_range = BigIntegerRangeField()
    state = models.CharField(max_length=10)
    subject = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["lot", "wh_range"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=SUPPLY), name="certificate_span_state_known"),
            models.CheckConstraint(condition=Q(wh_range__isempty=False), name="certificate_span_not_empty"),
            models.CheckConstraint(
                condition=Q(state__in=OWNED) & ~Q(subject="") | ~Q(state__in=OWNED) & Q(subject=""),
                name="certificate_span_owned_for_a_subject",
            ),
            ExclusionConstraint(
                name="certificate_wh_in_one_state",
                expressions=[same_id("lot"), ("wh_range", RangeOperators.OVERLAPS)],
            ),
        ]
        indexes = [
            models.Index(fields=["subject"], condition=~Q(subject=""), name="certificate_span_by_subject"),
        ]
        triggers = [rules.SPAN_BY_ENTRIES]

    def __str__(self) -> str:
        return f"{self.lot_id} {self.wh_range} {self.state}"


class SupplyEntry(models.Model):
    """One move of a range of Wh from one state to another: the ledger. Nothing else moves a Wh."""

    lot = models.ForeignKey(CertificateLot, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    wh_range = BigIntegerRangeField()
    from_state = models.CharField(max_length=10)
    to_state = models.CharField(max_length=10)
    subject = models.CharField(max_length=40, blank=True)
    purpose = models.CharField(max_length=120, blank=True)
    beneficiary = models.CharField(max_length=120, blank=True)
    statement_ref = models.CharField(max_length=120, blank=True)
    request_key = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()

    objects = SupplyEntryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "supply entries"
        constraints = [
            models.CheckConstraint(condition=rules.legal_moves(), name="supply_entry_moves_legally"),
            models.CheckConstraint(condition=Q(wh_range__isempty=False), name="supply_entry_moves_something"),
            models.CheckConstraint(
                condition=~Q(subject="") | ~Q(from_state__in=OWNED) & ~Q(to_state__in=OWNED),
                name="supply_entry_for_a_subject",
            ),
            models.UniqueConstraint(
                fields=["request_key", "lot", "wh_range"], condition=~Q(request_key=""), name="supply_entry_once"
            ),
            ExclusionConstraint(
                name="certificate_wh_cancelled_once",
                expressions=[same_id("lot"), ("wh_range", RangeOperators.OVERLAPS)],
                condition=Q(to_state="cancelled"),
            ),
        ]
        indexes = [models.Index(fields=["subject"], condition=~Q(subject=""), name="supply_entry_by_subject")]
        triggers = [append_only("supply_entry_is_append_only"), rules.ENTRY_MOVES_WH]

    def __str__(self) -> str:
        return f"{self.lot_id} {self.wh_range} {self.from_state} → {self.to_state}"


class StorageDraw(models.Model):
    """A range of stored Wh that left a store again in one issuance; each feeds one at most."""

    issuance = models.ForeignKey(Issuance, on_delete=models.PROTECT, related_name="draws")
    lot = models.ForeignKey(CertificateLot, on_delete=models.PROTECT, related_name="draws")
    wh_range = BigIntegerRangeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(wh_range__isempty=False), name="storage_draw_not_empty"),
            ExclusionConstraint(
                name="stored_wh_drawn_once", expressions=[same_id("lot"), ("wh_range", RangeOperators.OVERLAPS)]
            ),
        ]
        triggers = [append_only("storage_draw_is_append_only"), storagerules.DRAWS_OF_WHAT_WAS_STORED]

    def __str__(self) -> str:
        return f"{self.issuance_id} {self.lot_id} {self.wh_range}"


class MatchLine(models.Model):
    """A range of a lot that matches a use in its hour; while `live`, no other use has any of it.

    `volume` marks energy that is certified by the day, month or year and therefore never counts as matched by the hour.
    """

    use_hour = models.ForeignKey(UseHour, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    lot = models.ForeignKey(
        CertificateLot, on_delete=models.PROTECT, related_name="lines", db_index=False, db_constraint=False
    )
    wh_range = BigIntegerRangeField()
    volume = models.BooleanField(default=False)
    live = models.BooleanField(default=True)

    objects = MatchLineQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(wh_range__isempty=False), name="match_line_not_empty"),
            ExclusionConstraint(
                name="certificate_wh_matches_one_use",
                expressions=[same_id("lot"), ("wh_range", RangeOperators.OVERLAPS)],
                condition=Q(live=True),
            ),
        ]
        triggers = [
            references.stays("match_line_stays"),
            references.exist(
                "match_line_of_a_use_and_a_lot", use_hour_id="energy_usehour", lot_id="energy_certificatelot"
            ),
            pgtrigger.Protect(
                name="match_line_only_ends", operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NOT OLD.live OR (NEW.use_hour_id, NEW.lot_id, NEW.wh_range, NEW.volume) "
                    "IS DISTINCT FROM (OLD.use_hour_id, OLD.lot_id, OLD.wh_range, OLD.volume)"
                ),
            ),
            rules.LINES_MATCH, rules.ENDED_LINES_MATCH_NO_MORE,
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.use_hour_id} {self.lot_id} {self.wh_range}"
