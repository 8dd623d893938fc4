"""Grid zones and what was known of their electricity, hour by hour."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from marketplace.common.units import PPM
from marketplace.energy.querysets import GridHourQuerySet


class GridZone(models.Model):
    """A zone whose hourly carbon intensity and renewable share are known."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2)
    timezone = models.CharField(max_length=40, default="UTC")
    sample = models.BooleanField(default=False)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class GridHour(models.Model):
    """One hour of one zone as one source knew it; a revision is a new vintage, nothing is overwritten."""

    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="hours")
    start = models.DateTimeField()
    direct_mg_per_kwh = models.PositiveIntegerField()
    lifecycle_mg_per_kwh = models.PositiveIntegerField()
    residual_mg_per_kwh = models.PositiveIntegerField(null=True)
    renewable_ppm = models.PositiveIntegerField()
    carbon_free_ppm = models.PositiveIntegerField()
    source = models.CharField(max_length=24)
    vintage = models.CharField(max_length=24)
    estimated = models.BooleanField(default=False)
    published_at = models.DateTimeField()

    objects = GridHourQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "start"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "start", "source", "vintage"], name="grid_hour_once_per_vintage"),
            models.CheckConstraint(
                condition=Q(renewable_ppm__lte=F("carbon_free_ppm"), carbon_free_ppm__lte=PPM),
                name="grid_hour_shares_ordered",
            ),
        ]
        triggers = [pgtrigger.Protect(name="grid_hour_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.start:%Y-%m-%dT%H}"
