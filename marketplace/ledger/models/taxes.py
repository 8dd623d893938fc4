"""What tax the operator adds for whom, and as whom a buyer wants to be billed."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import BigIntegerRangeField, DateRangeField
from django.contrib.postgres.fields.ranges import RangeOperators
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import BigIntegerField, F, Func, IntegerField, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Left, Ord, Right
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.querysets import TaxRuleQuerySet

COUNTRY = "^[A-Z]{2}$"
HIGHEST_BP = 5_000
is_country = RegexValidator(COUNTRY, _("Two capital letters, such as DE."))


def _letters(field: str) -> Combinable:
    """A country as a number: its two letters as bytes."""
    first, second = (Cast(Ord(side(field, 1)), BigIntegerField()) for side in (Left, Right))
    return first * 256 + second


WHOM = _letters("seller_country") * 131_072 + _letters("buyer_country") * 2 + Cast("business", IntegerField())


class TaxRule(models.Model):
    """The tax on what a seller of one country sells to a buyer of another, from `valid_from` until before `valid_to`.

    A rule is ended, never rewritten: what an invoice said stays explainable. One that ends when it begins never holds.
    """

    public_id = PublicIdField("txr")
    seller_country = models.CharField(_("seller's country"), max_length=2, validators=[is_country])
    buyer_country = models.CharField(_("buyer's country"), max_length=2, validators=[is_country])
    business = models.BooleanField(_("for businesses"), help_text=_("Buyers with a tax number; else all others."))
    tax_bp = models.PositiveIntegerField(
        _("tax, basis points"), validators=[MaxValueValidator(HIGHEST_BP)], help_text=_("1900 is 19 %.")
    )
    text = models.CharField(
        _("text on the invoice"), max_length=200, help_text=_("Such as: VAT 19 %, or: Reverse charge.")
    )
    valid_from = models.DateField(_("valid from"))
    valid_to = models.DateField(_("valid until before"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TaxRuleQuerySet.as_manager()

    class Meta:
        ordering = ["seller_country", "buyer_country", "business", "-valid_from"]
        verbose_name = _("tax rule")
        verbose_name_plural = _("tax rules")
        constraints = [
            models.CheckConstraint(
                condition=Q(seller_country__regex=COUNTRY, buyer_country__regex=COUNTRY), name="tax_rule_of_countries"
            ),
            models.CheckConstraint(condition=Q(tax_bp__lte=HIGHEST_BP), name="tax_rule_in_range"),
            models.CheckConstraint(condition=~Q(text=""), name="tax_rule_says_what_it_is"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")), name="tax_rule_ends_later"
            ),
            ExclusionConstraint(
                name="tax_rule_once_at_a_time",
                expressions=[
                    (
                        Func(WHOM, WHOM, Value("[]"), function="int8range", output_field=BigIntegerRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                    (
                        Func("valid_from", "valid_to", function="daterange", output_field=DateRangeField()),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message=_("Another rule holds for these countries in a part of this time."),
            ),
        ]
        triggers = [
            references.stays("tax_rule_stays"),
            pgtrigger.Protect(
                name="tax_rule_is_ended_not_rewritten", operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "public_id", "seller_country", "buyer_country", "business", "tax_bp", "text", "valid_from"
                ),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.seller_country} → {self.buyer_country} {self.text}"


class BillingDetails(models.Model):
    """Whom the invoices of an organization name; without a row, the organization's name and country."""

    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="billing_details")
    legal_name = models.CharField(_("legal name"), max_length=160)
    address = models.TextField(_("address"), max_length=400, blank=True)
    tax_id = models.CharField(
        _("tax number"), max_length=40, blank=True,
        help_text=_("Of a business, such as DE123456789; empty for everybody else."),
    )  # fmt: skip
    reference = models.CharField(
        _("your reference"), max_length=80, blank=True, help_text=_("On every invoice, such as an order number.")
    )
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["organization"]
        verbose_name = _("billing details")
        verbose_name_plural = _("billing details")
        constraints = [models.CheckConstraint(condition=~Q(legal_name=""), name="billing_details_name_somebody")]

    def __str__(self) -> str:
        return self.legal_name
