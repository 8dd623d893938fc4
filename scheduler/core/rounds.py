"""One round: snapshot → arrays → compiled decision → plan."""

from collections.abc import Sequence

import numpy as np

from scheduler.core.batch import BATCH, QUALITY, place_batch
from scheduler.core.greedy import BEYOND, FIRST, OFFER, RUN_COST, RUN_S, START_S, Decided, Ground, Z, place_all
from scheduler.core.market import Ints
from scheduler.core.refusals import Refusals
from scheduler.core.survey import Round
from scheduler.core.tables import Table, table_of
from scheduler.core.types import HOUR_S, INSTANT, Placement, Plan, Snapshot

EFFORTS = {"batch": BATCH, "quality": QUALITY}


def decide(snapshot: Snapshot) -> Plan:
    """Place the asks of `snapshot`."""
    table = table_of(snapshot)
    decided, free = _decide(Ground.of(table), snapshot)
    placed = placements(table, decided)
    if snapshot.mode == INSTANT:
        return Plan(placed, ())
    taken = {placement.ask for placement in placed}
    round_ = Round(snapshot)
    round_.market.free = free[np.argsort(table.shelf.rank)].T.copy()
    left = Refusals(round_)
    waiting = [ask for ask in sorted(snapshot.asks, key=lambda ask: ask.id) if ask.id not in taken]
    alone = dict(zip(table.ask_ids, decided.alone.tolist(), strict=True))
    return Plan(placed, tuple(left.of(ask, fitted_alone=bool(alone[ask.id])) for ask in waiting))


def _decide(ground: Ground, snapshot: Snapshot) -> tuple[Decided, Ints]:
    if snapshot.mode in {"greedy", INSTANT}:
        return place_all(ground)
    judged = place_batch(ground, EFFORTS[snapshot.mode], snapshot.seed)
    return judged.decided, judged.free


def placements(table: Table, decided: Decided) -> tuple[Placement, ...]:
    """The asks that were placed, in the order of decision."""
    chosen = decided.order[decided.columns[decided.order, OFFER] >= 0]
    rows = zip(
        chosen.tolist(), decided.columns[chosen].tolist(), table.asks.units[chosen].tolist(),
        decided.utility[chosen].tolist(), strict=True,
    )  # fmt: skip
    return tuple(_placement(table, *row) for row in rows)


def _placement(table: Table, ask: int, column: Sequence[int], units: int, worth: int) -> Placement:
    return Placement(
        ask=table.ask_ids[ask],
        offer=table.offer_ids[column[OFFER]],
        start_s=column[START_S],
        end_s=column[START_S] + column[RUN_S],
        units=units,
        hours=tuple(table.first_hour_s + HOUR_S * hour for hour in range(column[FIRST], column[BEYOND])),
        run_cost=column[RUN_COST],
        z=column[Z],
        u=worth,
    )
