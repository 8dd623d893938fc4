"""What each organization used of a segment lately."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization


class SegmentUse(models.Model):
    """The decayed work of one organization in one segment, as it stood at the end of `day`.

    In 10^12 operations: a PFLOP-hour is 3,600,000. Only `scheduler.fairness` writes it.
    """

    segment = models.CharField(max_length=40)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    day = models.DateField()
    work = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["segment", "-work"]
        constraints = [
            models.UniqueConstraint(fields=["segment", "organization"], name="segment_use_once_per_organization"),
            models.CheckConstraint(condition=Q(work__gte=0), name="segment_use_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.segment} {self.organization_id}"
