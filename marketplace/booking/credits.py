"""What a buyer is given back for what the market or a provider owed: once for each subject, posted at once, explained.

The part of a credit that is on charges is taken back in their own shares, the rest is the provider's. The provider's
part comes out of what is still pending under the contract; beyond it it is owed (`provider_receivable`) and netted from
the next payout, so that no balance need be read that another transaction may be spending.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from marketplace.booking.charging import Part, Span, charge_of, use_in
from marketplace.booking.models import ChargeLine, Contract, ServiceCredit
from marketplace.booking.pricing import BASIS, part_of
from marketplace.common.ids import new_id
from marketplace.common.units import largest_remainder
from marketplace.events.services import record
from marketplace.ledger.lines import Fact, Line, credit, debit
from marketplace.ledger.models import Account
from marketplace.ledger.services import account_of


def credit_interruption(
    *, part: Part, subject: str, delivered: Iterable[Span], livemode: bool, now: datetime
) -> list[Fact]:
    """The credit when the provider ended firm work: a part of its charges and of promised time that was not delivered.

    `subject` is what ended; `delivered` the time it ran. No fact where it comes to nothing or was given before.
    """
    contract = part.contract
    lines = list(ChargeLine.objects.filter(contract=contract).select_for_update(of=("self",)).order_by("pk"))
    charged = sum(line.charge_minor for line in lines)
    used = charge_of(contract, use_in(contract, delivered, part.bought))
    missed = max(0, contract.untaxed_minor - max(charged, used))
    part_bp = contract.terms.get("sla_credit_bp", 0)
    amount = part_of(charged + missed, part_bp, BASIS)
    return give_credit(
        kind="interruption", subject=subject, contract=contract, lines=lines, base=charged + missed, amount=amount,
        on_charges=part_of(charged, part_bp, BASIS), livemode=livemode, now=now, part_bp=part_bp,
    )  # fmt: skip


def credit_lost_work(*, part: Part, subject: str, missed: Span, livemode: bool, now: datetime) -> list[Fact]:
    """The credit when the provider ended work inside a reservation: a part of the price of what it was still due."""
    contract, part_bp = part.contract, part.contract.terms.get("sla_credit_bp", 0)
    base = charge_of(contract, use_in(contract, [missed], part.bought))
    return give_credit(
        kind="interruption", subject=f"{subject}:{contract.pk}"[:40] if part.bought else subject, contract=contract,
        lines=[], base=base, amount=part_of(base, part_bp, BASIS), on_charges=0, livemode=livemode, now=now,
        part_bp=part_bp,
    )  # fmt: skip


def give_credit(
    *, kind: str, subject: str, contract: Contract, lines: list[ChargeLine], base: int, amount: int, on_charges: int,
    livemode: bool, now: datetime, **facts: Any,
) -> list[Fact]:  # fmt: skip
    """Credit `amount`, of which `on_charges` is of the charges in `lines`, which are locked; the fact for the books.

    None where `amount` is 0 or this subject has its credit of this kind.
    """
    if not amount or ServiceCredit.objects.filter(kind=kind, subject=subject).exists():
        return []
    fee, _ = _shares(on_charges, lines)
    row = ServiceCredit.objects.create(
        public_id=new_id("crd"), buyer=contract.buyer, contract=contract, kind=kind, subject=subject,
        asset=contract.currency, livemode=livemode, base_minor=base, amount_minor=amount, fee_minor=fee,
        provider_minor=amount - fee, facts=facts, created_at=now,
    )  # fmt: skip
    record(
        "credit.issued", object_id=row.public_id, seq=1, now=now, reason=kind, buyer=contract.buyer,
        provider=contract.provider, facts={"amount_minor": amount, "currency": contract.currency, "subject": subject},
    )  # fmt: skip
    lines_of_books = [*_taken_back(row, lines), credit(_account(row, "buyer_available", contract.buyer), amount)]
    return [Fact("sla_credit", row.public_id, tuple(lines_of_books))]


def _shares(on_charges: int, lines: Iterable[ChargeLine]) -> tuple[int, int]:
    """(fee, provider's part) of a credit on charges, in the shares that they had."""
    if not on_charges:
        return 0, 0
    had = [(line.fee_minor, line.provider_minor) for line in lines]
    fee, provider = largest_remainder(on_charges, [sum(each[0] for each in had), sum(each[1] for each in had)])
    return fee, provider


def _taken_back(row: ServiceCredit, lines: Iterable[ChargeLine]) -> list[Line]:
    """The debits: the provider's part from what is pending, then owed; the market's from its fee."""
    pending = _take_pending(lines, row.provider_minor)
    provider = row.contract.provider if row.contract else None
    parts = (
        ("provider_pending", provider, pending),
        ("provider_receivable", provider, row.provider_minor - pending),
        ("platform_fee", None, row.fee_minor),
    )
    return [debit(_account(row, kind, owner), amount) for kind, owner, amount in parts if amount]


def _take_pending(lines: Iterable[ChargeLine], wanted: int) -> int:
    """Take up to `wanted` out of what is pending of the lines, the last first; what was taken."""
    taken = 0
    for line in reversed(list(lines)):
        part = min(line.pending_left, wanted - taken)
        if part:
            line.pending_left -= part
            ChargeLine.objects.filter(pk=line.pk).update(pending_left=line.pending_left)
            taken += part
    return taken


def _account(row: ServiceCredit, kind: str, owner: Any) -> Account:
    return account_of(kind=kind, owner=owner, asset=row.asset, livemode=row.livemode)
