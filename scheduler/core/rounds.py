"""One round: snapshot → arrays → compiled decision → plan."""

import numpy as np

from scheduler.core.asks import columns_of
from scheduler.core.batch import BATCH, QUALITY, place_batch
from scheduler.core.greedy import BEYOND, FIRST, OFFER, RUN_COST, RUN_S, START_S, Decided, Ground, Z, place_all
from scheduler.core.market import Ints
from scheduler.core.refusals import Refusals
from scheduler.core.survey import Round
from scheduler.core.tables import Table, table_of
from scheduler.core.types import HOUR_S, INSTANT, Placement, Plan, Snapshot, Unplaced

EFFORTS = {"batch": BATCH, "quality": QUALITY}


def decide(snapshot: Snapshot) -> Plan:
    """Place the asks of `snapshot`."""
    table = table_of(snapshot)
    decided, free = _decide(Ground.of(table), snapshot)
    placed = placements(table, decided)
    if snapshot.mode == INSTANT or len(placed) == len(snapshot.asks):
        return Plan(placed, ())
    return Plan(placed, refusals(snapshot, table, decided, free))


def refusals(snapshot: Snapshot, table: Table, decided: Decided, free: Ints) -> tuple[Unplaced, ...]:
    """The asks that were not placed, by id, and why, on the market as the round leaves it: `free` [offers, hours]."""
    round_ = Round(snapshot)
    round_.market.free = free[np.argsort(table.shelf.rank)].T.copy()
    left = Refusals(round_)
    asks = columns_of(snapshot.asks)
    waiting = np.flatnonzero(decided.columns[:, OFFER] < 0).tolist()
    return tuple(
        left.of(asks[asks.place[table.ask_ids[ask]]], fitted_alone=bool(decided.alone[ask])) for ask in waiting
    )


def _decide(ground: Ground, snapshot: Snapshot) -> tuple[Decided, Ints]:
    if snapshot.mode in {"greedy", INSTANT}:
        return place_all(ground)
    judged = place_batch(ground, EFFORTS[snapshot.mode], snapshot.seed)
    return judged.decided, judged.free


def placements(table: Table, decided: Decided) -> tuple[Placement, ...]:
    """The asks that were placed, in the order of decision."""
    chosen = decided.order[decided.columns[decided.order, OFFER] >= 0]
    columns = decided.columns[chosen]
    starts, run_s = columns[:, START_S], columns[:, RUN_S]
    spans = [columns[:, FIRST].tolist(), columns[:, BEYOND].tolist()]
    hours = {
        (first, beyond): tuple(table.first_hour_s + HOUR_S * hour for hour in range(first, beyond))
        for first, beyond in set(zip(*spans, strict=True))
    }
    asks = map(table.ask_ids.__getitem__, chosen.tolist())
    offers = map(table.offer_ids.__getitem__, columns[:, OFFER].tolist())
    return tuple(
        map(
            Placement, asks, offers, starts.tolist(), (starts + run_s).tolist(), table.asks.units[chosen].tolist(),
            map(hours.__getitem__, zip(*spans, strict=True)), columns[:, RUN_COST].tolist(), columns[:, Z].tolist(),
            decided.utility[chosen].tolist(),
        )
    )  # fmt: skip
