"""Named questions to the books."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Case, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from accounts.models import ApiKey, Organization
from marketplace.common.querysets import PublicQuerySet
from marketplace.ledger.kinds import WALLET

if TYPE_CHECKING:
    from marketplace.ledger.models import (  # noqa: F401
        Account,
        AutoTopup,
        Budget,
        CardDispute,
        Entry,
        Hold,
        Invoice,
        Journal,
        JournalRequest,
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


class JournalQuerySet(PublicQuerySet["Journal"]):
    """Journals."""

    def of_wallet(self, organization: Organization, *, asset: str, livemode: bool) -> Self:
        """Those that moved a wallet, the newest first, each with what it moved: `available`, `held` and `frozen`."""
        moved = {
            part: Coalesce(Sum(-F("entries__amount"), filter=Q(entries__account__kind=kind)), 0)
            for part, kind in WALLET.items()
        }
        mine = self.filter(
            entries__account__owner=organization, entries__account__kind__in=WALLET.values(),
            entries__account__asset=asset, entries__account__livemode=livemode,
        )  # fmt: skip
        return mine.annotate(**moved).order_by("-pk")

    def between(self, start: datetime, end: datetime) -> Self:
        """Those posted in [start, end)."""
        return self.filter(posted_at__gte=start, posted_at__lt=end)


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

    def that_cap(
        self, organization: Organization, api_key: ApiKey | None, *, asset: str, livemode: bool, order: str = ""
    ) -> Self:
        """Those that cap what the organization promises, through this key and this standing order if through one."""
        whose = Q(api_key=None) | (Q(api_key=api_key) if api_key else Q(pk=None))
        return self.of([organization]).filter(whose, order__in=("", order), asset=asset, livemode=livemode)


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


class JournalRequestQuerySet(PublicQuerySet["JournalRequest"]):
    """Journals that operators ask for."""

    def waiting(self) -> Self:
        """Those that a second operator has to decide, the oldest first."""
        return self.filter(state="waiting").order_by("pk")


class AutoTopupQuerySet(PublicQuerySet["AutoTopup"]):
    """Automatic top-ups."""

    def below(self) -> Self:
        """Those that are on and whose wallet has less than their threshold."""
        purse = apps.get_model("ledger", "Account").objects.filter(
            kind=WALLET["available"], owner=OuterRef("organization"), asset=OuterRef("asset"),
            livemode=OuterRef("livemode"),
        )  # fmt: skip
        there = Coalesce(Subquery(purse.values("balance")), 0)
        return self.filter(on=True).annotate(there=there).filter(there__lt=F("threshold"))

    def charge(self, amount: int, day: date) -> bool:
        """Count `amount` on `day` in one statement; False where it is off or would pass its daily cap."""
        before = Case(When(day=day, then=F("charged")), default=Value(0), output_field=models.BigIntegerField())
        room = self.filter(on=True).annotate(before=before).filter(daily_cap__gte=F("before") + amount)
        return room.update(charged=before + amount, day=day, version=F("version") + 1) == 1
