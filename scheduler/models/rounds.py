"""The record of each match round, and the scale its scores rest on."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from marketplace.catalog.models import Offer
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.common.sql import ArrayWithin
from scheduler.shards import Shard


class SegmentReference(models.Model):
    """Yesterday's prices of one segment, in mm per PFLOP-hour: the fixed scale of every score of the day."""

    segment = models.CharField(max_length=40)
    day = models.DateField()
    p_lo = models.BigIntegerField()
    p_mid = models.BigIntegerField()
    p_hi = models.BigIntegerField()
    offers = models.PositiveIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "segment"]
        constraints = [
            models.UniqueConstraint(fields=["segment", "day"], name="segment_reference_once_per_day"),
            models.CheckConstraint(
                condition=Q(p_lo__gt=0, p_mid__gte=F("p_lo"), p_hi__gte=F("p_mid")), name="segment_reference_ordered"
            ),
        ]
        triggers = [pgtrigger.Protect(name="reference_is_frozen", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.segment} {self.day}"


class MatchRound(models.Model):
    """One round, replayable: the snapshot it saw and the plan it made, both compressed.

    `bound` is what no plan of that market can exceed, mm, and `ratio_bp` the plan's part of it, rounded down; both are
    null where nothing was proven (modes greedy and instant), the ratio also at bound 0.
    """

    public_id = PublicIdField("rnd")
    segment = models.CharField(max_length=40)
    region_group = models.CharField(max_length=30, blank=True, db_default="")  # empty where families are not split
    mode = models.CharField(max_length=10)
    core_version = models.CharField(max_length=20)
    reference = models.ForeignKey(SegmentReference, on_delete=models.PROTECT, related_name="rounds")
    now = models.DateTimeField()
    base = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    snapshot = models.BinaryField(null=True)  # with a base: only in what its offers differ from that round's
    snapshot_sha256 = models.CharField(max_length=64)
    result = models.BinaryField()
    result_sha256 = models.CharField(max_length=64)
    jobs_seen = models.PositiveIntegerField()
    placed = models.PositiveIntegerField()
    conflicts = models.PositiveIntegerField(default=0)
    utility = models.BigIntegerField()
    bound = models.BigIntegerField(null=True)
    ratio_bp = models.PositiveSmallIntegerField(null=True)
    price_steps = models.PositiveIntegerField(default=0)
    moves_done = models.PositiveIntegerField(default=0)
    seed = models.BigIntegerField(default=0)
    unplaced_reasons = models.JSONField(default=dict)
    explained = models.BooleanField(default=True)  # False: its allocations still wait for their full reasons
    ms_read = models.PositiveIntegerField()
    ms_core = models.PositiveIntegerField()
    ms_write = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(placed__lte=F("jobs_seen")), name="round_places_what_it_saw"),
            models.CheckConstraint(condition=Q(bound=None) | Q(bound__gte=F("utility")), name="round_within_its_bound"),
            models.CheckConstraint(
                condition=Q(ratio_bp__isnull=False, ratio_bp__range=(0, 10_000), bound__isnull=False, bound__gt=0)
                | Q(ratio_bp=None, bound=None)
                | Q(ratio_bp=None, bound__isnull=False, bound=0),
                name="round_ratio_of_its_bound",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(explained=False), name="round_to_explain"),
            models.Index(
                fields=["segment", "region_group", "-id"], condition=Q(bound__isnull=False), name="round_with_prices"
            ),
        ]
        triggers = [references.stays("round_stays")]

    @property
    def shard(self) -> Shard:
        """What it matched."""
        return Shard(self.segment, self.region_group)

    def __str__(self) -> str:
        return self.public_id


class ShadowPriceDay(models.Model):
    """One offer and UTC day: what one more unit of each hour would have been worth to a round, mm per unit-hour.

    A day that was never worth anything has no row. Only `scheduler.keptprices` writes it.
    """

    offer = models.ForeignKey(Offer, on_delete=models.PROTECT, related_name="shadow_prices", db_index=False)
    day = models.DateField()
    prices = ArrayField(models.BigIntegerField(), size=24)
    round = models.ForeignKey(MatchRound, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["offer", "day"]
        constraints = [
            models.UniqueConstraint(fields=["offer", "day"], name="shadow_price_once_per_offer_day"),
            models.CheckConstraint(condition=ArrayWithin("prices", 24, 0, 2**62), name="shadow_price_of_every_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.offer_id} {self.day}"
