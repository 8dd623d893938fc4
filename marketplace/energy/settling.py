"""Settling: each hour at each point is shared once among its uses, 72 hours after it ended (Settling an hour).

The energy of the site's meter is split over the uses and the machines that nobody rented; then what is green of that
hour serves promises first, all uses after them, in the order on-site, contract, storage, bought. What is certified only
by the day, month or year serves what is left, apart. Locks: uses by key, points by key, then lots by key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from django.db import transaction

from marketplace.common.clock import HOUR
from marketplace.energy.copying import copy_rows
from marketplace.energy.matching import Need, settle_hour, share_out, split
from marketplace.energy.models import CertificateLot, GreenPromise, UseHour
from marketplace.energy.models.sources import SourceKind
from marketplace.energy.models.supply import Release, Resolution
from marketplace.energy.siteenergy import Cell, share_site_energy
from marketplace.energy.supply import Move, Piece, cut, lock_lots, move_wh, pieces_of

SETTLE_AFTER = timedelta(hours=72)
MOST = 5_000  # uses in one transaction
COPY_LINES = "COPY energy_matchline (use_hour_id, lot_id, wh_range, volume, live) FROM STDIN"
ORDER_OF_USE: dict[str, int] = {
    SourceKind.ONSITE: 0, SourceKind.PPA_PHYSICAL: 1, SourceKind.PPA_VIRTUAL: 1, SourceKind.TARIFF: 1,
    SourceKind.STORAGE: 2,
}  # fmt: skip
BOUGHT = 3


class Lot(NamedTuple):
    """A lot that may serve: its key, place in the order of use, interval, and whether it is certified by the hour."""

    key: int
    order: int
    start: datetime
    end: datetime
    hourly: bool


@dataclass(slots=True)
class Outcome:
    """What settling writes: match lines as (use, piece, volume), what is given back, and what is reserved then."""

    lines: list[tuple[int, Piece, bool]] = field(default_factory=list)
    releases: list[Move] = field(default_factory=list)
    reservations: list[Move] = field(default_factory=list)

    def serve(self, use: UseHour, pieces: Sequence[Piece], *, volume: bool) -> None:
        """`use` gets `pieces`, which are available."""
        if pieces:
            self.lines.extend((use.pk, piece, volume) for piece in pieces)
            self.reservations.append(Move(pieces, "available", "reserved", use.subject))


def settle_due(*, now: datetime, after: timedelta = SETTLE_AFTER, most: int = MOST) -> int:
    """Settle up to about `most` uses of hours that ended `after` ago; how many were settled. 0: none was due."""
    before = now - after - HOUR + timedelta(microseconds=1)
    with transaction.atomic():
        due = UseHour.objects.to_settle(before).order_by("start", "point_id", "pk")
        uses = list(due.select_for_update(of=("self",))[:most])
        if len(uses) == most:  # the last hour may not be whole
            last = Cell(uses[-1].point_id, uses[-1].start)
            uses = [use for use in uses if Cell(use.point_id, use.start) != last] or list(
                due.filter(point=last.point, start=last.start).select_for_update(of=("self",))
            )
        if uses:
            _settle(uses, now)
        return len(uses)


def _settle(uses: Sequence[UseHour], now: datetime) -> None:
    cells = {cell: list(group) for cell, group in groupby(uses, key=lambda use: Cell(use.point_id, use.start))}
    share_site_energy(cells, now)
    lots = _lots_of(cells)
    keys = {lot.key for found in lots.values() for lot in found}
    lock_lots(keys)
    rest = pieces_of(keys, "available")
    promised = _promises_of(uses)
    own = _set_aside(uses, promised)
    outcome = Outcome()
    for cell, members in cells.items():
        _settle_cell(members, lots.get(cell, []), rest, promised, own, outcome)
    for moves in (outcome.releases, outcome.reservations):
        if moves:
            move_wh(moves=moves, now=now)
    copy_rows(COPY_LINES, ((use, piece.lot, piece.text, volume, True) for use, piece, volume in outcome.lines))


def _lots_of(cells: Iterable[Cell]) -> dict[Cell, list[Lot]]:
    """For each cell the lots that may serve it, in the order of use."""
    wanted = list(cells)
    first, last = min(cell.start for cell in wanted), max(cell.start for cell in wanted) + HOUR
    rows = CertificateLot.objects.covering({cell.point for cell in wanted}, first, last).values_list(
        "pk", "point_id", "issuance__start", "issuance__end", "issuance__temporal_resolution", "issuance__release",
        "issuance__source__kind",
    )  # fmt: skip
    hourly: dict[Cell, list[Lot]] = {}
    coarse: dict[int, list[Lot]] = {}
    for key, point, start, end, resolution, release, kind in rows:
        order = ORDER_OF_USE[SourceKind.STORAGE] if release == Release.STORAGE else ORDER_OF_USE.get(kind, BOUGHT)
        lot = Lot(key, order, start, end, resolution == Resolution.HOUR)
        if lot.hourly:
            hourly.setdefault(Cell(point, start.replace(minute=0)), []).append(lot)
        else:
            coarse.setdefault(point, []).append(lot)
    return {
        cell: sorted(
            [*hourly.get(cell, []), *(lot for lot in coarse.get(cell.point, []) if lot.start <= cell.start < lot.end)],
            key=lambda lot: (not lot.hourly, lot.order, lot.start, lot.key),
        )
        for cell in wanted
    }


def _promises_of(uses: Iterable[UseHour]) -> dict[str, int]:
    """What was promised, in whole per cent, by subject."""
    rows = GreenPromise.objects.filter(subject__in={use.subject for use in uses})
    return dict(rows.values_list("subject", "promised_percent"))


def _set_aside(uses: Sequence[UseHour], promised: dict[str, int]) -> dict[tuple[str, Cell], list[Piece]]:
    """The pieces that wait for promised uses, by subject and cell."""
    if not promised:
        return {}
    starts = [use.start for use in uses if use.subject in promised]
    lots = CertificateLot.objects.filter(
        spans__state="reserved", spans__subject__in=promised, issuance__start__in=set(starts)
    ).distinct()  # fmt: skip
    cells = {key: Cell(point, start) for key, point, start in lots.values_list("pk", "point_id", "issuance__start")}
    lock_lots(cells)
    found: dict[tuple[str, Cell], list[Piece]] = {}
    for subject in promised:
        for key, pieces in pieces_of(cells, "reserved", subject).items():
            found.setdefault((subject, cells[key]), []).extend(pieces)
    return found


def _settle_cell(
    members: Sequence[UseHour], lots: Sequence[Lot], rest: dict[int, list[Piece]], promised: dict[str, int],
    own: dict[tuple[str, Cell], list[Piece]], outcome: Outcome,
) -> None:  # fmt: skip
    """Share one hour at one point. `rest` is what each lot still has; an hourly lot serves no other cell."""
    cell = Cell(members[0].point_id, members[0].start)
    needs = [
        Need(use.site_wh, promised.get(use.subject, 0), tuple(own.get((use.subject, cell), ()))) for use in members
    ]  # fmt: skip
    pool = [piece for lot in lots if lot.hourly for piece in rest.get(lot.key, [])]
    settled = settle_hour(needs, pool)
    for number, use in enumerate(members):
        outcome.lines.extend((use.pk, piece, False) for piece in settled.own[number])
        if settled.released[number]:
            outcome.releases.append(Move(settled.released[number], "reserved", "available", use.subject))
        outcome.serve(use, settled.pool[number], volume=False)
    _settle_volume(members, [use.site_wh - settled.wh(n) for n, use in enumerate(members)], lots, rest, outcome)


def _settle_volume(
    members: Sequence[UseHour], unmatched: Sequence[int], lots: Sequence[Lot], rest: dict[int, list[Piece]],
    outcome: Outcome,
) -> None:  # fmt: skip
    """Let what is certified more coarsely than by the hour serve what no hourly energy matched."""
    coarse = [lot.key for lot in lots if not lot.hourly]
    pool = [piece for key in coarse for piece in rest.get(key, [])]
    wh = min(sum(piece.wh for piece in pool), sum(unmatched))
    if not wh:
        return
    for use, pieces in zip(members, share_out(split(wh, unmatched), pool), strict=True):
        outcome.serve(use, pieces, volume=True)
    _, left = cut(pool, wh)
    rest.update({key: [piece for piece in left if piece.lot == key] for key in coarse})
