"""What the sandbox processor remembers. It stands outside the market: nothing of ours refers to its rows but by their
public ids, and a `status` has the words of the processor that it imitates, not states of ours.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from marketplace.common.ids import PublicIdField

SESSIONS = ("open", "complete", "expired")
PAYMENTS = ("requires_payment_method", "requires_action", "processing", "succeeded")
REFUNDS = ("succeeded", "failed")
DISPUTES = ("warning_needs_response", "warning_closed", "needs_response", "won", "lost")
PAYOUTS = ("in_transit", "paid", "failed")
MOVES = (
    "charge", "refund", "refund_failure", "transfer", "transfer_reversal", "dispute", "dispute_reversal", "payout",
    "payout_reversal",
)  # fmt: skip


def by_metadata(name: str) -> GinIndex:
    """Things are found by the key that stands in their metadata."""
    return GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name=name)


class SandboxPayment(models.Model):
    """A PaymentIntent and its one charge. At `due_at` the slow ones succeed and some that succeeded are disputed."""

    public_id = PublicIdField("pi")
    charge = PublicIdField("ch")
    metadata = models.JSONField(default=dict)
    asset = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    captured = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    status = models.CharField(max_length=30, default="requires_payment_method")
    outcome = models.CharField(max_length=20, default="")
    reason = models.CharField(max_length=60, default="")
    customer = models.CharField(max_length=40, default="")
    method = models.CharField(max_length=40, default="")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            by_metadata("sandbox_payment_by_metadata"),
            models.Index(fields=["due_at"], name="sandbox_payment_due", condition=Q(due_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=PAYMENTS), name="sandbox_payment_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_payment_positive"),
            models.CheckConstraint(
                condition=Q(captured=F("amount"), status="succeeded") | (Q(captured=0) & ~Q(status="succeeded")),
                name="sandbox_payment_captured_as_it_stands",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("captured")), name="sandbox_payment_refunds_fit"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxSession(models.Model):
    """A checkout page; its payment is made when somebody first pays."""

    public_id = PublicIdField("cs_test")
    payment = models.OneToOneField(SandboxPayment, on_delete=models.PROTECT, null=True, related_name="session")
    metadata = models.JSONField(default=dict)
    payment_metadata = models.JSONField(default=dict)
    asset = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    reference = models.CharField(max_length=200, default="")
    saves = models.BooleanField(default=False)
    success_url = models.TextField()
    cancel_url = models.TextField()
    status = models.CharField(max_length=20, default="open")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [
            by_metadata("sandbox_session_by_metadata"),
            models.Index(fields=["expires_at"], name="sandbox_session_open", condition=Q(status="open")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=SESSIONS), name="sandbox_session_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_session_positive"),
            models.CheckConstraint(
                condition=~Q(status="complete") | Q(payment__isnull=False), name="sandbox_session_complete_by_a_payment"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxMethod(models.Model):
    """A saved way to pay; it goes on as the checkout did on which it was saved."""

    public_id = PublicIdField("pm")
    customer = models.CharField(max_length=40)
    outcome = models.CharField(max_length=20)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.public_id


class SandboxRefund(models.Model):
    """Money sent back to the card; one with `fails_at` comes back from the bank then."""

    public_id = PublicIdField("re")
    payment = models.ForeignKey(SandboxPayment, on_delete=models.PROTECT, related_name="refunds")
    metadata = models.JSONField(default=dict)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=20, default="succeeded")
    reason = models.CharField(max_length=60, default="")
    created_at = models.DateTimeField()
    fails_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [by_metadata("sandbox_refund_by_metadata")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=REFUNDS), name="sandbox_refund_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_refund_positive"),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxPayee(models.Model):
    """A connected account. `link` opens its page until `link_until`, for whoever has it."""

    public_id = PublicIdField("acct")
    metadata = models.JSONField(default=dict)
    country = models.CharField(max_length=2)
    email = models.CharField(max_length=254)
    submitted = models.BooleanField(default=False)
    enabled = models.BooleanField(default=False)
    missing = ArrayField(models.CharField(max_length=80), default=list)
    link = models.CharField(max_length=40, default="")
    link_until = models.DateTimeField(null=True)
    return_url = models.TextField(default="")
    refresh_url = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [by_metadata("sandbox_payee_by_metadata")]
        constraints = [
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(submitted=True, missing=[]), name="sandbox_payee_enabled_when_known"
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxTransfer(models.Model):
    """Money moved to a payee."""

    public_id = PublicIdField("tr")
    payee = models.ForeignKey(SandboxPayee, on_delete=models.PROTECT, related_name="transfers")
    metadata = models.JSONField(default=dict)
    group = models.CharField(max_length=200, default="", db_index=True)
    asset = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    reversed = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [by_metadata("sandbox_transfer_by_metadata")]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_transfer_positive"),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=F("amount")), name="sandbox_transfer_reversals_fit"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxReversal(models.Model):
    """A part of a transfer taken back."""

    public_id = PublicIdField("trr")
    transfer = models.ForeignKey(SandboxTransfer, on_delete=models.PROTECT, related_name="reversals")
    metadata = models.JSONField(default=dict)
    amount = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [by_metadata("sandbox_reversal_by_metadata")]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_reversal_positive")]

    def __str__(self) -> str:
        return self.public_id


class SandboxDispute(models.Model):
    """A card holder's objection; an inquiry is one that has moved nothing yet."""

    public_id = PublicIdField("du")
    payment = models.ForeignKey(SandboxPayment, on_delete=models.PROTECT, related_name="disputes")
    amount = models.BigIntegerField()
    status = models.CharField(max_length=30)
    reason = models.CharField(max_length=40)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=DISPUTES), name="sandbox_dispute_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_dispute_positive"),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxPayout(models.Model):
    """Money sent to the operator's own bank."""

    public_id = PublicIdField("po")
    asset = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=20, default="in_transit")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=PAYOUTS), name="sandbox_payout_status_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="sandbox_payout_positive"),
        ]

    def __str__(self) -> str:
        return self.public_id


class SandboxMove(models.Model):
    """A balance transaction; `source` is the id of the charge, refund, transfer, reversal, dispute or payout."""

    public_id = PublicIdField("txn")
    kind = models.CharField(max_length=20)
    source = models.CharField(max_length=40, db_index=True)
    asset = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    net = models.BigIntegerField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["source", "kind"], name="sandbox_move_once"),
            models.CheckConstraint(condition=Q(kind__in=MOVES), name="sandbox_move_kind_known"),
            models.CheckConstraint(condition=Q(net=F("amount") - F("fee")), name="sandbox_move_net_is_right"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.net} {self.asset}"


class SandboxRequest(models.Model):
    """What was answered to an idempotency key, to answer the same again."""

    key = models.CharField(max_length=255, unique=True)
    fingerprint = models.CharField(max_length=64)
    http_status = models.SmallIntegerField()
    answer = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.key


class SandboxEvent(models.Model):
    """Something that happened, with the thing as it stood then."""

    public_id = PublicIdField("evt")
    type = models.CharField(max_length=60)
    subject = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.type


class SandboxDelivery(models.Model):
    """A webhook to send at `due_at`. A faulty sandbox has two for one event, or none."""

    event = models.ForeignKey(SandboxEvent, on_delete=models.PROTECT, related_name="deliveries")
    due_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    answered = models.PositiveSmallIntegerField(default=0)  # the HTTP status of the last try; 0: no answer
    done_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="sandbox_delivery_due",
                condition=Q(done_at__isnull=True, given_up_at__isnull=True),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at__isnull=True) | Q(given_up_at__isnull=True), name="sandbox_delivery_ends_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.due_at:%Y-%m-%d %H:%M:%S}"
