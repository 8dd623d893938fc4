"""Yearly figures of a zone's grid: for zones of which no hours are known, and the residual mix of those that are."""

from django.db import models
from django.db.models import F, Q

from marketplace.common.units import PPM
from marketplace.energy.models.grid import GridZone
from marketplace.energy.models.rules import append_only
from marketplace.energy.querysets import GridYearQuerySet


class GridYear(models.Model):
    """One year of one zone as one source knew it; a revision is a new vintage, nothing is overwritten.

    The residual mix is what is left when everything that somebody claims by certificates is taken out (GHG Protocol
    Scope 2 Guidance, 2015): its intensity and its renewable share, published together or not at all.
    """

    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="years")
    year = models.PositiveSmallIntegerField()
    direct_mg_per_kwh = models.PositiveIntegerField()
    lifecycle_mg_per_kwh = models.PositiveIntegerField()
    renewable_ppm = models.PositiveIntegerField()
    carbon_free_ppm = models.PositiveIntegerField()
    residual_mg_per_kwh = models.PositiveIntegerField(null=True)
    residual_renewable_ppm = models.PositiveIntegerField(null=True)
    source = models.CharField(max_length=24)
    vintage = models.CharField(max_length=24)
    published_at = models.DateTimeField()

    objects = GridYearQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "year", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "year", "source", "vintage"], name="grid_year_once_per_vintage"),
            models.CheckConstraint(
                condition=Q(renewable_ppm__lte=F("carbon_free_ppm"), carbon_free_ppm__lte=PPM),
                name="grid_year_shares_ordered",
            ),
            models.CheckConstraint(
                condition=Q(residual_mg_per_kwh=None, residual_renewable_ppm=None)
                | Q(residual_mg_per_kwh__isnull=False, residual_renewable_ppm__lte=PPM),
                name="grid_year_residual_mix_whole",
            ),
            models.CheckConstraint(condition=Q(year__range=(1990, 2200)), name="grid_year_of_our_times"),
        ]
        triggers = [append_only("grid_year_is_append_only")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.year}"
