"""What is charged for metered use, what is given back for what went wrong, and how a job's money ended."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.booking.models.promises import Contract
from marketplace.booking.querysets import ChargeLineQuerySet, ServiceCreditQuerySet
from marketplace.common import references
from marketplace.common.exclusion import same_id, same_text
from marketplace.common.ids import PublicIdField

UNIT_SECOND = "unit_second"
METERS = (UNIT_SECOND,)
CREDIT_KINDS = ("interruption", "usage_dispute", "green", "goodwill")


class ChargeLine(models.Model):
    """What one piece of use under a contract was charged: the n-th line of a meter, in minor units.

    `charge_minor` is without tax and is shared by the market and the provider. The provider's part waits on
    `provider_pending`, `pending_left` of it, until the line matures; credits take from it first.
    """

    public_id = PublicIdField("chl")
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="charge_lines", db_index=False)
    meter = models.CharField(max_length=20, default=UNIT_SECOND)
    seq = models.PositiveIntegerField()
    attempt = models.CharField(max_length=40, blank=True)  # empty: promised time that was left unused
    idle = models.BooleanField(default=False)
    during = DateTimeRangeField()
    quantity = models.BigIntegerField()  # of the meter
    charge_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    provider_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    livemode = models.BooleanField()
    pending_left = models.BigIntegerField()
    matures_at = models.DateTimeField()
    matured_at = models.DateTimeField(null=True)
    frozen = models.BooleanField(default=False)  # while its buyer disputes it
    created_at = models.DateTimeField()

    objects = ChargeLineQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["contract", "meter", "seq"], name="charge_line_once"),
            models.CheckConstraint(condition=Q(meter__in=METERS), name="charge_line_meter_known"),
            models.CheckConstraint(
                condition=Q(charge_minor=F("fee_minor") + F("provider_minor")), name="charge_line_is_shared_whole"
            ),
            models.CheckConstraint(
                condition=Q(fee_minor__gte=0, provider_minor__gte=0, tax_minor__gte=0, quantity__gte=0),
                name="charge_line_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(pending_left__gte=0, pending_left__lte=F("provider_minor")),
                name="charge_line_rest_is_of_it",
            ),
            models.CheckConstraint(
                condition=Q(matured_at=None) | Q(pending_left=0, frozen=False), name="charge_line_matured_is_done"
            ),
            models.CheckConstraint(condition=Q(idle=True) ^ ~Q(attempt=""), name="charge_line_idle_has_no_attempt"),
            models.CheckConstraint(condition=Q(during__isempty=False), name="charge_line_span_not_empty"),
            ExclusionConstraint(
                name="charge_lines_of_an_attempt_never_overlap",
                expressions=[
                    same_id("contract"),
                    same_text("attempt"),
                    same_text("meter"),
                    ("during", RangeOperators.OVERLAPS),
                ],
                condition=Q(idle=False),
            ),
        ]
        indexes = [
            models.Index(fields=["attempt"], name="charge_line_by_attempt"),
            models.Index(
                fields=["matures_at"], condition=Q(matured_at=None, frozen=False), name="charge_line_to_mature"
            ),
            BrinIndex(fields=["created_at"], name="charge_line_by_time"),  # bills are of months
        ]
        triggers = [
            references.stays("charge_line_stays"),
            pgtrigger.Protect(
                name="charge_line_keeps_its_amounts", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "contract", "meter", "seq", "attempt", "idle", "during", "quantity", "charge_minor", "fee_minor",
                    "provider_minor", "tax_minor", "livemode", "public_id", "created_at",
                ),
            ),
            pgtrigger.Protect(
                name="charge_line_rest_only_falls", operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.pending_left > OLD.pending_left "
                    "OR (OLD.matured_at IS NOT NULL AND NEW.matured_at IS DISTINCT FROM OLD.matured_at)"
                ),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id


class ServiceCredit(models.Model):
    """What a buyer got back, and of whose share, in minor units; `subject` is the public id of what went wrong."""

    public_id = PublicIdField("crd")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="service_credits", db_index=False)
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, null=True, related_name="service_credits")
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=40)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    base_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    fee_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    provider_minor = models.BigIntegerField()
    facts = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    objects = ServiceCreditQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "subject"], name="service_credit_once"),
            models.CheckConstraint(condition=Q(kind__in=CREDIT_KINDS), name="service_credit_kind_known"),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=1, base_minor__gte=0, fee_minor__gte=0, tax_minor__gte=0),
                name="service_credit_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(kind="goodwill", fee_minor=0, provider_minor=0, tax_minor=0)
                | Q(amount_minor=F("fee_minor") + F("provider_minor") + F("tax_minor"), provider_minor__gte=0),
                name="service_credit_is_shared_whole",
            ),
        ]
        indexes = [models.Index(fields=["buyer", "-id"], name="service_credit_by_buyer")]
        triggers = [pgtrigger.Protect(name="service_credit_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.public_id


class Settlement(models.Model):
    """How the money of a job ended, once: what it was charged, tax included, and what went back to the wallet."""

    public_id = PublicIdField("stl")
    job = models.CharField(max_length=40, unique=True)
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="settlements", db_index=False)
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    charged_minor = models.BigIntegerField()
    released_minor = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(charged_minor__gte=0, released_minor__gte=0), name="settlement_not_negative"
            ),
        ]
        triggers = [pgtrigger.Protect(name="settlement_is_final", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.public_id
