"""Due asks first, then by utility per unit-hour (Dantzig 1957), each on the exact best column that is left."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.core.columns import BEYOND, FIELDS, FIRST, OFFER, RUN_COST, RUN_S, read_column, take, write_column
from scheduler.core.compiled import compiled, lean
from scheduler.core.gangs import gang_at, place_gang
from scheduler.core.lists import lists_of
from scheduler.core.market import Ints
from scheduler.core.room import Room, has_units, open_room
from scheduler.core.scan import ANY, PFLOP_HOUR, Clock, Column, Facts, Scratch, best_column, new_scratch
from scheduler.core.tables import ALONE, FAR, PF_MILLI, Table, in_gangs
from scheduler.core.types import HOUR_S

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
        best, _ = best_column(facts, ask, room, scratch, ANY)
        write_column(columns, ask, best)
        like[alike[ask]] = ask
    return columns


@compiled
def place(facts: Facts, order: Ints, first: Ints, room: Room, empty: Room) -> tuple[Ints, int]:
    """Place asks in `order`, taking units of `room`; the columns taken, and how many offers were examined.

    `first` is what `look` found before anything was taken. Units only become fewer: a best column that is still open is
    still the best for all asks alike, and where one found nothing the others will not. A short run does not take a
    later hour only for lack of units now: it waits (docs/decisions/0002), and its gang with it.
    """
    alike, columns = facts.asks.alike, np.full(first.shape, -1, dtype=np.int64)
    last, wished = first.copy(), np.full(alike.size, NOT_ASKED)  # by number of alike: best column, start when empty
    for ask in range(alike.size):
        last[alike[ask]] = first[ask]
    scratch, examined = new_scratch(facts), 0
    for position in range(order.size):
        ask = order[position]
        if facts.asks.gang[ask] != ALONE:
            members = gang_at(facts, order, position)
            starts = 1 if any_would_wait(facts, members, empty, wished, scratch) else room.free.shape[1]
            examined += place_gang(facts, members, starts, room, scratch, columns)
            continue
        number, units = alike[ask], facts.asks.units[ask]
        if last[number, OFFER] < 0:
            continue
        best = read_column(last, number)
        if not has_units(room.free, best.offer, best.first, best.beyond, units):
            best, looked = best_column(facts, ask, room, scratch, ANY)
            examined += looked
            write_column(last, number, best)
            if best.offer < 0:
                continue
        if would_wait(facts, ask, best) and would_start(facts, ask, empty, wished, scratch) <= facts.clock.now_s:
            continue
        take(facts, room, best, units)
        write_column(columns, ask, best)
    return columns, examined


@lean
def would_start(facts: Facts, ask: int, empty: Room, wished: Ints, scratch: Scratch) -> int:
    """When `ask` would start if nothing were promised, looked up once for all asks alike."""
    number = facts.asks.alike[ask]
    if wished[number] == NOT_ASKED:
        best, _ = best_column(facts, ask, empty, scratch, ANY)
        wished[number] = best.start_s
    return wished[number]


@lean
def would_wait(facts: Facts, ask: int, column: Column) -> bool:
    """Whether a column that is not now would block more of its hours than the run uses."""
    if column.start_s <= facts.clock.now_s or facts.asks.due[ask] < FAR:
        return False
    return 2 * column.run_s <= HOUR_S * (column.beyond - column.first)


@lean
def any_would_wait(facts: Facts, members: Ints, empty: Room, wished: Ints, scratch: Scratch) -> bool:
    """Whether one of `members` is so short that it would rather wait for units now."""
    for ask in members:
        short = 2 * facts.asks.run_s[ask] <= HOUR_S and facts.asks.due[ask] == FAR
        if short and would_start(facts, ask, empty, wished, scratch) <= facts.clock.now_s:
            return True
    return False


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
