"""A buyer's objection to one charge."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.booking.models.charges import ChargeLine, ServiceCredit
from marketplace.booking.querysets import UsageDisputeQuerySet
from marketplace.booking.states import USAGE_DISPUTE
from marketplace.common import references
from marketplace.common.ids import PublicIdField

REASONS = ("not_delivered", "wrong_quantity", "poor_performance", "not_ordered")


class UsageDispute(models.Model):
    """While it is open the charge line it is about does not mature; upheld, it becomes a credit."""

    public_id = PublicIdField("udp")
    line = models.ForeignKey(ChargeLine, on_delete=models.PROTECT, related_name="disputes")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="usage_disputes", db_index=False)
    reason = models.CharField(max_length=20)
    text = models.CharField(max_length=1000, blank=True)
    state = models.CharField(max_length=8, default="open")
    credit = models.OneToOneField(ServiceCredit, on_delete=models.PROTECT, null=True, related_name="dispute")
    decision = models.CharField(max_length=1000, blank=True)
    decided_by = models.CharField(max_length=60, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    objects = UsageDisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            USAGE_DISPUTE.constraint(),
            models.CheckConstraint(condition=Q(reason__in=REASONS), name="usage_dispute_reason_known"),
            models.UniqueConstraint(fields=["line"], name="usage_dispute_once_per_line"),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="usage_dispute_decided_has_its_time",
            ),
        ]
        indexes = [models.Index(fields=["buyer", "-id"], name="usage_dispute_by_buyer")]
        triggers = [
            USAGE_DISPUTE.trigger(),
            references.stays("usage_dispute_stays"),
            references.keeps("usage_dispute_keeps_what_it_says", "line", "buyer", "reason", "text"),
        ]

    def __str__(self) -> str:
        return self.public_id
