"""Day by day, the processor's balance transactions against the entries of the clearing account, one to one.

A difference is 0, or named: a journal of kind `suspense` whose reference is the balance transaction's id, or that of
our journal where the processor knows of none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any

from django.db.models import Model, Q

from marketplace.ledger.gateways.base import BalanceTransaction, PaymentGateway
from marketplace.ledger.models import CardDispute, Entry, Payout, Refund

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that only one side knows, or that both know with another amount."""

    reference: str
    kind: str
    asset: str
    theirs: int
    ours: int
    transaction: str = ""  # the processor's balance transaction; empty where it knows of none
    named: bool = False  # by a journal of suspense


@dataclass(slots=True)
class Reconciliation:
    """What a day came to, by asset, and what differs."""

    day: date
    gateway: str
    transactions: int = 0
    theirs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ours: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    differences: list[Difference] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing differs that nobody has named."""
        return all(each.named for each in self.differences)

    def as_json(self) -> dict[str, Any]:
        """The day as the command prints it."""
        return {
            "day": self.day.isoformat(), "gateway": self.gateway, "ok": self.clean, "transactions": self.transactions,
            "theirs": dict(self.theirs), "ours": dict(self.ours),
            "differences": [
                {"reference": each.reference, "kind": each.kind, "asset": each.asset, "theirs": each.theirs,
                 "ours": each.ours, "transaction": each.transaction, "named": each.named}
                for each in self.differences
            ],
        }  # fmt: skip


Key = tuple[str, str]  # kind and reference of a journal


def reconcile(*, gateway: PaymentGateway, day: date) -> Reconciliation:
    """Compare the UTC day; what we posted in it may stand in the processor's day before or after. Reads only."""
    result = Reconciliation(day, gateway.name)
    theirs = {each: list(gateway.balance_transactions(each)) for each in (day - DAY, day, day + DAY)}
    expected = {each: _expected(each) for some in theirs.values() for each in some}
    keys = {key: each.asset for each, wanted in expected.items() for key in wanted}
    ours = _ours(keys, gateway.livemode)
    for each in theirs[day]:
        result.transactions += 1
        result.theirs[each.asset] += each.net
        _compare(result, each, {key: (amount, ours.get(key, 0)) for key, amount in expected[each].items()})
    for (kind, reference), (asset, amount) in _posted_on(day, gateway.livemode).items():
        if (kind, reference) not in keys and kind != "suspense":
            result.ours[asset] += amount
            named = _suspense(reference, asset) == -amount
            result.differences.append(Difference(reference, kind, asset, 0, amount, named=named))
    return result


def _compare(result: Reconciliation, theirs: BalanceTransaction, sides: dict[Key, tuple[int, int]]) -> None:
    """One balance transaction against our journals of it; one suspense names all that differs of it."""
    result.ours[theirs.asset] += sum(ours for _, ours in sides.values())
    differing = {key: each for key, each in sides.items() if each[0] != each[1]}
    lacking = sum(amount - ours for amount, ours in differing.values())
    named = bool(lacking) and _suspense(theirs.id, theirs.asset) == lacking
    result.differences += [
        Difference(reference, kind, theirs.asset, amount, ours, theirs.id, named)
        for (kind, reference), (amount, ours) in differing.items()
    ]


def _suspense(ref: str, asset: str) -> int:
    """What an operator has booked as suspense under this reference."""
    entries = Entry.objects.filter(
        journal__kind="suspense", journal__ref=ref, account__kind="stripe_clearing", asset=asset
    )
    return sum(entries.values_list("amount", flat=True))


def _expected(theirs: BalanceTransaction) -> dict[Key, int]:
    """What a balance transaction should have moved on the clearing account, by journal."""
    source, whole = theirs.source, theirs.amount
    dispute = partial(_public_id, CardDispute, "reference")
    refund = partial(_public_id, Refund, "reference")
    ways: dict[str, Callable[[], dict[Key, int]]] = {
        "charge": lambda: {("topup", source): whole, ("stripe_fee", theirs.id): -theirs.fee},
        "refund": lambda: {("refund", refund(source)): whole},
        "refund_failure": lambda: {("refund_failed", refund(source)): whole},
        "transfer": lambda: {("transfer", _public_id(Payout, "transfer", source)): whole},
        "transfer_reversal": lambda: {("transfer_reversal", source): whole},
        "dispute": lambda: {("dispute_opened", dispute(source)): whole, ("dispute_fee", theirs.id): -theirs.fee},
        "dispute_reversal": lambda: {("dispute_won", dispute(source)): whole},
        "payout": lambda: {("platform_payout", source): whole},
    }
    wanted = ways.get(theirs.kind, lambda: {("suspense", theirs.id): theirs.net})()
    return {key: amount for key, amount in wanted.items() if amount}


def _public_id(model: type[Model], column: str, reference: str) -> str:
    """Our name for what the processor calls `reference`; its own where we know none."""
    found = model._base_manager.filter(**{column: reference}).values_list("public_id", flat=True).first()
    return str(found or reference)


def _ours(keys: Iterable[Key], livemode: bool) -> dict[Key, int]:
    """What journals of these kinds and references moved on the clearing accounts."""
    refs = {reference for _, reference in keys}
    return {key: amount for key, (_, amount) in _sums(Q(journal__ref__in=refs), livemode).items()}


def _posted_on(day: date, livemode: bool) -> dict[Key, tuple[str, int]]:
    """{journal: (asset, amount)} of the clearing accounts on the UTC day."""
    begin = datetime.combine(day, time(), UTC)
    return _sums(Q(journal__posted_at__gte=begin, journal__posted_at__lt=begin + DAY), livemode)


def _sums(chosen: Q, livemode: bool) -> dict[Key, tuple[str, int]]:
    rows = Entry.objects.filter(chosen, account__kind="stripe_clearing", livemode=livemode)
    named = rows.values_list("journal__kind", "journal__ref", "asset", "amount")
    return {(kind, reference): (asset, amount) for kind, reference, asset, amount in named}
