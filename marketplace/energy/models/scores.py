"""How good the forecasts turned out to be, day by day."""

from django.db import models
from django.db.models import Q

from marketplace.common.units import PPM
from marketplace.energy.models.grid import ForecastSignal, GridZone
from marketplace.energy.models.rules import append_only
from marketplace.energy.querysets import ForecastScoreQuerySet


class ForecastScore(models.Model):
    """How far off one zone's stored forecasts were on one UTC day, each taken at most 24 hours ahead.

    An hour of the day counts once for every forecast that foresaw it so; `hours` counts them all. `mae` and `naive_mae`
    (of saying that the hour will be as yesterday) are mean absolute errors over the same hours, in the signal's unit;
    `inside_ppm` is the part that fell between P10 and P90.
    """

    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="forecast_scores")
    signal = models.CharField(max_length=12, choices=ForecastSignal.choices)
    day = models.DateField()
    method = models.CharField(max_length=24)
    mae = models.PositiveIntegerField()
    naive_mae = models.PositiveIntegerField()
    inside_ppm = models.PositiveIntegerField()
    hours = models.PositiveIntegerField()

    objects = ForecastScoreQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "signal", "day"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "signal", "day", "method"], name="forecast_score_once_per_day"),
            models.CheckConstraint(condition=Q(signal__in=ForecastSignal.values), name="forecast_score_signal_known"),
            models.CheckConstraint(condition=Q(inside_ppm__lte=PPM), name="forecast_score_inside_is_a_share"),
            models.CheckConstraint(condition=Q(hours__gt=0), name="forecast_score_of_some_hours"),
        ]
        triggers = [append_only("forecast_score_is_append_only")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.signal} {self.day}"
