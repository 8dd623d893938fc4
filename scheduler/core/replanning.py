"""Replanning: work that is promised for later moves where a better column has opened, one ask after another.

A local search over single moves: an ask gives its hours back, and takes a column whose z is at least a hundredth lower,
or its own again. Prices, forecasts and free units have changed since it was placed, and others take what it leaves.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from scheduler.core.columns import FIELDS, Column, take, write_column
from scheduler.core.compiled import compiled, lean
from scheduler.core.facts import Facts, new_scratch
from scheduler.core.greedy import Decided, Ground, utilities
from scheduler.core.keptrooms import begun_room
from scheduler.core.market import Ints
from scheduler.core.room import Room
from scheduler.core.scan import best_column
from scheduler.core.starts import ANY
from scheduler.core.tables import NOW, Table, table_of
from scheduler.core.types import HOUR_S, Ask, Placement, Snapshot

AS_HELD = "="  # behind the id of the ask that may only have what it has
OFFER, FIRST, BEYOND = range(3)


def replan(snapshot: Snapshot) -> tuple[Table, Decided]:
    """The asks of `snapshot` that move, each with its new column, those that wait longest first."""
    asks = sorted(snapshot.asks, key=lambda ask: (ask.due_s or 0, ask.id))
    still = [as_held(ask, snapshot.held[ask.id]) for ask in asks]
    table = table_of(replace(snapshot, asks=(*asks, *still)))
    facts, place = Ground.of(table).facts, {name: number for number, name in enumerate(table.ask_ids)}
    order, same = (np.array([place[each.id] for each in part], dtype=np.int64) for part in (asks, still))
    held = _held(table, (snapshot.held[ask.id] for ask in asks))
    room = begun_room(table.shelf)
    columns = move_all(facts, order, same, held, room)
    worth, fits = utilities(facts, columns), np.ones(columns.shape[0], dtype=np.int64)
    return table, Decided(columns=columns, utility=worth, alone=fits, order=order, examined=0)


def as_held(ask: Ask, placement: Placement) -> Ask:
    """`ask` with the column it holds as its only one, to see what that is worth by now."""
    limits = {name: value for name, value in ask.limits.items() if name != "served"}  # the promise was made
    only = limits | {"offer": (placement.offer,)}
    return replace(ask, id=ask.id + AS_HELD, start_s=placement.start_s, limits=only)


def _held(table: Table, placements: Iterable[Placement]) -> Ints:
    """[asks, 3] offer and hours [first, beyond) of each placement."""
    offers = {name: number for number, name in enumerate(table.offer_ids)}
    rows = [
        (offers[each.offer], *((second - table.first_hour_s) // HOUR_S for second in (each.hours[0], each.hours[-1])))
        for each in placements
    ]
    return np.array([(offer, first, last + 1) for offer, first, last in rows], dtype=np.int64).reshape(-1, 3)


@compiled
def move_all(facts: Facts, order: Ints, same: Ints, held: Ints, room: Room) -> Ints:
    """[asks, fields] the new column of each ask in `order` that moves; `same` are the asks as held, in that order."""
    columns = np.full((facts.asks.units.size, FIELDS), -1, dtype=np.int64)
    scratch = new_scratch(facts)
    for place in range(order.size):
        ask, units = order[place], facts.asks.units[order[place]]
        hold(facts, room, held[place], -units)
        now, _ = best_column(facts, same[place], room, scratch, ANY)
        best, _ = best_column(facts, ask, room, scratch, ANY)
        if is_better(best, now, facts.asks.when[ask] == NOW):
            take(room, facts.shelf.group, best, units)
            write_column(columns, ask, best)
        else:
            hold(facts, room, held[place], units)
    return columns


@lean
def hold(facts: Facts, room: Room, row: Ints, units: int) -> None:
    """Take `units` of the hours in `row`; negative ones are given back."""
    take(room, facts.shelf.group, Column(row[OFFER], 0, 0, row[FIRST], row[BEYOND], 0, 0), units)


@lean
def is_better(best: Column, now: Column, by_start: bool) -> bool:
    """Whether to move: to a z at least a hundredth lower, or, where the start comes first, to an earlier one.

    An ask whose column has ceased to keep to its limits moves to any that does.
    """
    if best.offer < 0:
        return False
    if now.offer < 0 or (by_start and best.start_s < now.start_s):
        return True
    return 100 * best.z <= 99 * now.z and not (by_start and best.start_s > now.start_s)
