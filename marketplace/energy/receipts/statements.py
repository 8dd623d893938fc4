"""A registry's statement that certificates were cancelled, told by their holder: what was reserved is cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import Organization
from marketplace.common.errors import NotFound
from marketplace.energy.errors import StatementRangeMismatch
from marketplace.energy.models import CertificateLot, CertificateSpan, ReceiptStep
from marketplace.energy.models.receipts import Step
from marketplace.energy.receipts.issuing import PURPOSE
from marketplace.energy.supply import Move, Piece, lock_lots, move_wh, pieces_of


@dataclass(frozen=True, slots=True)
class Statement:
    """What a registry states: which Wh of one lot it cancelled, for whom, under which reference and evidence."""

    lot: CertificateLot
    lower: int
    upper: int
    beneficiary: str
    reference: str


def expected_of(*, lot: CertificateLot, subject: str) -> list[Piece]:
    """The Wh of a lot that are to be cancelled for `subject`, lowest first."""
    return pieces_of([lot.pk], "reserved", subject).get(lot.pk, [])


@transaction.atomic
def confirm_cancellation(
    *, holder: Organization, subject: str, statements: Sequence[Statement], now: datetime
) -> int:  # fmt: skip
    """Cancel what was reserved for `subject` as the statements say; how many Wh. With the last one it is due.

    Raises NotFound for a lot of another holder, StatementRangeMismatch, which names the expected range, for a statement
    of other Wh than those reserved. Nothing is cancelled in either case.
    """
    if any(statement.lot.holder_id != holder.pk for statement in statements):
        raise NotFound("there is no such certificate lot")
    lock_lots(statement.lot.pk for statement in statements)
    moves = [_move(statement, subject) for statement in statements]
    move_wh(moves=moves, now=now)
    if not CertificateSpan.objects.filter(subject=subject, state="reserved").exists():
        ReceiptStep.objects.filter(subject=subject, step=Step.FINAL).update(due_at=now)
    return sum(piece.wh for move in moves for piece in move.pieces)


def _move(statement: Statement, subject: str) -> Move:
    expected = expected_of(lot=statement.lot, subject=subject)
    stated = Piece(statement.lot.pk, statement.lower, statement.upper)
    if stated not in expected:
        ranges = ", ".join(f"{piece.lower}–{piece.upper}" for piece in expected) or "none"
        raise StatementRangeMismatch(
            f"the statement is of Wh {stated.lower}–{stated.upper}, expected of this lot: {ranges}",
            hint="cancel exactly the expected range at the registry, or correct the numbers",
            expected=[[piece.lower, piece.upper] for piece in expected], lot=statement.lot.public_id,
        )  # fmt: skip
    return Move(
        [stated], "reserved", "cancelled", subject, purpose=PURPOSE, beneficiary=statement.beneficiary,
        statement_ref=statement.reference,
    )  # fmt: skip
