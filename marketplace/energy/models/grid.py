"""Grid zones and what was known of their electricity, hour by hour."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from marketplace.common.units import PPM
from marketplace.energy.models.rules import OnTheHour, append_only
from marketplace.energy.querysets import GridForecastQuerySet, GridHourQuerySet


class GridZone(models.Model):
    """A zone whose hourly carbon intensity and renewable share are known."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2)
    market_boundary = models.CharField(max_length=80, blank=True)
    timezone = models.CharField(max_length=40, default="UTC")
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    sample = models.BooleanField(default=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(latitude__range=(-90, 90), longitude__range=(-180, 180))
                | Q(latitude__isnull=True, longitude__isnull=True),
                name="grid_zone_is_on_earth",
            ),
        ]

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
            models.CheckConstraint(condition=OnTheHour("start"), name="grid_hour_starts_on_the_hour"),
        ]
        triggers = [append_only("grid_hour_is_append_only")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.start:%Y-%m-%dT%H}"


class ForecastSignal(models.TextChoices):
    """The signals that are forecast: shares in ppm, intensities in mg/kWh."""

    RENEWABLE = "renewable"
    CARBON_FREE = "carbon_free"
    LIFECYCLE = "lifecycle"
    DIRECT = "direct"


SIGNAL_COLUMNS = {  # of GridHour
    ForecastSignal.RENEWABLE: "renewable_ppm",
    ForecastSignal.CARBON_FREE: "carbon_free_ppm",
    ForecastSignal.LIFECYCLE: "lifecycle_mg_per_kwh",
    ForecastSignal.DIRECT: "direct_mg_per_kwh",
}


class GridForecast(models.Model):
    """What one method expected of one signal at `origin`: hour n of an array is the hour `origin + n`."""

    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="forecasts")
    signal = models.CharField(max_length=12, choices=ForecastSignal.choices)
    origin = models.DateTimeField()
    method = models.CharField(max_length=24)
    vintage = models.CharField(max_length=50)
    p10 = ArrayField(models.BigIntegerField())
    p50 = ArrayField(models.BigIntegerField())
    p90 = ArrayField(models.BigIntegerField())

    objects = GridForecastQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "signal", "origin"]
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "signal", "origin", "method", "vintage"], name="grid_forecast_once_per_vintage"
            ),
            models.CheckConstraint(condition=Q(signal__in=ForecastSignal.values), name="grid_forecast_signal_known"),
            models.CheckConstraint(condition=OnTheHour("origin"), name="grid_forecast_starts_on_the_hour"),
            models.CheckConstraint(
                condition=Q(p10__len=F("p50__len"), p90__len=F("p50__len"), p50__len__gt=0),
                name="grid_forecast_arrays_alike",
            ),
        ]
        triggers = [append_only("grid_forecast_is_append_only")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.signal} {self.origin:%Y-%m-%dT%H}"
