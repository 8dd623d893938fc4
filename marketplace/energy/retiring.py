"""Taking energy of lots out of use for good, and what that touches.

Matches that rest on what goes end, so that no use keeps more than is still certified. Locks: lots in the order of keys.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Sum

from marketplace.common.clock import hour_floor
from marketplace.energy.claiming import SourceHour, give_back
from marketplace.energy.models import CertificateLot, CertificateSpan, GreenPromise, MatchLine, StorageDraw
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.states import LOT, OWNED, SUPPLY
from marketplace.energy.supply import Move, Piece, end_lines, lock_lots, move_wh
from marketplace.events.services import Movers, move_many


@dataclass(frozen=True, slots=True)
class Touched:
    """What a decision on lots reaches: Wh by state, whose energy it is, and lots that a store made of it."""

    lots: int
    wh: dict[str, int]
    subjects: list[str]
    promises: list[str]
    fed: list[str]


def touched_by(*, lots: CertificateLotQuerySet) -> Touched:
    """What withdrawing `lots` would reach: answered beforehand, and changing nothing.

    `subjects` are the reservations and jobs whose energy some of it is, `promises` the green ones among them, and `fed`
    the lots that came out of a store that some of it went into.
    """
    keys = list(lots.order_by("pk").values_list("pk", flat=True))
    rows = CertificateLot.objects.filter(pk__in=keys)
    sums = rows.aggregate(**{state: Sum(f"{state}_wh") for state in SUPPLY})
    spans = CertificateSpan.objects.filter(lot__in=keys, state__in=OWNED)
    subjects = sorted(set(spans.values_list("subject", flat=True)))
    promises = GreenPromise.objects.filter(subject__in=subjects).values_list("public_id", flat=True)
    draws = StorageDraw.objects.filter(lot__in=keys).values_list("issuance_id", flat=True)
    fed = CertificateLot.objects.filter(issuance__in=set(draws)).order_by("pk")
    return Touched(
        lots=len(keys),
        wh={state: wh for state, wh in sums.items() if wh},
        subjects=subjects,
        promises=list(promises.order_by("pk")),
        fed=list(fed.values_list("public_id", flat=True)),
    )


def matched_on(*, lots: CertificateLotQuerySet, states: Collection[str]) -> dict[str, dict[datetime, int]]:
    """By subject and hour, how many Wh matched by the hour rest on what `lots` have in `states`; nothing is changed.

    A subject whose spans match nothing is there without hours.
    """
    keys = list(lots.values_list("pk", flat=True))
    spans = CertificateSpan.objects.filter(lot__in=keys, state__in=states)
    found: dict[str, dict[datetime, int]] = {
        subject: {} for subject in sorted(set(spans.values_list("subject", flat=True)))
    }
    lines = MatchLine.objects.filter(lot__in=keys, live=True, volume=False, use_hour__subject__in=list(found))
    held: dict[int, list[NumericRange]] = {}
    for lot, wh_range in spans.values_list("lot_id", "wh_range"):
        held.setdefault(lot, []).append(wh_range)
    for subject, start, lot, wh in lines.values_list("use_hour__subject", "use_hour__start", "lot_id", "wh_range"):
        parts = (min(each.upper, wh.upper) - max(each.lower, wh.lower) for each in held.get(lot, []))
        found[subject][start] = found[subject].get(start, 0) + sum(part for part in parts if part > 0)
    return found


@transaction.atomic
def take_out(*, lots: Iterable[int], states: Collection[str], to: str, now: datetime, reason: str = "") -> list[str]:
    """Move all that `lots` (by key) have in `states` to `to` and end the matches on it; whose energy it was."""
    keys = sorted(set(lots))
    lock_lots(keys)
    spans = CertificateSpan.objects.filter(lot__in=keys, state__in=states).order_by("lot", "wh_range")
    found: dict[tuple[str, str], list[Piece]] = {}
    for lot, wh_range, state, subject in spans.values_list("lot_id", "wh_range", "state", "subject"):
        found.setdefault((subject, state), []).append(Piece(lot, wh_range.lower, wh_range.upper))
    for (subject, _), pieces in sorted(found.items()):
        if subject:
            end_lines(subject=subject, pieces=pieces)
    moves = [Move(pieces, state, to, subject, purpose=reason[:120]) for (subject, state), pieces in found.items()]
    if moves:
        move_wh(moves=moves, now=now)
    return sorted({subject for subject, _ in found if subject})


def move_lots(rows: Sequence[CertificateLot], to: str, *, now: datetime, **fields: Any) -> None:
    """Move lots of one state, which are locked, to the state `to`, with an event for each."""
    if not rows:
        return
    movers = Movers(
        pk=np.array([row.pk for row in rows], dtype=np.int64),
        public_id=np.array([row.public_id for row in rows], dtype=np.bytes_),
        version=np.array([row.version for row in rows], dtype=np.int64),
        provider=np.array([row.holder_id for row in rows], dtype=np.int64),
    )
    move_many(movers, old=rows[0].state, to=to, model=CertificateLot, table=LOT, now=now, fields=fields).check()


def refuse_lots(rows: Sequence[CertificateLot], *, now: datetime, reason: str, **fields: Any) -> None:
    """Refuse pending lots, which are locked; what they claimed of their plants may be claimed again."""
    move_lots(rows, "refused", now=now, reason=reason, **fields)
    claimed: dict[SourceHour, int] = {}
    for row in rows:
        source = row.issuance.source
        if source is not None and source.is_measured:
            hour = SourceHour(source.pk, hour_floor(row.issuance.start))
            claimed[hour] = claimed.get(hour, 0) + row.wh_range.upper - row.wh_range.lower
    give_back(claimed)
