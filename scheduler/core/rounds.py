"""One round: snapshot → arrays → compiled decision → plan."""

from dataclasses import replace

import numpy as np

from scheduler.core import batch
from scheduler.core.asks import columns_of
from scheduler.core.batch import place_batch
from scheduler.core.columns import BEYOND, FIRST, OFFER, RUN_COST, RUN_S, START_S, Z
from scheduler.core.greedy import Decided, Ground, place_all
from scheduler.core.keptprices import as_array, by_offer, only_worth_their_hours
from scheduler.core.market import Ints
from scheduler.core.refusals import Refusals
from scheduler.core.replanning import replan
from scheduler.core.survey import Round
from scheduler.core.tables import ALONE, INCOMPLETE, Table, table_of
from scheduler.core.types import BATCH, HOUR_S, INSTANT, QUALITY, REPLAN, Placement, Plan, Snapshot, Unplaced

EFFORTS = {BATCH: batch.BATCH, QUALITY: batch.QUALITY}


def decide(snapshot: Snapshot) -> Plan:
    """Place the asks of `snapshot`, or, in mode replan, those that are better off elsewhere."""
    if snapshot.mode == REPLAN:
        table, decided = replan(snapshot)
        return Plan(placements(table, decided), ())
    table = table_of(snapshot)
    ground = Ground.of(table)
    if snapshot.mode in EFFORTS:
        judged = place_batch(ground, EFFORTS[snapshot.mode], snapshot.seed, as_array(table, snapshot.warm))
        plan = _plan(snapshot, table, judged.decided, judged.free)
        prices = by_offer(table, judged.prices)
        return replace(plan, bound=judged.bound, price_steps=judged.steps, moves=judged.moves, prices=prices)
    decided, free = place_all(ground)
    if snapshot.mode == INSTANT:
        decided = only_worth_their_hours(decided, table.asks.units, as_array(table, snapshot.warm))
    return _plan(snapshot, table, decided, free)


def _plan(snapshot: Snapshot, table: Table, decided: Decided, free: Ints) -> Plan:
    placed = placements(table, decided)
    told = snapshot.mode != INSTANT and len(placed) < len(snapshot.asks)
    return Plan(placed, refusals(snapshot, table, decided, free) if told else ())


def refusals(snapshot: Snapshot, table: Table, decided: Decided, free: Ints) -> tuple[Unplaced, ...]:
    """The asks that were not placed, by id, and why, on the market as the round leaves it: `free` [offers, hours]."""
    round_ = Round(snapshot)
    round_.market.free = free[np.argsort(table.shelf.rank)].T.copy()
    left = Refusals(round_)
    asks = columns_of(snapshot.asks)
    waiting = np.flatnonzero(decided.columns[:, OFFER] < 0).tolist()
    gang = table.asks.gang
    return tuple(
        left.of(
            asks[asks.place[table.ask_ids[ask]]], fitted_alone=bool(decided.alone[ask]), lacks=gang[ask] == INCOMPLETE,
            inside=gang[ask] != ALONE,
        )
        for ask in waiting
    )  # fmt: skip


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
