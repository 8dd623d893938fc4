"""What is held of a wallet."""

import pgtrigger
from django.db import models
from django.db.models import Case, F, Q, Value, When

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.querysets import HoldQuerySet

PURPOSES = ("booking", "refund", "bond", "collateral")
OPEN, CLOSED = "open", "closed"


class Hold(models.Model):
    """A buyer's money that is kept for one subject until it is captured or released; then the hold is closed.

    Its money lies on `buyer_held`, together with that of the organization's other holds.
    """

    public_id = PublicIdField("hld")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="holds", db_index=False)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    purpose = models.CharField(max_length=10)
    subject = models.CharField(max_length=40)  # the public id of what it is for
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    released = models.BigIntegerField(default=0)
    releases = models.PositiveIntegerField(default=0)
    state = models.GeneratedField(
        expression=Case(When(amount=F("captured") + F("released"), then=Value(CLOSED)), default=Value(OPEN)),
        output_field=models.CharField(max_length=6),
        db_persist=True,
    )
    created_at = models.DateTimeField()

    objects = HoldQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(purpose__in=PURPOSES), name="hold_purpose_known"),
            models.CheckConstraint(condition=Q(amount__gte=1), name="hold_is_of_something"),
            models.CheckConstraint(condition=Q(captured__gte=0, released__gte=0), name="hold_parts_not_negative"),
            models.CheckConstraint(
                condition=Q(amount__gte=F("captured") + F("released")), name="hold_never_gives_more_than_it_has"
            ),
            models.UniqueConstraint(
                fields=["purpose", "subject"], condition=Q(amount__gt=F("captured") + F("released")),
                name="hold_open_once_per_subject",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["organization", "-id"], name="hold_by_organization"),
            models.Index(fields=["subject"], name="hold_by_subject"),
            models.Index(fields=["subject"], condition=Q(state=OPEN), name="hold_open_by_subject"),
        ]
        triggers = [
            references.stays("hold_stays"),
            pgtrigger.Protect(
                name="hold_keeps_its_terms", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("organization", "asset", "livemode", "purpose", "subject", "amount"),
            ),
            pgtrigger.Protect(
                name="hold_takes_nothing_back", operation=pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.captured < OLD.captured OR NEW.released < OLD.released"),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id

    @property
    def rest(self) -> int:
        """What is neither captured nor released yet, in minor units."""
        return self.amount - self.captured - self.released
