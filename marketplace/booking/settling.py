"""The money of a reservation: held as it is bought, charged for use, given back for what is returned and at the end.

Each of its contracts has a hold of its own. Work inside is charged as it ends; what was promised and left unused costs
the part of the rate that the terms say, what was returned the part that was agreed then. Locks: the reservation and its
hours first, then its holds by key, then accounts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Func, IntegerField, Sum

from marketplace.booking.charging import (
    Part,
    Returned,
    Span,
    Use,
    charge_idle,
    charge_of,
    parts_of,
    promised_use,
    tax_of,
    unused_after,
    use_in,
)
from marketplace.booking.credits import credit_interruption
from marketplace.booking.models import CapacityDay, ChargeLine, Contract, Reservation
from marketplace.booking.pricing import BASIS, part_of
from marketplace.catalog.models import Offer, Tier
from marketplace.ledger.budgets import DIRECTLY, Through
from marketplace.ledger.holds import hold_money, release
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold
from marketplace.ledger.services import post_many

ACTOR = "market"
LAST_WORDS = timedelta(minutes=5)  # an agent's signed line may come so long after the end
SOLD_DAYS = 28


@dataclass(frozen=True, slots=True)
class Refund:
    """What a cancellation costs and gives back now, in minor units, and until when it is free."""

    charge_minor: int
    refund_minor: int
    free_until: datetime


@dataclass(frozen=True, slots=True)
class ReturnValue:
    """What returning units gives back now, in minor units, and what they still cost.

    They were promised and cost `idle_bp` of their rate if they stay unused; `sold_bp` of the offer's hours were sold
    lately, and as much of that is forgiven.
    """

    refund_minor: int
    idle_bp: int
    sold_bp: int


def hold_of(contract: Contract) -> Hold | None:
    """What is still held for a contract."""
    found: Hold | None = Hold.objects.of_subject(contract.subject).open().select_related("organization").first()
    return found


def holds_of(reservation: Reservation) -> list[tuple[Part, Hold]]:
    """The parts of a reservation for which money is still held, in the order of their holds."""
    found = [(part, hold_of(part.contract)) for part in parts_of(reservation.contracts)]
    return sorted(((part, hold) for part, hold in found if hold), key=lambda each: each[1].pk)


def pay(*, contract: Contract, now: datetime, through: Through = DIRECTLY) -> None:
    """Hold the whole price. Raises InsufficientFunds, BudgetExceeded, WalletFrozen; let it end the transaction."""
    if contract.total_minor:
        hold_money(
            organization=contract.buyer, asset=contract.currency, livemode=settings.LIVEMODE,
            amount=contract.total_minor, subject=contract.subject, now=now, actor=ACTOR, through=through,
        )  # fmt: skip


def free_until(contract: Contract) -> datetime:
    """Until when a cancellation costs nothing."""
    return contract.start - timedelta(seconds=contract.terms.get("free_cancel_s", 0))


def refund_of(*, reservation: Reservation, now: datetime) -> Refund:
    """What cancelling now would cost and give back."""
    until, given = free_until(reservation.contract), returned_of(reservation)
    charge = held = 0
    for part, hold in holds_of(reservation):
        held += hold.rest
        due = 0 if now < until else _with_tax(part.contract, unused_after(part, [], given))
        charge += min(due, hold.rest)
    return Refund(charge, held - charge, until)


def _with_tax(contract: Contract, use: Use) -> int:
    charge = charge_of(contract, use)
    return charge + tax_of(contract, charge)


def returned_of(reservation: Reservation) -> list[Returned]:
    """What was given back of a reservation, with what was agreed for it."""
    return [
        Returned(Span(change.start, change.end, -change.units), change.idle_bp or 0)
        for change in reservation.changes.all()
        if change.units < 0
    ]


def sold_share_bp(offer: Offer, now: datetime) -> int:
    """The part of the offer's hours that were sold in the last four weeks, in hundredths of a percent, rounded up."""
    today = now.date()
    rows = CapacityDay.objects.filter(offer=offer, day__gte=today - timedelta(days=SOLD_DAYS), day__lt=today)
    sums = rows.aggregate(total=Sum(_hours("units_total")), promised=Sum(_hours("units_promised")))
    total, promised = sums["total"] or 0, sums["promised"] or 0
    return min(BASIS, -(-promised * BASIS // total)) if total else 0


def _hours(column: str) -> Func:
    """The sum of an array of hours."""
    template = "(SELECT sum(hour) FROM unnest(%(expressions)s) AS hour)"
    return Func(F(column), template=template, output_field=IntegerField())


def return_value(*, reservation: Reservation, span: Span, now: datetime) -> ReturnValue:
    """What giving `span` back would release, before it is done."""
    sold_bp = sold_share_bp(reservation.offer, now)
    idle_bp = agreed_bp(reservation, sold_bp)
    given = [*returned_of(reservation), Returned(span, idle_bp)]
    freed = sum(_surplus(part, hold, given) for part, hold in holds_of(reservation))
    return ReturnValue(freed, idle_bp, sold_bp)


def agreed_bp(reservation: Reservation, sold_bp: int) -> int:
    """The part of the rate that returned units still cost: the likelier they are sold again, the less."""
    idle_bp: int = reservation.contract.terms.get("idle_bp", 0)
    return part_of(idle_bp, BASIS - sold_bp, BASIS)


def _surplus(part: Part, hold: Hold, given: Iterable[Returned]) -> int:
    """What is held beyond the most that the contract can still come to."""
    contract, promised = part.contract, promised_use(part.contract)
    less = [(use_in(contract, [each.span], part.bought), BASIS - each.idle_bp) for each in given]
    weighted = promised.weighted - sum(use.weighted * bp // BASIS for use, bp in less)
    ticks = promised.unit_ticks - sum(use.unit_ticks * bp // BASIS for use, bp in less)
    lines = ChargeLine.objects.filter(contract=contract).aggregate(
        charge=Sum("charge_minor"), tax=Sum("tax_minor")
    )  # fmt: skip
    charged = (lines["charge"] or 0) + (lines["tax"] or 0)
    return max(0, hold.rest - (_with_tax(contract, Use(weighted, ticks)) - charged))


def release_returned(*, reservation: Reservation, now: datetime) -> None:
    """Give back what no use of what is left can come to; the change is written."""
    given, facts = returned_of(reservation), list[Fact]()
    for part, hold in holds_of(reservation):
        freed = _surplus(part, hold, given)
        facts += release(hold=hold, amount=freed) if freed else []
    _post(facts, now)


def settle(*, reservation: Reservation, now: datetime, free: bool = False) -> None:
    """Charge what was left unused, unless it is `free`, and give the rest back; nothing where that was done."""
    given, facts = returned_of(reservation), list[Fact]()
    for part, hold in holds_of(reservation):
        if not free:
            facts += charge_idle(part=part, hold=hold, now=now, returned=given)[1]
        facts += release(hold=hold)
    _post(facts, now)


def settle_failed(*, reservation: Reservation, now: datetime, lost: Sequence[Span] = ()) -> None:
    """The provider did not keep its promise: what is held goes back, and a credit comes for what was not delivered.

    Of firm hours alone: interruptible ones may be taken back.
    """
    kept, facts = [*_kept(reservation, now), *(replace(span, units=-span.units) for span in lost)], list[Fact]()
    firm = reservation.contract.terms.get("tier") != Tier.INTERRUPTIBLE
    for part in parts_of(reservation.contracts) if firm else ():
        facts += credit_interruption(
            part=part, subject=part.contract.subject, delivered=kept, livemode=settings.LIVEMODE, now=now
        )
    for _, hold in holds_of(reservation):
        facts += release(hold=hold)
    _post(facts, now)


def _kept(reservation: Reservation, now: datetime) -> list[Span]:
    """What was at the buyer's disposal until now, used or not, and what it gave back of the time that is left."""
    ready = [
        Span(each.start, min(each.end, now), each.units) for each in reservation.contracts if each.start < now
    ]  # fmt: skip
    back = [each.span for each in returned_of(reservation)]
    return ready + [Span(max(each.start, now), each.end, each.units) for each in back if each.end > now]


def _post(facts: list[Fact], now: datetime) -> None:
    if facts:
        post_many(facts=facts, now=now, actor=ACTOR)
