"""Which source serves a zone and how asking it goes; and, apart from the averages, what marginal emissions were."""

from django.db import models
from django.db.models import F, Q

from marketplace.energy.models.grid import GridZone
from marketplace.energy.models.rules import OnTheHour, append_only
from marketplace.energy.querysets import MarginalHourQuerySet, SignalFeedQuerySet


class SignalFeed(models.Model):
    """One zone at one source: what all processes know of how asking it goes. Working state, made from the settings.

    `asked_until` is the end of the hours that were asked for, `known_until` that of the last hour that is known.
    """

    zone = models.ForeignKey(GridZone, on_delete=models.CASCADE, related_name="feeds")
    provider = models.CharField(max_length=24)
    region = models.CharField(max_length=40)
    marginal = models.BooleanField(default=False)
    since = models.DateTimeField()
    asked_until = models.DateTimeField(null=True, blank=True)
    known_until = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)

    objects = SignalFeedQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "provider"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "provider"], name="signal_feed_once_per_zone_and_provider"),
            models.CheckConstraint(
                condition=Q(failures=0, last_error="") | (Q(failures__gt=0) & ~Q(last_error="")),
                name="signal_feed_failure_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(known_until__isnull=True) | Q(known_until__lte=F("asked_until")),
                name="signal_feed_knows_what_it_asked_for",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.provider}"


class MarginalHour(models.Model):
    """What one more kWh would have emitted in one hour, as one source knew it; never mixed with the averages."""

    zone = models.ForeignKey(GridZone, on_delete=models.PROTECT, related_name="marginal_hours")
    start = models.DateTimeField()
    marginal_mg_per_kwh = models.PositiveIntegerField()
    source = models.CharField(max_length=24)
    vintage = models.CharField(max_length=24)
    published_at = models.DateTimeField()

    objects = MarginalHourQuerySet.as_manager()

    class Meta:
        ordering = ["zone", "start"]
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "start", "source", "vintage"], name="marginal_hour_once_per_vintage"
            ),
            models.CheckConstraint(condition=OnTheHour("start"), name="marginal_hour_starts_on_the_hour"),
        ]
        triggers = [append_only("marginal_hour_is_append_only")]

    def __str__(self) -> str:
        return f"{self.zone_id} {self.start:%Y-%m-%dT%H}"
