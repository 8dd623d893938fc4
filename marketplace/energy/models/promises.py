"""What was promised of green energy to whom, and the shares of sources that are set aside for it."""

from django.db import models
from django.db.models import F, Q

from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.common.units import PPM
from marketplace.energy.models import promiserules as rules
from marketplace.energy.models.points import MeterPoint
from marketplace.energy.models.rules import append_only
from marketplace.energy.models.sources import ShareHour


class GreenPromise(models.Model):
    """So many whole per cent of the energy of `subject` will be matched by the hour; frozen when it was given.

    `credit_rate_ppm` and `cap_ppm` say what a shortfall gives back; `forecasts` what the promise rested on.
    """

    public_id = PublicIdField("gpr")
    subject = models.CharField(max_length=40, unique=True)
    point = models.ForeignKey(MeterPoint, on_delete=models.PROTECT, related_name="promises")
    start = models.DateTimeField()
    end = models.DateTimeField()
    promised_percent = models.PositiveSmallIntegerField()
    credit_rate_ppm = models.PositiveIntegerField(default=PPM)
    cap_ppm = models.PositiveIntegerField(default=300_000)
    forecasts = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="green_promise_has_a_period"),
            models.CheckConstraint(condition=Q(promised_percent__range=(1, 100)), name="green_promise_in_percent"),
            models.CheckConstraint(condition=Q(cap_ppm__lte=PPM), name="green_promise_cap_within_the_charge"),
        ]
        triggers = [append_only("green_promise_is_frozen")]

    def __str__(self) -> str:
        return self.public_id


class PromiseMiss(models.Model):
    """A final receipt that shows less matched energy than was promised, for whoever gives the credit."""

    promise = models.ForeignKey(GreenPromise, on_delete=models.PROTECT, related_name="misses")
    receipt_version = models.PositiveIntegerField()
    matched_wh = models.BigIntegerField()
    used_wh = models.BigIntegerField()
    told_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "promise misses"
        constraints = [
            models.UniqueConstraint(fields=["promise", "receipt_version"], name="promise_miss_once_per_version"),
            models.CheckConstraint(
                condition=Q(matched_wh__gte=0, used_wh__gt=F("matched_wh")), name="promise_miss_lacks_something"
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(answered_at=None), name="promise_miss_to_answer")]
        triggers = [
            references.stays("promise_miss_stays"),
            references.keeps(
                "promise_miss_is_frozen", "promise", "receipt_version", "matched_wh", "used_wh", "told_at"
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.promise_id} {self.receipt_version}"


class PromiseHour(models.Model):
    """The part of a share's output in one hour that is set aside for a promise, in millionths of that output."""

    promise = models.ForeignKey(GreenPromise, on_delete=models.PROTECT, related_name="hours")
    share_hour = models.ForeignKey(ShareHour, on_delete=models.PROTECT, related_name="promises")
    ppm = models.IntegerField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["promise", "share_hour"], name="promise_hour_once"),
            models.CheckConstraint(condition=Q(ppm__range=(1, PPM)), name="promise_hour_takes_a_part"),
        ]
        triggers = [
            references.keeps("promise_hour_is_frozen", "promise", "share_hour", "ppm"),
            rules.HOURS_TAKE, rules.HOURS_GIVE_BACK,
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.promise_id} {self.share_hour_id} {self.ppm}"
