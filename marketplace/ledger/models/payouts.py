"""Providers as payees, and what is paid out to them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.models.books import Entry
from marketplace.ledger.querysets import PayeeQuerySet, PayoutQuerySet
from marketplace.ledger.states import PAYOUT


class Payee(models.Model):
    """A provider's account at the processor; it is paid once the processor knows enough of it."""

    public_id = PublicIdField("pye")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payees", db_index=False)
    gateway = models.CharField(max_length=20)
    livemode = models.BooleanField()
    account = models.CharField(max_length=255, null=True, unique=True)
    enabled = models.BooleanField(default=False)
    submitted = models.BooleanField(default=False)
    missing = ArrayField(models.CharField(max_length=120), default=list)
    created_at = models.DateTimeField()

    objects = PayeeQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "gateway", "livemode"], name="payee_once"),
            models.CheckConstraint(condition=Q(enabled=False) | Q(account__isnull=False), name="payee_paid_is_known"),
        ]
        triggers = [
            references.stays("payee_stays"),
            references.keeps("payee_keeps_its_owner", "organization", "gateway", "livemode"),
        ]

    def __str__(self) -> str:
        return self.public_id


class Payout(models.Model):
    """One day's transfer to a provider, less what it owed (`netted`)."""

    public_id = PublicIdField("pot")
    provider = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payouts", db_index=False)
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="payouts")
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    date = models.DateField()
    amount = models.BigIntegerField()
    netted = models.BigIntegerField(default=0)
    state = models.CharField(max_length=10, default="due")
    tries = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    transfer = models.CharField(max_length=255, null=True, unique=True)
    reversed = models.BigIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)

    objects = PayoutQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            PAYOUT.constraint(),
            models.UniqueConstraint(fields=["provider", "asset", "livemode", "date"], name="payout_once_a_day"),
            models.CheckConstraint(condition=Q(amount__gte=1, netted__gte=0), name="payout_is_of_something"),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=models.F("amount")), name="payout_reversed_is_of_it"
            ),
        ]
        triggers = [
            PAYOUT.trigger(),
            references.stays("payout_stays"),
            references.keeps("payout_keeps_its_terms", "provider", "payee", "asset", "livemode", "date", "amount"),
        ]

    def __str__(self) -> str:
        return self.public_id


class PayLine(models.Model):
    """What one matured charge line brought to a payout; each is on one payout at most."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="lines")
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="pay_line")
    amount = models.BigIntegerField()

    class Meta:
        ordering = ["pk"]
        triggers = [
            references.stays("pay_line_stays"),
            references.keeps("pay_line_is_frozen", "payout", "entry", "amount"),
        ]

    def __str__(self) -> str:
        return f"{self.payout_id} {self.amount}"
