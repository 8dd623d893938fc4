"""What stands on the shelf: places, sites, hardware and offers."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.catalog.querysets import OfferQuerySet, SiteQuerySet
from marketplace.catalog.states import OFFER
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.common.sql import ArrayWithin
from marketplace.energy.models import GridZone, MeterPoint

HOURS_OF_WEEK = 168
LIFETIME_H = 43_800  # five years, over which embodied carbon is spread


class Place(models.Model):
    """A named point that latency is counted from."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80)
    country = models.CharField(max_length=2)
    latitude = models.FloatField()
    longitude = models.FloatField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


# The point keeps its zone and owner, so it is enough to look when a site turns to it.
OWN_POINT = """
    IF NOT EXISTS (
        SELECT FROM energy_meterpoint AS point
        WHERE point.id = NEW.point_id AND point.zone_id = NEW.zone_id AND point.organization_id = NEW.provider_id
    ) THEN
        RAISE check_violation USING
            MESSAGE = 'a site is metered at a point of its own provider and grid zone',
            CONSTRAINT = 'site_point_of_its_zone';
    END IF;
    RETURN NEW;
"""


class SiteKind(models.TextChoices):
    """Where the machines stand."""

    DATACENTER = "datacenter"
    EDGE = "edge"
    ORBITAL = "orbital"


class Site(models.Model):
    """One location of one provider: its grid zone, overhead and kind."""

    public_id = PublicIdField("sit")
    provider = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="sites")
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    locality = models.CharField(max_length=80)
    locality_zh = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=12, choices=SiteKind.choices)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=40)
    latitude = models.FloatField()
    longitude = models.FloatField()
    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="sites")
    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, related_name="sites", blank=True)
    pue_ppm = models.PositiveIntegerField(default=1_200_000)
    sample = models.BooleanField(default=False)
    this_machine = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=SiteKind.values), name="site_kind_known"),
            models.CheckConstraint(condition=Q(pue_ppm__gte=1_000_000), name="site_pue_at_least_one"),
            models.CheckConstraint(
                condition=Q(latitude__range=(-90, 90), longitude__range=(-180, 180)), name="site_is_on_earth"
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="site_point_of_its_zone", when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("point_id", "zone_id", "provider_id"),  # type: ignore[no-untyped-call]
                func=OWN_POINT,
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Family(models.TextChoices):
    """Hardware families; one matcher segment each."""

    ACCELERATOR = "accelerator"
    CPU = "cpu"
    EDGE = "edge"
    ORBITAL = "orbital"


class HardwareClass(models.Model):
    """What one unit is: its dense PFLOPS, memory and power."""

    slug = models.SlugField(unique=True)
    accelerator = models.CharField(max_length=40)
    vendor = models.CharField(max_length=40)
    family = models.CharField(max_length=12, choices=Family.choices)
    memory_gb = models.PositiveIntegerField()
    pf_milli = models.PositiveIntegerField()
    benchmark = models.CharField(max_length=60)
    vcpus = models.PositiveIntegerField()
    ram_gb = models.PositiveIntegerField()
    interconnect = models.CharField(max_length=40, blank=True)
    idle_w = models.PositiveIntegerField()
    max_w = models.PositiveIntegerField()
    embodied_kg = models.PositiveIntegerField(null=True, blank=True)  # of a whole node, as its maker states it
    lifetime_h = models.PositiveIntegerField(default=LIFETIME_H)
    units_per_node = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["accelerator", "pk"]
        verbose_name_plural = "hardware classes"
        constraints = [
            models.CheckConstraint(condition=Q(pf_milli__gte=1), name="hardware_has_a_rating"),
            models.CheckConstraint(condition=Q(max_w__gte=F("idle_w")), name="hardware_idle_at_most_max"),
            models.CheckConstraint(condition=Q(family__in=Family.values), name="hardware_family_known"),
            models.CheckConstraint(
                condition=Q(lifetime_h__gte=1, units_per_node__gte=1), name="hardware_node_has_units_and_a_life"
            ),
        ]

    def __str__(self) -> str:
        return self.accelerator


class Tier(models.TextChoices):
    """Firm work is kept; interruptible work may be preempted with notice."""

    FIRM = "firm"
    INTERRUPTIBLE = "interruptible"


class Term(models.TextChoices):
    """How the hours are bought."""

    ON_DEMAND = "on_demand"
    RESERVED = "reserved"


# Each side reads the other under a lock, so that an offer cannot change while another names it.
SAME_MACHINES = """
    IF TG_OP = 'UPDATE' AND NEW.twin_id IS DISTINCT FROM OLD.twin_id THEN
        RAISE check_violation USING
            MESSAGE = 'an offer keeps its twin', CONSTRAINT = 'offer_twin_on_the_same_machines';
    END IF;
    IF NEW.twin_id IS NOT NULL THEN
        PERFORM FROM catalog_offer AS firm
        WHERE firm.id = NEW.twin_id AND firm.tier = 'firm'
          AND firm.site_id = NEW.site_id AND firm.hardware_id = NEW.hardware_id
        FOR SHARE;
        IF NOT FOUND THEN
            RAISE check_violation USING
                MESSAGE = 'the twin of an offer is a firm offer of the same site and hardware',
                CONSTRAINT = 'offer_twin_on_the_same_machines';
        END IF;
    END IF;
    IF TG_OP = 'UPDATE'
       AND (NEW.tier, NEW.site_id, NEW.hardware_id) IS DISTINCT FROM (OLD.tier, OLD.site_id, OLD.hardware_id)
       AND EXISTS (SELECT FROM catalog_offer AS loose WHERE loose.twin_id = NEW.id) THEN
        RAISE check_violation USING
            MESSAGE = 'an offer that is a twin keeps tier, site and hardware',
            CONSTRAINT = 'offer_twin_on_the_same_machines';
    END IF;
    RETURN NEW;
"""


class Offer(models.Model):
    """Identical units of one hardware class at one site, with a price for every hour of the week.

    `rate_mm[h]` is the rate of one unit in hour h of the UTC week (Monday 00:00 is 0), in thousandths of a minor unit
    per hour; electricity is charged beside it by power and overhead. An interruptible offer may name the firm offer on
    the same machines, its `twin`, and then sells what that one has not sold (`marketplace.booking`).
    """

    public_id = PublicIdField("ofr")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="offers")
    hardware = models.ForeignKey(HardwareClass, on_delete=models.PROTECT, related_name="offers")
    title = models.CharField(max_length=80)
    units = models.PositiveIntegerField()
    tier = models.CharField(max_length=14, choices=Tier.choices, default=Tier.FIRM)
    term = models.CharField(max_length=10, choices=Term.choices, default=Term.ON_DEMAND)
    currency = models.CharField(max_length=3, default="USD")
    rate_mm = ArrayField(models.BigIntegerField(), size=HOURS_OF_WEEK)
    electricity_mm_per_kwh = models.PositiveIntegerField(default=0)
    notice_s = models.PositiveIntegerField(default=120)
    boot_s = models.PositiveIntegerField(default=60)
    free_cancel_s = models.PositiveIntegerField(default=0)  # a reservation is cancelled for nothing until then
    idle_bp = models.PositiveIntegerField(default=0)  # part of the rate that reserved hours cost unused
    egress = models.BooleanField(default=False)
    reliability_ppm = models.PositiveIntegerField(null=True)
    evidence = models.CharField(max_length=12, default="declared")
    description = models.CharField(max_length=400, blank=True)
    description_zh = models.CharField(max_length=400, blank=True)
    sample = models.BooleanField(default=False)
    twin = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="interruptible", db_index=False)
    state = models.CharField(max_length=10, default="draft")
    paused_reason = models.CharField(max_length=200, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = OfferQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            OFFER.constraint(),
            models.CheckConstraint(condition=Q(units__gte=1), name="offer_has_units"),
            models.CheckConstraint(condition=Q(tier__in=Tier.values), name="offer_tier_known"),
            models.CheckConstraint(condition=Q(term__in=Term.values), name="offer_term_known"),
            models.CheckConstraint(
                condition=ArrayWithin("rate_mm", HOURS_OF_WEEK, 0, 10**12), name="offer_has_a_rate_for_every_hour"
            ),
            models.CheckConstraint(
                condition=Q(reliability_ppm=None) | Q(reliability_ppm__lte=1_000_000), name="offer_reliability_in_ppm"
            ),
            models.CheckConstraint(condition=Q(idle_bp__lte=10_000), name="offer_idle_part_of_the_rate"),
            models.UniqueConstraint(fields=["twin"], name="offer_twin_of_one"),
            models.CheckConstraint(
                condition=Q(twin=None) | Q(tier=Tier.INTERRUPTIBLE), name="offer_twin_of_interruptible"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="offer_by_state"),
            models.Index(fields=["id"], condition=Q(twin__isnull=False), name="offer_with_twin"),
        ]
        triggers = [
            OFFER.trigger(),
            references.stays("offer_stays"),
            pgtrigger.Trigger(
                name="offer_twin_on_the_same_machines",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("twin_id", "tier", "site_id", "hardware_id"),  # type: ignore[no-untyped-call]
                func=SAME_MACHINES,
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Latency(models.Model):
    """Round trip between a place and a site; its absence means unknown."""

    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="latencies")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="latencies")
    p95_ms = models.PositiveIntegerField()
    measured = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "latencies"
        constraints = [models.UniqueConstraint(fields=["place", "site"], name="latency_once_per_route")]

    def __str__(self) -> str:
        return f"{self.place_id} → {self.site_id}: {self.p95_ms} ms"
