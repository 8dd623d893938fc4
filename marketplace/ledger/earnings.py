"""What a provider has coming: not matured yet, payable, on its way, owed, and what keeps the next payout."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db.models import Sum

from accounts.models import Organization
from marketplace.ledger.models import Account, GatewayCall, GatewayStop, Payee, Payout

PARTS = ("provider_pending", "provider_payable", "provider_in_transit", "provider_receivable")


@dataclass(frozen=True, slots=True)
class Earnings:
    """What one provider has of one currency, in minor units."""

    asset: str
    livemode: bool
    pending: int = 0
    payable: int = 0
    in_transit: int = 0
    receivable: int = 0
    refused: int = 0  # of what is payable, that of payouts which the processor refused and which are sent again

    @property
    def next_amount(self) -> int:
        """What a payout made now would bring: what is payable less what is owed."""
        return max(0, self.payable - self.refused - self.receivable)


class Keeps(StrEnum):
    """What keeps the next payout."""

    STOPPED = "stopped"  # the operator looks into something that does not add up
    UNREGISTERED = "unregistered"
    REFUSED = "refused"  # the processor would not make the account
    PREPARING = "preparing"
    DETAILS = "details"  # it wants to know more
    TRANSFER_REFUSED = "transfer_refused"
    NOTHING = "nothing"
    LEAST = "least"
    TODAY = "today"  # one was made today
    FREE = "free"


def earnings_of(*, organization: Organization, asset: str, livemode: bool) -> Earnings:
    """The earnings as they stand."""
    of_owner = {"asset": asset, "livemode": livemode}
    mine = Account.objects.filter(owner=organization, kind__in=PARTS, **of_owner).values_list("kind", "balance")
    refused = Payout.objects.of([organization]).filter(state="due", **of_owner).aggregate(sum=Sum("amount"))["sum"]
    parts = {kind.removeprefix("provider_"): balance for kind, balance in mine}
    return Earnings(asset, livemode, refused=int(refused or 0), **parts)


def what_keeps(*, earnings: Earnings, payee: Payee | None, now: datetime) -> Keeps:
    """Why the next payout is not made now, or FREE: then it is, within a quarter of an hour."""
    if GatewayStop.objects.exists():
        return Keeps.STOPPED
    if payee is None:
        return Keeps.UNREGISTERED
    return _of_amount(earnings, payee, now) if payee.enabled else _before_enabled(payee)


def _of_amount(earnings: Earnings, payee: Payee, now: datetime) -> Keeps:
    if earnings.refused:
        return Keeps.TRANSFER_REFUSED
    if not earnings.next_amount:
        return Keeps.NOTHING
    if earnings.next_amount < settings.LEAST_PAYOUT_MINOR:
        return Keeps.LEAST
    made = Payout.objects.filter(
        provider=payee.organization, asset=earnings.asset, livemode=earnings.livemode, date=now.date()
    )
    return Keeps.TODAY if made.exists() else Keeps.FREE


def _before_enabled(payee: Payee) -> Keeps:
    if payee.account is not None:
        return Keeps.DETAILS
    asked = GatewayCall.objects.filter(subject=payee.public_id, op="create_payee").order_by("-pk")
    last = asked.values_list("state", flat=True).first()
    return Keeps.REFUSED if last == "failed" else Keeps.PREPARING
