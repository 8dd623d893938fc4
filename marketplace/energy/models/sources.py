"""Where green energy comes from: plants and contracts, how much of a plant serves which point, and what it made."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, IntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.exclusion import same_id
from marketplace.common.ids import PublicIdField
from marketplace.common.units import PPM
from marketplace.energy.models import outside
from marketplace.energy.models.grid import GridZone
from marketplace.energy.models.points import MeterPoint
from marketplace.energy.models.rules import OnTheHour, begins_at_nothing, counted_by_rows, of_choices
from marketplace.energy.querysets import EnergySourceQuerySet, GenerationHourQuerySet, SourceShareQuerySet


class SourceKind(models.TextChoices):
    """How a source reaches its user; energy of the earlier kinds is used first (`ORDER_OF_USE`)."""

    ONSITE = "onsite"
    PPA_PHYSICAL = "ppa_physical"
    PPA_VIRTUAL = "ppa_virtual"
    STORAGE = "storage"
    TARIFF = "tariff"
    CERTIFICATE_ONLY = "certificate_only"


class Technology(models.TextChoices):
    """What makes the energy. All but `storage` are renewable; storage is what was put into it."""

    SOLAR = "solar"
    WIND = "wind"
    HYDRO = "hydro"
    GEOTHERMAL = "geothermal"
    BIOMASS = "biomass"
    MARINE = "marine"
    STORAGE = "storage"


class Evidence(models.TextChoices):
    """What a claim about a source rests on, from least to most."""

    DECLARED = "declared"
    DOCUMENTS = "documents"
    METERED = "metered"
    AUDITED = "audited"


MEASURED_KINDS = frozenset({
    SourceKind.ONSITE, SourceKind.PPA_PHYSICAL, SourceKind.PPA_VIRTUAL, SourceKind.STORAGE,
})  # fmt: skip
EVIDENCE_ORDER = tuple(Evidence.values)


class EnergySource(models.Model):
    """A plant, battery or contract of one organization, and what is known of it.

    `evidence` rises and falls by an auditor's word alone: above `declared` somebody has verified it. Energy of a source
    whose certificates are sold (`certificates_sold`) serves nobody's claim here.
    """

    public_id = PublicIdField("src")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="energy_sources")
    device_id = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, choices=SourceKind.choices)
    technology = models.CharField(max_length=12, choices=Technology.choices)
    capacity_w = models.BigIntegerField()
    efficiency_ppm = models.PositiveIntegerField(null=True, blank=True)  # of a store: out per in
    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="energy_sources")
    commissioned_on = models.DateField()
    certificates_sold = models.BooleanField(default=False)
    evidence = models.CharField(max_length=10, choices=Evidence.choices, default=Evidence.DECLARED)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    verified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    verified_at = models.DateTimeField(null=True)
    review_reason = models.CharField(max_length=200, blank=True)
    version = models.PositiveIntegerField(default=1)
    sample = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = EnergySourceQuerySet.as_manager()

    class Meta:
        ordering = ["device_id"]
        constraints = [
            of_choices("kind", SourceKind, "energy_source_kind_known"),
            of_choices("technology", Technology, "energy_source_technology_known"),
            of_choices("evidence", Evidence, "energy_source_evidence_known"),
            models.CheckConstraint(condition=Q(capacity_w__gte=1), name="energy_source_has_power"),
            models.CheckConstraint(
                condition=Q(evidence=Evidence.DECLARED) | Q(verified_by__isnull=False, verified_at__isnull=False),
                name="energy_source_evidence_is_verified",
            ),
            models.CheckConstraint(
                condition=Q(kind=SourceKind.STORAGE, technology=Technology.STORAGE, efficiency_ppm__range=(1, PPM))
                | ~Q(kind=SourceKind.STORAGE) & ~Q(technology=Technology.STORAGE) & Q(efficiency_ppm=None),
                name="energy_source_store_has_an_efficiency",
            ),
        ]
        triggers = [
            references.stays("energy_source_stays"),
            references.keeps(
                "energy_source_keeps_what_it_is", "public_id", "organization", "device_id", "kind", "technology", "zone"
            ),
            outside.SOURCE_VERIFIED_FROM_OUTSIDE,
        ]  # fmt: skip

    @property
    def is_measured(self) -> bool:
        """Whether its output is metered here; of the other kinds a registry's word is all there is."""
        return self.kind in MEASURED_KINDS

    @property
    def backs_claims(self) -> bool:
        """Whether its metered hours become lots that may be used at once."""
        return self.evidence in {Evidence.METERED, Evidence.AUDITED} and not self.certificates_sold

    def __str__(self) -> str:
        return self.device_id


class SourceShare(models.Model):
    """The part of a source's output, as a slice of its million millionths, that serves a point while `valid`.

    Slices of a source never overlap at any instant, so no plant is given away beyond its output; a contract may own
    several slices.
    """

    source = models.ForeignKey(EnergySource, on_delete=models.PROTECT, related_name="shares")
    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, related_name="shares")
    contract_ref = models.CharField(max_length=80, blank=True)
    slice = IntegerRangeField()
    valid = DateTimeRangeField()

    objects = SourceShareQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(slice__contained_by=(0, PPM), slice__isempty=False), name="source_share_of_the_whole"
            ),
            models.CheckConstraint(condition=Q(valid__isempty=False), name="source_share_holds_for_a_while"),
            ExclusionConstraint(
                name="source_share_given_once",
                expressions=[
                    same_id("source"), ("slice", RangeOperators.OVERLAPS), ("valid", RangeOperators.OVERLAPS)
                ],
            ),
        ]  # fmt: skip
        triggers = [
            references.stays("source_share_stays"),
            references.keeps("source_share_keeps_its_slice", "source", "point", "slice"),
        ]

    @property
    def ppm(self) -> int:
        """The width of the slice."""
        return int(self.slice.upper - self.slice.lower)

    def __str__(self) -> str:
        return f"{self.source_id} {self.slice}"


class ShareHour(models.Model):
    """How much of a share's output in one hour is promised, in millionths: the sum of its promises, never over all."""

    share = models.ForeignKey(SourceShare, on_delete=models.PROTECT, related_name="hours", db_index=False)
    start = models.DateTimeField()
    promised_ppm = models.IntegerField(default=0, editable=False)  # by the database

    class Meta:
        ordering = ["share", "start"]
        constraints = [
            models.UniqueConstraint(fields=["share", "start"], name="share_hour_once"),
            models.CheckConstraint(condition=OnTheHour("start"), name="share_hour_starts_on_the_hour"),
            models.CheckConstraint(condition=Q(promised_ppm__range=(0, PPM)), name="share_hour_never_oversold"),
        ]
        triggers = [
            references.stays("share_hour_stays"),
            references.keeps("share_hour_keeps_its_place", "share", "start"),
            begins_at_nothing("share_hour_begins_free", "promised_ppm", what="'only promises take a share'"),
            counted_by_rows("share_hour_by_promises", "promised_ppm", what="'only promises take a share'"),
        ]

    def __str__(self) -> str:
        return f"{self.share_id} {self.start:%Y-%m-%dT%H}"


class GenerationQuality(models.TextChoices):
    """What an hour of generation is: a meter's reading, or what such a plant usually makes."""

    METERED = "metered"
    PROFILE = "profile"


class GenerationHour(models.Model):
    """What a source made in one hour, in Wh, and how much of it has become certificates or on-site records."""

    source = models.ForeignKey(EnergySource, on_delete=models.PROTECT, related_name="hours", db_index=False)
    start = models.DateTimeField()
    quality = models.CharField(max_length=8, choices=GenerationQuality.choices)
    wh = models.BigIntegerField()
    claimed_wh = models.BigIntegerField(default=0)

    objects = GenerationHourQuerySet.as_manager()

    class Meta:
        ordering = ["source", "start"]
        constraints = [
            models.UniqueConstraint(fields=["source", "start"], name="generation_hour_once"),
            models.CheckConstraint(condition=OnTheHour("start"), name="generation_hour_starts_on_the_hour"),
            models.CheckConstraint(
                condition=Q(claimed_wh__gte=0, claimed_wh__lte=F("wh")), name="generation_claimed_within_output"
            ),
            models.CheckConstraint(
                condition=Q(quality=GenerationQuality.METERED) | Q(claimed_wh=0), name="generation_metered_backs_claims"
            ),
            of_choices("quality", GenerationQuality, "generation_hour_quality_known"),
        ]
        triggers = [
            references.stays("generation_hour_stays"),
            pgtrigger.Protect(
                name="generation_hour_keeps_its_reading", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("source", "start", "quality", "wh"),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.source_id} {self.start:%Y-%m-%dT%H}"
