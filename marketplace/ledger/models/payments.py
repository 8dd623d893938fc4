"""Money that comes in by a processor, goes back to the card that paid, or is disputed by its holder."""

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.events.outbox import OutboxQuerySet, OutboxRow
from marketplace.ledger.models.holds import Hold
from marketplace.ledger.querysets import CardDisputeQuerySet, PaymentQuerySet, RefundQuerySet
from marketplace.ledger.states import CARD_DISPUTE, PAYMENT, REFUND

OPS = ("create_topup", "charge_saved", "create_refund", "create_payee", "create_transfer", "reverse_transfer")


class GatewayCall(OutboxRow):
    """One call to a processor; its key makes the processor do it once, however often it is made."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    gateway = models.CharField(max_length=20)
    op = models.CharField(max_length=20)
    params = models.JSONField()
    subject = models.CharField(max_length=40)  # the public id of the row that asks for it

    objects = OutboxQuerySet["GatewayCall"].as_manager()

    class Meta(OutboxRow.Meta):
        ordering = ["pk"]
        constraints = [
            *OutboxRow.Meta.constraints,
            models.CheckConstraint(condition=Q(op__in=OPS), name="gatewaycall_op_known"),
        ]
        indexes = [*OutboxRow.Meta.indexes, models.Index(fields=["subject"], name="gatewaycall_by_subject")]
        triggers = [
            references.stays("gateway_call_stays"),
            references.keeps("gateway_call_keeps_what_it_asks", "uuid", "gateway", "op", "params", "subject"),
        ]

    def __str__(self) -> str:
        return f"{self.op} {self.subject}"

    @property
    def key(self) -> str:
        """The idempotency key, which also stands in what the call made."""
        return f"jm_{self.uuid}"


class Payment(models.Model):
    """A top-up of a wallet by card. The wallet is credited only by what the processor says when it is asked."""

    public_id = PublicIdField("pay")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payments", db_index=False)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    gateway = models.CharField(max_length=20)
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)  # what has gone back, and what is on its way
    state = models.CharField(max_length=10, default="new")
    reason = models.CharField(max_length=80, blank=True)
    session = models.CharField(max_length=255, null=True, unique=True)
    intent = models.CharField(max_length=255, null=True, unique=True)
    url = models.CharField(max_length=2000, blank=True)
    method = models.CharField(max_length=255, blank=True)
    automatic = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            PAYMENT.constraint(),
            models.CheckConstraint(condition=Q(amount__gte=1), name="payment_is_of_something"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("captured")), name="payment_refunds_what_was_captured"
            ),
            models.CheckConstraint(
                condition=Q(captured=0) | Q(state="succeeded", intent__isnull=False), name="payment_captured_succeeded"
            ),
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="payment_by_organization")]
        triggers = [
            PAYMENT.trigger(),
            references.stays("payment_stays"),
            references.keeps("payment_keeps_its_terms", "organization", "asset", "livemode", "gateway", "amount"),
            pgtrigger.Protect(
                name="payment_is_captured_once", operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.captured <> 0 AND NEW.captured <> OLD.captured"),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id


class Refund(models.Model):
    """Money on its way back to the card that paid."""

    public_id = PublicIdField("rfd")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    hold = models.OneToOneField(Hold, on_delete=models.PROTECT, related_name="refund")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, default="new")
    reason = models.CharField(max_length=80, blank=True)
    reference = models.CharField(max_length=255, null=True, unique=True)  # the processor's id of it
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = RefundQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            REFUND.constraint(),
            models.CheckConstraint(condition=Q(amount__gte=1), name="refund_is_of_something"),
        ]
        triggers = [
            REFUND.trigger(),
            references.stays("refund_stays"),
            references.keeps("refund_keeps_its_terms", "payment", "hold", "amount"),
        ]

    def __str__(self) -> str:
        return self.public_id


class CardDispute(models.Model):
    """A card holder's objection to a payment; while it is open, as much as it is about is frozen, if it is there."""

    public_id = PublicIdField("dsp")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    reference = models.CharField(max_length=255, unique=True)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=80, blank=True)
    moved = models.BigIntegerField(default=0)  # what the processor took
    frozen = models.BigIntegerField(default=0)
    freezes = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = CardDisputeQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            CARD_DISPUTE.constraint(),
            models.CheckConstraint(
                condition=Q(amount__gte=1, moved__gte=0, frozen__gte=0, frozen__lte=F("amount")),
                name="card_dispute_freezes_no_more_than_it_is_about",
            ),
        ]
        triggers = [
            CARD_DISPUTE.trigger(),
            references.stays("card_dispute_stays"),
            references.keeps("card_dispute_keeps_its_terms", "payment", "reference"),
        ]

    def __str__(self) -> str:
        return self.public_id


class WebhookReceipt(models.Model):
    """A message of a processor that was verified: kept once, applied by fetching what it is about."""

    gateway = models.CharField(max_length=20)
    event = models.CharField(max_length=255)
    type = models.CharField(max_length=80)
    subject = models.CharField(max_length=20, blank=True)
    object_id = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    error = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["gateway", "event"], name="webhook_received_once")]
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(applied_at=None), name="webhook_to_apply"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"


class GatewayStop(models.Model):
    """The outbox of a processor stands still, for this reason, until an operator starts it again."""

    gateway = models.CharField(max_length=20, unique=True)
    reason = models.CharField(max_length=400)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.gateway}: {self.reason}"
