"""Due asks first, then by utility per unit-hour (Dantzig 1957), each on the exact best column that is left."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean
from scheduler.core.lists import lists_of
from scheduler.core.market import Ints
from scheduler.core.room import Room, has_units, note_hours, open_room
from scheduler.core.scan import PFLOP_HOUR, Clock, Column, Facts, Scratch, best_column, new_scratch
from scheduler.core.tables import FAR, PF_MILLI, Table
from scheduler.core.types import HOUR_S

FIELDS = len(Column._fields)
OFFER, START_S, RUN_S, FIRST, BEYOND, RUN_COST, Z = range(FIELDS)
NOT_ASKED = -1


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
    room = open_room(table.shelf.began.copy(), table.shelf.begin)
    first = look(facts, room)
    order = order_of(table, first, utilities(facts, first))
    columns, examined = place(facts, order, first, room, open_room(table.shelf.total, table.shelf.begin))
    decided = Decided(
        columns=columns,
        utility=utilities(facts, columns),
        alone=(first[:, OFFER] >= 0).astype(np.int64),
        order=order,
        examined=examined,
    )
    return decided, room.free


def order_of(table: Table, columns: Ints, utility: Ints) -> Ints:
    """Due asks by when they fell due, then the rest by utility per unit-hour; ids break ties."""
    hours = np.maximum(columns[:, BEYOND] - columns[:, FIRST], 1)
    density = np.where(columns[:, OFFER] < 0, 1, -(utility // (table.asks.units * hours)))
    due = table.asks.due
    return np.lexsort((np.arange(due.size), np.where(due < FAR, 0, density), due))


@compiled
def look(facts: Facts, room: Room) -> Ints:
    """[asks, fields] the best column of every ask, as if it came first; asks that are alike are looked at once."""
    alike = facts.asks.alike
    columns = np.empty((alike.size, FIELDS), dtype=np.int64)
    like = np.full(alike.size, -1)
    scratch = new_scratch(facts)
    for ask in range(alike.size):
        if like[alike[ask]] >= 0:
            columns[ask] = columns[like[alike[ask]]]
            continue
        best, _ = best_column(facts, ask, room, scratch)
        write_column(columns, ask, best)
        like[alike[ask]] = ask
    return columns


@lean
def write_column(columns: Ints, ask: int, column: Column) -> None:
    """Set the row of `ask`."""
    columns[ask, OFFER] = column.offer
    columns[ask, START_S] = column.start_s
    columns[ask, RUN_S] = column.run_s
    columns[ask, FIRST] = column.first
    columns[ask, BEYOND] = column.beyond
    columns[ask, RUN_COST] = column.run_cost
    columns[ask, Z] = column.z


@compiled
def place(facts: Facts, order: Ints, first: Ints, room: Room, empty: Room) -> tuple[Ints, int]:
    """Place asks in `order`, taking units of `room`; the columns taken, and how many offers were examined.

    `first` is what `look` found before anything was taken. Units only become fewer: a best column that is still open is
    still the best for all asks alike, and where one found nothing the others will not. A short run does not take a
    later hour only for lack of units now: it waits (docs/decisions/0002).
    """
    alike, columns = facts.asks.alike, np.full(first.shape, -1, dtype=np.int64)
    last, wished = first.copy(), np.full(alike.size, NOT_ASKED)  # by number of alike: best column, start when empty
    for ask in range(alike.size):
        last[alike[ask]] = first[ask]
    scratch, examined = new_scratch(facts), 0
    for ask in order:
        number, units = alike[ask], facts.asks.units[ask]
        if last[number, OFFER] < 0:
            continue
        best = read_column(last, number)
        if not has_units(room.free, best.offer, best.first, best.beyond, units):
            best, looked = best_column(facts, ask, room, scratch)
            examined += looked
            write_column(last, number, best)
            if best.offer < 0:
                continue
        if would_wait(facts, ask, best) and would_start(facts, ask, empty, wished, scratch) <= facts.clock.now_s:
            continue
        room.free[best.offer, best.first : best.beyond] -= units
        note_hours(room, facts.shelf.group[best.offer], best.offer, best.first, best.beyond)
        write_column(columns, ask, best)
    return columns, examined


@lean
def read_column(columns: Ints, ask: int) -> Column:
    """The row of `ask`."""
    row = columns[ask]
    return Column(row[OFFER], row[START_S], row[RUN_S], row[FIRST], row[BEYOND], row[RUN_COST], row[Z])


@lean
def would_start(facts: Facts, ask: int, empty: Room, wished: Ints, scratch: Scratch) -> int:
    """When `ask` would start if nothing were promised, looked up once for all asks alike."""
    number = facts.asks.alike[ask]
    if wished[number] == NOT_ASKED:
        best, _ = best_column(facts, ask, empty, scratch)
        wished[number] = best.start_s
    return wished[number]


@lean
def would_wait(facts: Facts, ask: int, column: Column) -> bool:
    """Whether a column that is not now would block more of its hours than the run uses."""
    if column.start_s <= facts.clock.now_s or facts.asks.due[ask] < FAR:
        return False
    return 2 * column.run_s <= HOUR_S * (column.beyond - column.first)


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
