"""Top-ups that happen by themselves, when a buyer wants that."""

from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.models.payments import Payment
from marketplace.ledger.querysets import AutoTopupQuerySet


class AutoTopup(models.Model):
    """Below `threshold` a saved card is charged `amount`, at most `daily_cap` a UTC day; in minor units."""

    public_id = PublicIdField("atp")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="auto_topups", db_index=False)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    threshold = models.BigIntegerField()
    amount = models.BigIntegerField()
    daily_cap = models.BigIntegerField()
    card = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+")  # the payment that saved it
    on = models.BooleanField(default=True)
    reason = models.CharField(max_length=80, blank=True)  # why it was switched off; empty: by its owner
    day = models.DateField(null=True)
    charged = models.BigIntegerField(default=0)  # on `day`
    last = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = AutoTopupQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "asset", "livemode"], name="auto_topup_once"),
            models.CheckConstraint(
                condition=Q(threshold__gte=1, amount__gte=1, daily_cap__gte=F("amount")), name="auto_topup_is_possible"
            ),
            models.CheckConstraint(
                condition=Q(charged__gte=0, charged__lte=F("daily_cap")), name="auto_topup_stays_under_its_cap"
            ),
        ]
        triggers = [
            references.stays("auto_topup_stays"),
            references.keeps("auto_topup_keeps_its_owner", "organization", "asset", "livemode"),
        ]

    def __str__(self) -> str:
        return self.public_id
