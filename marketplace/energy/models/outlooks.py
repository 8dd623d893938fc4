"""What is to be expected of a listing's shares, and what was settled at its point: one row per listing and span."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from marketplace.common.units import PPM
from marketplace.energy.models.points import MeterPoint
from marketplace.energy.models.rules import OnTheHour

BAND = 3  # P10, P50, P90
DAYS = (7, 30)


def a_band() -> "ArrayField[Any, Any]":
    """P10, P50 and P90 of a share in ppm; null where too little is known to say them."""
    return ArrayField(models.IntegerField(), size=BAND, null=True)


def _ordered(name: str) -> Q:
    return Q(**{f"{name}": None}) | Q(
        **{
            f"{name}__len": BAND, f"{name}__0__gte": 0, f"{name}__0__lte": F(f"{name}__1"),
            f"{name}__1__lte": F(f"{name}__2"), f"{name}__2__lte": PPM,
        }
    )  # fmt: skip


class ShareOutlook(models.Model):
    """The shares of a flat load at a listing over its next `days`, made at `origin` and made anew each hour.

    `subject` is the public id of the offer, `load_wh` what all that its point sells would use in an hour. `unproven`:
    plants serve the point, and too little is known of them to say a band of what they match; `history_days` of the best
    known one are known without a gap. The settled figures are those of the point's uses of the last twelve months.
    """

    subject = models.CharField(max_length=40)
    point = models.ForeignKey(MeterPoint, on_delete=models.CASCADE, related_name="+")
    days = models.PositiveSmallIntegerField()
    origin = models.DateTimeField()
    load_wh = models.BigIntegerField()
    matched = a_band()
    blended = a_band()
    grid = a_band()
    paths = models.PositiveSmallIntegerField()
    supplied = models.BooleanField()
    unproven = models.BooleanField()
    history_days = models.PositiveSmallIntegerField()
    settled_ppm = models.PositiveIntegerField(null=True)
    settled_wh = models.BigIntegerField()
    settled_uses = models.PositiveIntegerField()
    sample = models.BooleanField()

    class Meta:
        ordering = ["subject", "days"]
        constraints = [
            models.UniqueConstraint(fields=["subject", "days"], name="share_outlook_once_per_span"),
            models.CheckConstraint(condition=Q(days__in=DAYS), name="share_outlook_span_known"),
            models.CheckConstraint(condition=OnTheHour("origin"), name="share_outlook_origin_on_the_hour"),
            models.CheckConstraint(condition=_ordered("matched"), name="share_outlook_matched_is_a_band"),
            models.CheckConstraint(condition=_ordered("blended"), name="share_outlook_blended_is_a_band"),
            models.CheckConstraint(condition=_ordered("grid"), name="share_outlook_grid_is_a_band"),
            models.CheckConstraint(
                condition=Q(unproven=False) | Q(supplied=True, matched=None, blended=None),
                name="share_outlook_unproven_says_no_band",
            ),
            models.CheckConstraint(
                condition=Q(settled_ppm=None, settled_wh=0) | Q(settled_ppm__lte=PPM, settled_wh__gt=0),
                name="share_outlook_settled_of_something",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.subject} {self.days}"
