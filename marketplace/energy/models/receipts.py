"""Green receipts, version by version, and the keys that signed them."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.energy.models.rules import append_only, of_choices
from marketplace.energy.querysets import GreenReceiptQuerySet


class ReceiptStatus(models.TextChoices):
    """Whether anything of a receipt may still change by itself."""

    PROVISIONAL = "provisional"
    FINAL = "final"


class ReceiptKey(models.Model):
    """A public key that receipts were signed with; it stays published for as long as there are receipts."""

    kid = models.CharField(max_length=43, unique=True)
    public_key = models.CharField(max_length=43)  # base64url of the 32 bytes
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        triggers = [append_only("receipt_key_stays_published")]

    def __str__(self) -> str:
        return self.kid


class GreenReceipt(models.Model):
    """One version of what a reservation or job used and what of it was renewable: signed, chained to the one before.

    All versions of a subject's receipt bear one `public_id`. `buyer`, `providers` (public ids) and the period stand in
    the payload too: here they are found by.
    """

    public_id = models.CharField(max_length=40)
    subject = models.CharField(max_length=40)
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="green_receipts", db_index=False)
    providers = ArrayField(models.CharField(max_length=40))
    start = models.DateTimeField()
    end = models.DateTimeField()
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=ReceiptStatus.choices)
    payload = models.JSONField()
    sha256 = models.CharField(max_length=64, unique=True)
    prev_sha256 = models.CharField(max_length=64, null=True, unique=True)
    jws = models.TextField()
    kid = models.CharField(max_length=43)
    sample = models.BooleanField(default=False)
    issued_at = models.DateTimeField()

    objects = GreenReceiptQuerySet.as_manager()

    class Meta:
        ordering = ["subject", "version"]
        constraints = [
            models.UniqueConstraint(fields=["subject", "version"], name="green_receipt_version_once"),
            models.UniqueConstraint(fields=["public_id", "version"], name="green_receipt_id_of_one_subject"),
            models.CheckConstraint(
                condition=Q(version=1, prev_sha256=None) | Q(version__gt=1, prev_sha256__isnull=False),
                name="green_receipt_is_chained",
            ),
            models.CheckConstraint(condition=Q(end__gte=F("start")), name="green_receipt_has_a_period"),
            of_choices("status", ReceiptStatus, "green_receipt_status_known"),
        ]
        indexes = [
            models.Index(fields=["buyer", "-end", "-public_id"], name="green_receipt_by_buyer"),
            GinIndex(fields=["providers"], name="green_receipt_by_provider"),
        ]
        triggers = [append_only("green_receipt_is_append_only")]

    def __str__(self) -> str:
        return f"{self.public_id} {self.version}"


class Step(models.TextChoices):
    """What comes next for the receipt of a subject."""

    PROVISIONAL = "provisional"
    SETTLED = "settled"
    FINAL = "final"
    DONE = "done"


class ReceiptStep(models.Model):
    """The queue of receipts: what comes next for a subject that used energy, and when; null until its work ended."""

    subject = models.CharField(max_length=40, unique=True)
    step = models.CharField(max_length=12, choices=Step.choices, default=Step.PROVISIONAL)
    due_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            of_choices("step", Step, "receipt_step_known"),
            models.CheckConstraint(
                condition=Q(step__in=(Step.PROVISIONAL, Step.DONE)) | Q(due_at__isnull=False),
                name="receipt_step_is_due",
            ),
        ]
        indexes = [models.Index(fields=["due_at"], condition=~Q(step=Step.DONE), name="receipt_step_by_time")]

    def __str__(self) -> str:
        return f"{self.subject} {self.step}"
