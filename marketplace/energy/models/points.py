"""Where energy is used: metering points, what they measured, and who used it, hour by hour."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.units import PPM
from marketplace.energy.models.grid import GridZone
from marketplace.energy.models.rules import OnTheHour, begins_at_nothing, counted_by_rows, of_choices
from marketplace.energy.querysets import PointHourQuerySet, UseHourQuerySet


class MeterPoint(models.Model):
    """A place where electricity enters a site: what its machines use is settled here.

    `pue_design_ppm` is the overhead that holds for hours without a meter's word; `water_ml_per_kwh` (WUE, ISO/IEC
    30134-9) is null where water is not metered.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="meter_points")
    code = models.CharField(max_length=60, unique=True)
    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="meter_points")
    pue_design_ppm = models.PositiveIntegerField()
    water_ml_per_kwh = models.PositiveIntegerField(null=True, blank=True)
    hub_node = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(pue_design_ppm__gte=PPM), name="meter_point_pue_at_least_one"),
        ]
        triggers = [
            references.stays("meter_point_stays"),
            references.keeps("meter_point_keeps_its_zone", "zone", "organization"),
        ]

    def __str__(self) -> str:
        return self.code


class HourMethod(models.TextChoices):
    """Where the energy of a point's hour comes from."""

    METERED = "metered"
    MODELLED = "modelled"


class PueMethod(models.TextChoices):
    """Whether the overhead was measured for that hour or is a yearly figure."""

    HOURLY = "hourly"
    ANNUAL = "annual"


class PointHour(models.Model):
    """What a point's meters said of one hour, in Wh: of the machines, of everything, and how much of it has users."""

    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, related_name="hours", db_index=False)
    start = models.DateTimeField()
    it_wh = models.BigIntegerField()
    total_wh = models.BigIntegerField()
    attributed_wh = models.BigIntegerField(default=0)
    method = models.CharField(max_length=8, choices=HourMethod.choices)
    pue_method = models.CharField(max_length=6, choices=PueMethod.choices)

    objects = PointHourQuerySet.as_manager()

    class Meta:
        ordering = ["point", "start"]
        constraints = [
            models.UniqueConstraint(fields=["point", "start"], name="point_hour_once"),
            models.CheckConstraint(condition=OnTheHour("start"), name="point_hour_starts_on_the_hour"),
            models.CheckConstraint(condition=Q(it_wh__gte=0, it_wh__lte=F("total_wh")), name="point_hour_it_in_total"),
            models.CheckConstraint(
                condition=Q(attributed_wh__gte=0, attributed_wh__lte=F("total_wh")), name="point_hour_given_out_once"
            ),
            of_choices("method", HourMethod, "point_hour_method_known"),
            of_choices("pue_method", PueMethod, "point_hour_pue_method_known"),
        ]
        triggers = [
            references.stays("point_hour_stays"),
            references.keeps(
                "point_hour_keeps_its_reading", "point", "start", "it_wh", "total_wh", "method", "pue_method"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.point_id} {self.start:%Y-%m-%dT%H}"


class UseMethod(models.TextChoices):
    """How the energy of a use is known, from best to worst."""

    METERED_SITE = "metered_site"
    METERED_NODE = "metered_node"
    METERED_DEVICE = "metered_device"
    MODELLED_UTILISATION = "modelled_utilisation"
    MODELLED_FULL = "modelled_full"


MEASURED = frozenset({UseMethod.METERED_SITE, UseMethod.METERED_NODE, UseMethod.METERED_DEVICE})


class UseHour(models.Model):
    """What one buyer's work used at a point in one hour, in Wh, and what of it was matched.

    `subject` is the public id of the reservation or job that it is settled under. Until `settled_at` more use of the
    hour is added and `site_wh` is an estimate; afterwards neither changes. `matched_wh` counts the live match lines of
    hourly energy, `volume_wh` those of energy that is certified by the day, month or year.
    """

    subject = models.CharField(max_length=40)
    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, related_name="uses", db_index=False)
    start = models.DateTimeField()
    it_wh = models.BigIntegerField()
    site_wh = models.BigIntegerField()
    matched_wh = models.BigIntegerField(default=0, editable=False)  # by the database
    volume_wh = models.BigIntegerField(default=0, editable=False)  # by the database
    unit_seconds = models.BigIntegerField(default=0)
    method = models.CharField(max_length=20, choices=UseMethod.choices)
    settled_at = models.DateTimeField(null=True)

    objects = UseHourQuerySet.as_manager()

    class Meta:
        ordering = ["subject", "start"]
        constraints = [
            models.UniqueConstraint(fields=["subject", "point", "start"], name="use_hour_once"),
            models.CheckConstraint(condition=OnTheHour("start"), name="use_hour_starts_on_the_hour"),
            models.CheckConstraint(condition=Q(it_wh__gte=0, it_wh__lte=F("site_wh")), name="use_hour_it_in_site"),
            models.CheckConstraint(
                condition=Q(matched_wh__gte=0, volume_wh__gte=0, site_wh__gte=F("matched_wh") + F("volume_wh")),
                name="use_hour_matched_within_use",
            ),
            models.CheckConstraint(condition=Q(unit_seconds__gte=0), name="use_hour_seconds_not_negative"),
            of_choices("method", UseMethod, "use_hour_method_known"),
        ]
        indexes = [
            models.Index(fields=["start", "point"], condition=Q(settled_at=None), name="use_hour_to_settle"),
            models.Index(fields=["point", "start"], name="use_hour_by_point"),
        ]
        triggers = [
            references.stays("use_hour_stays"),
            references.keeps("use_hour_keeps_its_place", "subject", "point", "start"),
            pgtrigger.Protect(
                name="use_hour_settled_is_frozen", operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.settled_at IS NOT NULL AND (NEW.it_wh, NEW.site_wh, NEW.unit_seconds, NEW.method, "
                    "NEW.settled_at) IS DISTINCT FROM "
                    "(OLD.it_wh, OLD.site_wh, OLD.unit_seconds, OLD.method, OLD.settled_at)"
                ),
            ),
            begins_at_nothing(
                "use_hour_begins_unmatched", "matched_wh", "volume_wh", what="'only match lines match a use'"
            ),
            counted_by_rows(
                "use_hour_matched_by_lines", "matched_wh", "volume_wh", what="'only match lines match a use'"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.subject} {self.start:%Y-%m-%dT%H}"
