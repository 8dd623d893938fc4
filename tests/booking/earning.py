"""What a provider earns under a deal: charges of 10.00, 88 % of them its part, and what it owes."""

from datetime import timedelta
from typing import Any

from marketplace.booking.credits import credit_interruption
from marketplace.booking.maturing import mature_lines
from marketplace.booking.models import ChargeLine
from marketplace.ledger.models import Account
from tests.booking.contracts import Deal
from tests.market import NOON

WEEK = timedelta(days=7)


def earned(deal: Deal, amount: int = 1_000, attempt: str = "att_1") -> ChargeLine:
    """A charge of `amount`, 88 % of it the provider's."""
    begin = 3_600 * ChargeLine.objects.filter(contract=deal.contract).count()
    deal.use(3_600, attempt=attempt, begin_s=begin)
    line = deal.charge(attempt=attempt)
    assert line.charge_minor == amount
    return line


def deal_of(**terms: Any) -> Deal:
    return Deal(units=1, hours=8, rate_mm=1_000_000, **terms)


def earnings(deal: Deal, *kinds: str) -> list[int]:
    found = {each.kind: each.summed for each in Account.objects.with_sum() if each.owner_id == deal.provider.pk}
    return [found.get(kind, 0) for kind in kinds]


def matured(deal: Deal, *, lines: int = 2) -> None:
    for _ in range(lines):
        earned(deal, attempt=f"att_{ChargeLine.objects.count()}")
    mature_lines(now=NOON + WEEK)


def owe(deal: Deal, amount: int) -> None:
    """The provider owes `amount` for a promise that never started."""
    broken = Deal(units=1, hours=1, rate_mm=amount * 10_000)
    broken.contract.provider = deal.provider
    deal.post(credit_interruption(part=broken.part, subject="att_x", delivered=[], livemode=False, now=NOON))
