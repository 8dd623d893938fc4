"""The money of a reservation: held when it is confirmed, charged for use, and given back when it ends.

Work inside is charged as it ends; what was promised and left unused costs the part of the rate that the contract says.
Locks: the reservation and its hours first, then its hold, then accounts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from marketplace.booking.charging import Span, charge_idle, charge_of, tax_of, unused_after
from marketplace.booking.credits import credit_interruption
from marketplace.booking.models import Contract, Reservation, UsageRecord
from marketplace.ledger.holds import hold_money, release
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold
from marketplace.ledger.services import post_many

ACTOR = "market"
LAST_WORDS = timedelta(minutes=5)  # an agent's signed line may come so long after the end


@dataclass(frozen=True, slots=True)
class Refund:
    """What a cancellation costs and gives back now, in minor units, and until when it is free."""

    charge_minor: int
    refund_minor: int
    free_until: datetime


def hold_of(reservation: Reservation) -> Hold | None:
    """The reservation's money that is still held."""
    found: Hold | None = Hold.objects.of_subject(reservation.public_id).open().select_related("organization").first()
    return found


def pay(*, reservation: Reservation, now: datetime) -> None:
    """Hold the whole price. Raises InsufficientFunds; let it end the transaction."""
    contract = reservation.contract
    if contract.total_minor:
        hold_money(
            organization=reservation.buyer, asset=contract.currency, livemode=settings.LIVEMODE,
            amount=contract.total_minor, subject=reservation.public_id, now=now, actor=ACTOR,
        )  # fmt: skip


def free_until(contract: Contract) -> datetime:
    """Until when a cancellation costs nothing."""
    return contract.start - timedelta(seconds=contract.terms.get("free_cancel_s", 0))


def refund_of(*, reservation: Reservation, now: datetime) -> Refund:
    """What cancelling now would cost and give back."""
    contract, hold = reservation.contract, hold_of(reservation)
    held = hold.rest if hold else 0
    charge = 0 if now < free_until(contract) else _idle_price(contract)
    return Refund(min(charge, held), held - min(charge, held), free_until(contract))


def _idle_price(contract: Contract) -> int:
    """What the whole promise costs unused, tax included."""
    charge = charge_of(contract, unused_after(contract, []))
    return charge + tax_of(contract, charge)


def settle(*, reservation: Reservation, now: datetime, free: bool = False) -> None:
    """Charge what was left unused, unless it is `free`, and give the rest back; nothing where that was done."""
    hold = hold_of(reservation)
    if hold is None:
        return
    facts: list[Fact] = [] if free else charge_idle(contract=reservation.contract, hold=hold, now=now)[1]
    post_many(facts=[*facts, *release(hold=hold)], now=now, actor=ACTOR)


def settle_failed(*, reservation: Reservation, now: datetime) -> None:
    """The provider did not keep its promise: what is held goes back, and a credit comes for what was not delivered."""
    hold, contract = hold_of(reservation), reservation.contract
    used = UsageRecord.objects.filter(contract=contract, flagged="")
    delivered = [Span(row.during.lower, row.during.upper, row.units) for row in used]
    facts = credit_interruption(
        contract=contract, subject=reservation.public_id, delivered=delivered, livemode=settings.LIVEMODE, now=now
    )
    facts += release(hold=hold) if hold else []
    if facts:
        post_many(facts=facts, now=now, actor=ACTOR)
