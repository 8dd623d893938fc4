"""What differs between the processor and the books, one group for each thing that one journal can name."""

from dataclasses import dataclass
from typing import Any

from marketplace.ledger.currencies import figure
from marketplace.ledger.reconciling import Difference, Reconciliation


@dataclass(frozen=True, slots=True)
class Group:
    """The differences of one balance transaction, or one of ours that the processor does not know."""

    ref: str
    asset: str
    missing: str  # what the clearing account lacks, as a plain decimal
    named: bool
    rows: list[dict[str, Any]]


def groups_of(result: Reconciliation) -> list[Group]:
    """The differences of a day in the order in which they were found."""
    found: dict[tuple[str, str], list[Difference]] = {}
    for each in result.differences:
        found.setdefault((each.transaction or each.reference, each.asset), []).append(each)
    return [
        Group(
            ref, asset, figure(sum(each.theirs - each.ours for each in rows), asset), all(each.named for each in rows),
            [
                {"kind": each.kind, "reference": each.reference, "theirs": figure(each.theirs, asset),
                 "ours": figure(each.ours, asset)}
                for each in rows
            ],
        )
        for (ref, asset), rows in found.items()
    ]  # fmt: skip
