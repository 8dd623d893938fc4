"""Due asks first, then by utility per unit-hour (Dantzig 1957), each on the exact best column that is left."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.core.columns import BEYOND, FIRST, OFFER, RUN_COST, RUN_S
from scheduler.core.compiled import compiled, lean
from scheduler.core.facts import Clock, Facts
from scheduler.core.keptrooms import begun_room, empty_room
from scheduler.core.lists import lists_of
from scheduler.core.market import Ints
from scheduler.core.placing import look, place
from scheduler.core.scan import PFLOP_HOUR
from scheduler.core.tables import FAR, PF_MILLI, Table, in_gangs


class Decided(NamedTuple):
    """What became of each ask, by index; `columns` hold the fields of Column, offer -1 where it was not placed."""

    columns: Ints  # [asks, fields]
    utility: Ints
    alone: Ints  # 1 where some column had room as the round began
    order: Ints  # asks in the order of decision
    examined: int  # offers looked at, over all asks, while placing


@dataclass(frozen=True)
class Ground:
    """What every phase of a round works on."""

    table: Table
    facts: Facts

    @staticmethod
    def of(table: Table) -> "Ground":
        """The ground of `table`."""
        clock = Clock(table.now_s, table.first_hour_s, table.free_ms)
        return Ground(table, Facts(clock, table.shelf, table.tastes, lists_of(table), table.asks))


def place_all(ground: Ground) -> tuple[Decided, Ints]:
    """Place the asks of a market; what was decided, and the units left free [offers, hours]."""
    table, facts = ground.table, ground.facts
    room = begun_room(table.shelf)
    first = look(facts, room)
    order = order_of(table, first, utilities(facts, first))
    columns, examined = place(facts, order, first, room, empty_room(table.shelf))
    decided = Decided(
        columns=columns,
        utility=utilities(facts, columns),
        alone=(first[:, OFFER] >= 0).astype(np.int64),
        order=order,
        examined=examined,
    )
    return decided, room.free


def order_of(table: Table, columns: Ints, utility: Ints) -> Ints:
    """Due asks by when they fell due, then the rest by utility per unit-hour; ids break ties.

    A gang comes as one, by all its utility per all its unit-hours, and its largest member first.
    """
    asks, number = table.asks, np.arange(table.asks.due.size)
    gang, due = asks.gang, asks.due
    hours = asks.units * np.maximum(columns[:, BEYOND] - columns[:, FIRST], 1)
    utility, hours = in_gangs(gang, utility, np.add), in_gangs(gang, hours, np.add)
    lacks = in_gangs(gang, columns[:, OFFER] < 0, np.logical_or)
    density = np.where(lacks, 1, -(utility // hours))
    size = np.where(gang >= 0, -asks.units, 0)
    return np.lexsort((number, size, in_gangs(gang, number, np.minimum), np.where(due < FAR, 0, density), due))


@compiled
def utilities(facts: Facts, columns: Ints) -> Ints:
    """U of each ask on its column, mm (matching.md, section 5); 0 where it has none."""
    worth = np.zeros(columns.shape[0], dtype=np.int64)
    for ask in range(worth.size):
        if columns[ask, OFFER] >= 0:
            worth[ask] = utility(facts, ask, columns[ask, OFFER], columns[ask, RUN_S], columns[ask, RUN_COST])
    return worth


@lean
def utility(facts: Facts, ask: int, offer: int, run_s: int, run_cost: int) -> int:
    """max(1, V - units*run_cost), V = work*value; the product is split so that it stays within 64 bits."""
    asks = facts.asks
    units = asks.units[ask]
    work = (
        asks.run_s[ask] * asks.reference_pf[ask]
        if asks.reference_pf[ask]
        else run_s * facts.shelf.facts[PF_MILLI, offer]
    )
    whole, part = divmod(units * work, PFLOP_HOUR)
    value = asks.value[ask]
    return max(1, whole * value + part * value // PFLOP_HOUR - units * run_cost)
