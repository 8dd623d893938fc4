"""Named questions to the books."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from accounts.models import ApiKey, Organization
from marketplace.common.querysets import PublicQuerySet

if TYPE_CHECKING:
    from marketplace.ledger.models import (  # noqa: F401
        Account,
        Budget,
        CardDispute,
        Entry,
        Hold,
        Invoice,
        Payee,
        Payment,
        Payout,
        Refund,
        TaxRule,
    )


class AccountQuerySet(models.QuerySet["Account"]):
    """Accounts."""

    def with_sum(self) -> Self:
        """Each with `summed`: its balance by its entries, on the side on which it grows."""
        return self.annotate(summed=F("normal") * Coalesce(Sum("entries__amount"), 0))


class EntryQuerySet(models.QuerySet["Entry"]):
    """Entries."""

    def before(self, moment: datetime) -> Self:
        """Those posted before `moment`."""
        return self.filter(journal__posted_at__lt=moment)

    def between(self, start: datetime, end: datetime) -> Self:
        """Those posted in [start, end), in the order in which they were written."""
        return self.filter(journal__posted_at__gte=start, journal__posted_at__lt=end).order_by("pk")


class HoldQuerySet(PublicQuerySet["Hold"]):
    """Holds."""

    def open(self) -> Self:
        """Those with money left."""
        return self.filter(state="open")

    def of_subject(self, subject: str) -> Self:
        """Those for what has the public id `subject`."""
        return self.filter(subject=subject)

    def with_rest(self, amount: int) -> Self:
        """Those of which `amount` is left."""
        return self.filter(amount__gte=F("captured") + F("released") + amount)


class PaymentQuerySet(PublicQuerySet["Payment"]):
    """Payments."""

    def of(self, organizations: Iterable[Organization]) -> Self:
        """Those of these organizations."""
        return self.filter(organization__in=list(organizations))

    def refundable(self) -> Self:
        """Those of which something can go back, the newest first."""
        return self.filter(state="succeeded", captured__gt=F("refunded")).order_by("-pk")


class RefundQuerySet(PublicQuerySet["Refund"]):
    """Refunds."""


class CardDisputeQuerySet(PublicQuerySet["CardDispute"]):
    """Disputes of card payments."""

    def open(self) -> Self:
        """Those in which money was taken and nobody has decided."""
        return self.filter(state="open")


class PayeeQuerySet(PublicQuerySet["Payee"]):
    """Payees."""


class PayoutQuerySet(PublicQuerySet["Payout"]):
    """Payouts."""

    def of(self, organizations: Iterable[Organization]) -> Self:
        """Those to these organizations."""
        return self.filter(provider__in=list(organizations))


class BudgetQuerySet(PublicQuerySet["Budget"]):
    """Spending caps."""

    def of(self, organizations: Iterable[Organization]) -> Self:
        """Those of these organizations that hold now."""
        return self.filter(organization__in=list(organizations), ended_at=None)

    def that_cap(self, organization: Organization, api_key: ApiKey | None, *, asset: str, livemode: bool) -> Self:
        """Those that cap what the organization promises, through this key if through one."""
        whose = Q(api_key=None) | (Q(api_key=api_key) if api_key else Q(pk=None))
        return self.of([organization]).filter(whose, asset=asset, livemode=livemode)


class TaxRuleQuerySet(PublicQuerySet["TaxRule"]):
    """Tax rules."""

    def between(self, seller_country: str, buyer_country: str, *, business: bool) -> Self:
        """Those for what a seller of one country sells to a buyer of the other."""
        return self.filter(seller_country=seller_country, buyer_country=buyer_country, business=business)

    def in_force(self, on: date) -> Self:
        """Those that hold on that day."""
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=on), valid_from__lte=on)


class InvoiceQuerySet(PublicQuerySet["Invoice"]):
    """Invoices and credit notes."""

    def of(self, organizations: Iterable[Organization]) -> Self:
        """Those of these buyers."""
        return self.filter(buyer__in=list(organizations))

    def issued(self) -> Self:
        """Those that have a number: nobody else is shown a draft."""
        return self.filter(state="issued")
