"""The one door to the supply ledger: ranges of certified Wh are chosen here, lowest first, and moved by its entries.

Locks: lots in the order of their keys. A move that the ledger refuses leaves nothing behind.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from marketplace.common.errors import IllegalState
from marketplace.energy.copying import copy_rows
from marketplace.energy.models import CertificateLot, CertificateSpan, MatchLine, SupplyEntry
from marketplace.energy.states import OWNED, SUPPLY

COPY_ENTRIES = """
COPY energy_supplyentry (lot_id, wh_range, from_state, to_state, subject, purpose, beneficiary, statement_ref,
                         request_key, at) FROM STDIN
"""
REFUSALS = {"supply_in_the_state_it_leaves", "supply_of_an_active_lot", "certificate_wh_cancelled_once"}


class Piece(NamedTuple):
    """The Wh [lower, upper) of one lot (by key)."""

    lot: int
    lower: int
    upper: int

    @property
    def wh(self) -> int:
        return self.upper - self.lower

    @property
    def text(self) -> str:
        """As PostgreSQL reads a range."""
        return f"[{self.lower},{self.upper})"


@dataclass(frozen=True, slots=True)
class Move:
    """Pieces that leave one state for another, for a subject where either of them is owned."""

    pieces: Sequence[Piece]
    old: str
    new: str
    subject: str = ""
    purpose: str = ""
    beneficiary: str = ""
    statement_ref: str = ""


def cut(pieces: Iterable[Piece], wh: int) -> tuple[list[Piece], list[Piece]]:
    """(the first `wh` Wh of `pieces`, what is left of them), in their order. Raises ValueError for more than all."""
    taken: list[Piece] = []
    left: list[Piece] = []
    for piece in pieces:
        part = min(piece.wh, wh)
        if part:
            taken.append(piece._replace(upper=piece.lower + part))
        if part < piece.wh:
            left.append(piece._replace(lower=piece.lower + part))
        wh -= part
    if wh:
        raise ValueError(f"{wh} Wh more were asked for than there are")
    return taken, left


def pieces_of(lots: Iterable[int], state: str, subject: str = "") -> dict[int, list[Piece]]:
    """Per lot (by key) its pieces in `state` (of `subject`, where that state is owned), lowest first."""
    found: dict[int, list[Piece]] = {}
    spans = CertificateSpan.objects.filter(lot__in=list(lots), state=state)
    if state in OWNED and subject:
        spans = spans.filter(subject=subject)
    for lot, wh_range in spans.order_by("lot", "wh_range").values_list("lot_id", "wh_range"):
        found.setdefault(lot, []).append(Piece(lot, wh_range.lower, wh_range.upper))
    return found


def lock_lots(lots: Iterable[int]) -> list[CertificateLot]:
    """The lots with these keys, locked in the order of their keys until the transaction ends."""
    rows = CertificateLot.objects.filter(pk__in=set(lots)).select_for_update(of=("self",)).order_by("pk")
    return list(rows)


@transaction.atomic
def move_wh(*, moves: Sequence[Move], now: datetime, request_key: str = "") -> int:
    """Move the pieces of all `moves`, or none of them; how many entries were written.

    The same `request_key` again moves nothing. Raises IllegalState for a move that is not legal, and when a piece is
    not, or no longer, in the state it should leave or not for that subject.
    """
    for move in moves:
        _check(move)
    lots = {piece.lot for move in moves for piece in move.pieces}
    lock_lots(lots)
    if request_key and SupplyEntry.objects.filter(request_key=request_key, lot__in=lots).exists():
        return 0
    try:
        with transaction.atomic():
            return copy_rows(COPY_ENTRIES, _rows(moves, request_key, now))
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
        if name in REFUSALS:
            raise IllegalState("some of that energy is not in that state any more") from error
        raise


def _check(move: Move) -> None:
    if move.new not in SUPPLY.get(move.old, ()):
        raise IllegalState(f"energy that is {move.old} cannot become {move.new}", state=move.old, wanted=move.new)
    if (move.old in OWNED or move.new in OWNED) and not move.subject:
        raise IllegalState("reserved and cancelled energy is for a reservation or job", state=move.new)


def _rows(moves: Iterable[Move], request_key: str, now: datetime) -> Iterator[tuple[Any, ...]]:
    for move in moves:
        for piece in move.pieces:
            yield (
                piece.lot, piece.text, move.old, move.new, move.subject, move.purpose, move.beneficiary,
                move.statement_ref, request_key, now,
            )  # fmt: skip


@transaction.atomic
def take(
    *, lots: Iterable[int], wh: int, old: str, new: str, subject: str, now: datetime, **words: str
) -> list[Piece]:  # fmt: skip
    """Move the lowest `wh` Wh of `lots`, in the order of their keys, from state `old` to `new`; the pieces moved.

    Raises IllegalState, and moves nothing, where there are fewer.
    """
    keys = sorted(set(lots))
    lock_lots(keys)
    found = pieces_of(keys, old, subject)
    there = [piece for key in keys for piece in found.get(key, [])]
    if sum(piece.wh for piece in there) < wh:
        raise IllegalState(
            f"only {sum(piece.wh for piece in there)} Wh are {old}, {wh} Wh were asked for", state=old, wanted=new
        )
    taken, _ = cut(there, wh)
    if taken:
        move_wh(moves=[Move(taken, old, new, subject, **words)], now=now)
    return taken


@transaction.atomic
def release_subject(*, subject: str, now: datetime) -> int:
    """Give what is reserved for `subject` back, and end the matches that rest on it; how many Wh."""
    pieces = reserved_of([subject]).get(subject, [])
    if not pieces:
        return 0
    end_lines(subject=subject, pieces=pieces)
    move_wh(moves=[Move(pieces, "reserved", "available", subject)], now=now)
    return sum(piece.wh for piece in pieces)


@transaction.atomic
def release_unmatched(*, subjects: Collection[str], now: datetime) -> int:
    """Give back what is reserved for `subjects` and matches none of their uses; how many Wh."""
    reserved = reserved_of(subjects)
    lines: dict[tuple[str, int], list[Piece]] = {}
    live = MatchLine.objects.live_of(reserved)
    for subject, lot, found in live.values_list("use_hour__subject", "lot_id", "wh_range"):
        lines.setdefault((subject, lot), []).append(Piece(lot, found.lower, found.upper))
    moves = []
    for subject, pieces in reserved.items():
        idle = [part for piece in pieces for part in without(piece, lines.get((subject, piece.lot), []))]
        if idle:
            moves.append(Move(idle, "reserved", "available", subject))
    if moves:
        move_wh(moves=moves, now=now)
    return sum(piece.wh for move in moves for piece in move.pieces)


def reserved_of(subjects: Collection[str]) -> dict[str, list[Piece]]:
    """What is reserved for each of `subjects`, by lot and lowest first; the lots are locked."""
    spans = CertificateSpan.objects.filter(subject__in=subjects, state="reserved")
    lock_lots(spans.values_list("lot_id", flat=True))
    found: dict[str, list[Piece]] = {}
    for subject, lot, wh_range in spans.order_by("lot", "wh_range").values_list("subject", "lot_id", "wh_range"):
        found.setdefault(subject, []).append(Piece(lot, wh_range.lower, wh_range.upper))
    return found


def end_lines(*, subject: str, pieces: Sequence[Piece]) -> None:
    """End the live matches of `subject` that have any of `pieces`; a line that loses a part goes on with its rest."""
    lines = MatchLine.objects.filter(use_hour__subject=subject, live=True, lot__in={piece.lot for piece in pieces})
    by_lot: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_lot.setdefault(piece.lot, []).append(piece)
    for line in lines.select_for_update(of=("self",)).order_by("pk"):
        whole = Piece(line.lot_id, line.wh_range.lower, line.wh_range.upper)
        rest = without(whole, by_lot[line.lot_id])
        if rest != [whole]:
            MatchLine.objects.filter(pk=line.pk).update(live=False)
            MatchLine.objects.bulk_create(
                MatchLine(
                    use_hour_id=line.use_hour_id, lot_id=line.lot_id, wh_range=(part.lower, part.upper),
                    volume=line.volume,
                )
                for part in rest
            )  # fmt: skip


def without(whole: Piece, gone: Iterable[Piece]) -> list[Piece]:
    """What is left of `whole` when `gone`, pieces of the same lot, are taken out."""
    rest = [whole]
    for piece in sorted(gone):
        rest = [part for each in rest for part in _minus(each, piece)]
    return rest


def _minus(one: Piece, other: Piece) -> list[Piece]:
    if other.upper <= one.lower or one.upper <= other.lower:
        return [one]
    parts = (one._replace(upper=other.lower), one._replace(lower=other.upper))
    return [part for part in parts if part.wh > 0]
