"""Files of what registries state of cancellations: a row for each range, all of them or nothing.

Rows are taken one by one in the order of the file, so that each fault names its line; the ledger refuses any Wh that
was not reserved for the row's subject.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from accounts.models import Organization
from marketplace.energy.errors import StatementRangeMismatch
from marketplace.energy.imports.cells import label, positive, whole
from marketplace.energy.imports.evidence import wait_for_turn
from marketplace.energy.imports.sheets import Column, Sheet, text_of
from marketplace.energy.imports.taking import Sent, Taken, take_whole
from marketplace.energy.models import CertificateLot, ImportFile
from marketplace.energy.receipts.statements import Statement, confirm_cancellation
from marketplace.energy.supply import lock_lots

STATEMENTS = "statements"
LONGEST = {"lot": 40, "subject": 40, "beneficiary": 120, "reference": 120}


class StatementRow(NamedTuple):
    """The Wh [from_wh, to_wh) of a lot (by public id) that were cancelled for a job or reservation."""

    lot: str
    subject: str
    from_wh: int
    to_wh: int
    beneficiary: str
    reference: str


def columns() -> list[Column]:
    """In the order of a row."""
    texts: dict[str, Callable[[str], Any]] = {name: partial(label, most=most) for name, most in LONGEST.items()}
    reads = {"from_wh": whole, "to_wh": positive, **texts}
    return [Column(name, (name,), reads[name]) for name in StatementRow._fields]


def import_statements(*, data: bytes, organization: Organization, now: datetime) -> ImportFile:
    """Cancel what a file states of the lots that `organization` holds; `rows` counts the statements.

    Any fault cancels nothing, as `take_whole` says; of other Wh than those reserved the fault is
    `statement_range_mismatch` and names the expected ones. Raises WrongImport for what is no table.
    """
    sent = Sent.of(data, kind=STATEMENTS, organization=organization, now=now)
    sheet = Sheet(text_of(data), columns())
    rows: list[tuple[int, StatementRow]] = []

    def read() -> None:
        rows.extend((line, StatementRow._make(values)) for line, values in sheet.rows())

    return take_whole(
        sent=sent,
        faults=sheet.faults,
        read=read,
        wait=wait_for_turn,
        take=lambda: _take(sheet, rows, organization, now),
    )


def _take(sheet: Sheet, rows: list[tuple[int, StatementRow]], holder: Organization, now: datetime) -> Taken:
    held = CertificateLot.objects.of([holder]).filter(public_id__in={row.lot for _line, row in rows})
    lots = {lot.public_id: lot for lot in held}
    lock_lots(lot.pk for lot in lots.values())
    for line, row in rows:
        lot = lots.get(row.lot)
        if lot is None:
            sheet.fault(line, "lot", "not_found", f"you hold no lot {row.lot}", "see your certificates")
            continue
        statement = Statement(lot, row.from_wh, row.to_wh, row.beneficiary, row.reference)
        try:
            confirm_cancellation(holder=holder, subject=row.subject, statements=[statement], now=now)
        except StatementRangeMismatch as error:
            sheet.fault(line, "from_wh", error.code, error.detail, error.hint)
    return Taken(len(rows))
