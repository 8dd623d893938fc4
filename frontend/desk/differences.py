"""What differs between the processor and the books, one group for each thing that one journal can name."""

from dataclasses import dataclass
from typing import Any

from frontend.desk.balances import shown
from marketplace.common.currencies import figure
from marketplace.ledger.reconciling import Difference, Reconciliation


@dataclass(frozen=True, slots=True)
class Group:
    """The differences of one balance transaction, or one of ours that the processor does not know."""

    ref: str
    asset: str
    missing: str  # what the clearing account lacks
    amount: str  # the same as a plain decimal, for the form that names it
    named: bool
    rows: list[dict[str, Any]]


def groups_of(result: Reconciliation) -> list[Group]:
    """The differences of a day in the order in which they were found."""
    found: dict[tuple[str, str], list[Difference]] = {}
    for each in result.differences:
        found.setdefault((each.transaction or each.reference, each.asset), []).append(each)
    return [
        Group(
            ref, asset, shown(_missing(rows), asset), figure(_missing(rows), asset), all(each.named for each in rows),
            [
                {"kind": each.kind, "reference": each.reference, "theirs": shown(each.theirs, asset),
                 "ours": shown(each.ours, asset)}
                for each in rows
            ],
        )
        for (ref, asset), rows in found.items()
    ]  # fmt: skip


def _missing(rows: list[Difference]) -> int:
    return sum(each.theirs - each.ours for each in rows)
