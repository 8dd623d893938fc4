"""What a payout is made of: the charge lines that matured into it, as rows and as CSV for who files them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from marketplace.booking.models import ChargeLine
from marketplace.common.clock import rfc3339
from marketplace.common.currencies import to_major
from marketplace.ledger.models import PayLine, Payout
from marketplace.ledger.statements import plain

COLUMNS = (
    "payout", "date", "line", "contract", "attempt", "offer", "start", "end", "unit_seconds", "charge", "fee",
    "provider", "matured", "asset", "test_money",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PaidLine:
    """A charge line and what of the provider's part matured: credits had taken the rest."""

    line: ChargeLine
    matured: int


def lines_of(payout: Payout) -> list[PaidLine]:
    """The lines of a payout, the oldest first, in two queries."""
    matured = dict(PayLine.objects.filter(payout=payout).values_list("entry__journal__ref", "amount"))
    rows = ChargeLine.objects.filter(public_id__in=matured).select_related("contract__offer").order_by("pk")
    return [PaidLine(row, matured[str(row.public_id)]) for row in rows]


def as_csv(payout: Payout, lines: Sequence[PaidLine]) -> str:
    """The lines with a head line, money as plain decimals; text never begins like a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in lines:
        row = each.line
        amounts = (row.charge_minor, row.fee_minor, row.provider_minor, each.matured)
        writer.writerow(
            [
                payout.public_id, payout.date.isoformat(), row.public_id, row.contract.public_id, row.attempt,
                plain(row.contract.offer.title), rfc3339(row.during.lower), rfc3339(row.during.upper), row.quantity,
                *(to_major(amount, payout.asset) for amount in amounts), payout.asset,
                "no" if payout.livemode else "yes",
            ]
        )  # fmt: skip
    return out.getvalue()
