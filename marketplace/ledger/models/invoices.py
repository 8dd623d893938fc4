"""Invoices and credit notes: numbered without a gap when issued, never changed afterwards, every source on one line."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Organization
from marketplace.common.ids import PublicIdField
from marketplace.ledger import invoicerules, rules
from marketplace.ledger.querysets import InvoiceQuerySet
from marketplace.ledger.states import INVOICE

INVOICES, CREDIT_NOTES = "invoice", "credit_note"
KINDS = (INVOICES, CREDIT_NOTES)
MONTH, ORDER = "month", "order"
SCOPES = (MONTH, ORDER)


class InvoiceSeries(models.Model):
    """One row of numbers: of the invoices or the credit notes of a year, for money or for test money."""

    code = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=12)
    livemode = models.BooleanField()
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0, editable=False)  # the number given last, by the database

    class Meta:
        ordering = ["code"]
        verbose_name_plural = "invoice series"
        constraints = [
            models.UniqueConstraint(fields=["kind", "livemode", "year"], name="invoice_series_once"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="invoice_series_kind_known"),
        ]
        triggers = [
            pgtrigger.Protect(name="invoice_series_stays", operation=pgtrigger.Delete),
            invoicerules.SERIES_BEGINS_AT_NOTHING, invoicerules.SERIES_COUNTS_BY_ONE,
            rules.no_truncate("invoice_series_is_not_emptied"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.code


class Invoice(models.Model):
    """What a buyer was charged in a month or for one order, or what of it was given back (a credit note).

    Who bills whom, and the texts of taxes, are frozen as JSON: names and rules may change later.
    """

    public_id = PublicIdField("inv")
    series = models.ForeignKey(
        InvoiceSeries, on_delete=models.PROTECT, null=True, related_name="invoices", db_index=False
    )
    number = models.PositiveIntegerField(null=True, editable=False)
    label = models.CharField(max_length=32, blank=True, editable=False)  # the number as it is printed
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invoices", db_index=False)
    asset = models.CharField(max_length=3)
    livemode = models.BooleanField()
    kind = models.CharField(max_length=12)
    scope = models.CharField(max_length=5)
    order = models.CharField(max_length=40, blank=True)  # the public id of a job or reservation
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="corrected_by")
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    issuer_facts = models.JSONField()
    buyer_facts = models.JSONField()
    taxes = models.JSONField(default=list)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    state = models.CharField(max_length=6, default="draft")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            INVOICE.constraint(),
            models.UniqueConstraint(fields=["series", "number"], name="invoice_number_once"),
            models.UniqueConstraint(fields=["label"], condition=~Q(label=""), name="invoice_label_once"),
            models.CheckConstraint(
                condition=Q(
                    state="issued", number__gte=1, series__isnull=False, issued_at__isnull=False, label__gt=""
                ) | Q(state="draft", number__isnull=True, issued_at__isnull=True, label=""),
                name="invoice_numbered_when_issued",
            ),
            models.CheckConstraint(condition=Q(asset__regex="^[A-Z]{3}$"), name="invoice_is_of_money"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="invoice_kind_known"),
            models.CheckConstraint(
                condition=Q(scope=MONTH, order="") | Q(scope=ORDER, order__gt=""), name="invoice_scope_known"
            ),
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="invoice_has_a_period"),
            models.CheckConstraint(
                condition=Q(total_minor=F("net_minor") + F("tax_minor")), name="invoice_total_is_net_and_tax"
            ),
            models.CheckConstraint(
                condition=Q(kind=INVOICES, total_minor__gte=0, corrects__isnull=True)
                | Q(kind=CREDIT_NOTES, total_minor__lte=0),
                name="invoice_asks_and_credit_note_gives",
            ),
        ]  # fmt: skip
        indexes = [models.Index(fields=["buyer", "-id"], name="invoice_by_buyer")]
        triggers = [
            INVOICE.trigger(),
            pgtrigger.Protect(
                name="invoice_issued_is_frozen", operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition("OLD.state = 'issued'"),
            ),
            pgtrigger.Protect(
                name="invoice_keeps_whose_it_is", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("id", "public_id", "buyer", "asset", "livemode", "kind", "created_at"),
            ),
            invoicerules.BEGINS_AS_A_DRAFT, invoicerules.NUMBER_BY_SERIES, invoicerules.TAKES_ITS_NUMBER,
            invoicerules.ADDS_UP, rules.no_truncate("invoice_is_not_emptied"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.label or self.public_id


class InvoiceLine(models.Model):
    """One charge or credit on an invoice; `source` is its public id, which is on no other line."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveIntegerField()
    source = models.CharField(max_length=40, unique=True)
    facts = models.JSONField()
    quantity = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    unit_price = models.CharField(max_length=40, blank=True)
    amount_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    tax_bp = models.PositiveIntegerField()

    class Meta:
        ordering = ["invoice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_once_per_place"),
            models.CheckConstraint(condition=~Q(source=""), name="invoice_line_has_a_source"),
        ]
        triggers = [
            pgtrigger.Protect(name="invoice_line_is_frozen", operation=pgtrigger.Update),
            invoicerules.line_of_a_draft("invoice_line_added_to_a_draft", pgtrigger.Insert, "NEW"),
            invoicerules.line_of_a_draft("invoice_line_taken_from_a_draft", pgtrigger.Delete, "OLD"),
            rules.no_truncate("invoice_line_is_not_emptied"),
        ]

    def __str__(self) -> str:
        return self.source
