"""The columns of one ask that leave most after a price for every hour, the most hopeful offers looked at first.

Exact: the look ends where no offer left can have a column among the best (threshold algorithm; Fagin, Lotem, Naor
2003).
"""

from typing import NamedTuple

from scheduler.core.compiled import compiled, lean
from scheduler.core.heaps import (
    BEYOND,
    FIRST,
    NUMBER,
    OFFER,
    Kept,
    drop_top,
    keep_row,
    least_kept,
    new_kept,
    order_heap,
    write_row,
)
from scheduler.core.hopes import (
    Charged,
    Hopes,
    find_hopes,
    is_paid_for,
    most_left,
    new_hopes,
    spend,
    starts_until,
)  # fmt: skip
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, has_units
from scheduler.core.scan import Facts, Scratch, Wish, hours_admit, new_scratch, own_cost, run_on, wish_of
from scheduler.core.tables import FAR
from scheduler.core.types import HOUR_S
from scheduler.core.worth import worth_of

NOTHING = -(1 << 50)  # less than any column leaves


class Finder(NamedTuple):
    """What looking for the best columns of one ask needs, and where they are found."""

    scratch: Scratch
    hopes: Hopes
    kept: Kept
    one: Kept  # of a single offer


@compiled
def new_finder(facts: Facts, most: int, each: int) -> Finder:
    """Room for `most` columns, `each` of one offer at most."""
    starts = facts.shelf.values.shape[2] + 1
    return Finder(new_scratch(facts), new_hopes(facts), new_kept(most), new_kept(min(each, starts)))


@lean
def keep_best(facts: Facts, ask: int, room: Room, until: int, charged: Charged, floor: int, finder: Finder) -> int:
    """Keep the columns of `ask` that leave most, of those above `floor`, in the heap of `finder`; their number.

    None starts later than that of number `until`.
    """
    wish, heap, count = wish_of(facts, ask), finder.hopes.heap, 0
    size = find_hopes(facts, wish, room, until, finder.scratch, charged, floor, finder.hopes)
    order_heap(heap, size)
    while size and heap.hope[0] >= HOUR_S * least_kept(finder.kept, count, floor):
        count = keep_on(facts, wish, room, until, charged, floor, finder, count)
        size = drop_top(heap, size)
    return count


@lean
def keep_on(
    facts: Facts, wish: Wish, room: Room, until: int, charged: Charged, floor: int, finder: Finder, count: int
) -> int:
    """The same for the starts on the offer on top, from `count` columns on."""
    hopes, kept, one, found = finder.hopes, finder.kept, finder.one, 0
    offer, slot = hopes.heap.offer[0], hopes.heap.slot[0]
    starts, own = starts_until(facts, wish.ask, run_on(facts, wish.ask, offer), until), own_cost(facts, wish, offer)
    spend(facts, offer, starts, charged, hopes.shared[slot], hopes.spent)
    value, way = hopes.value[slot], own * starts.run_s
    always = NOTHING if is_paid_for(wish, hopes, slot, charged.dearest[offer] + own, starts.run_s) else HOUR_S
    for number in range(starts.low, starts.high + 1):
        row = number - starts.low
        least = max(least_kept(kept, count, floor), least_kept(one, found, floor))
        if hopes.costs[slot, row] == FAR:
            continue
        if max(most_left(wish, value, way + hopes.spent[row]), always) < HOUR_S * least:
            continue
        left = weigh(facts, wish, offer, value, starts, number, hopes.costs[slot, row], charged.sums, one.rows)
        column = one.rows[one.left.size]
        if left >= least and admits(facts, wish, starts, column, room.free):
            found = keep_row(one, found, left, column)
    for place in range(found):
        if one.left[place] >= least_kept(kept, count, floor):
            count = keep_row(kept, count, one.left[place], one.rows[one.row[place]])
    return count


@lean
def weigh(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, number: int, cost: int, sums: Ints, rows: Ints
) -> int:
    """Write the column of a start to the last of `rows`; what it leaves, mm."""
    first, beyond, utility, run_cost = worth_of(facts, wish, offer, value, starts, number, cost)
    write_row(rows, rows.shape[0] - 1, offer, number, first, beyond, utility, run_cost)
    return utility - wish.units * int(sums[offer, beyond] - sums[offer, first])


@lean
def admits(facts: Facts, wish: Wish, starts: Starts, row: Ints, free: Ints) -> bool:
    """Whether the column `row` has its units, and keeps to the bounds on its hours."""
    if not has_units(free, row[OFFER], row[FIRST], row[BEYOND], wish.units):
        return False
    return hours_admit(facts, wish, row[OFFER], starts, row[NUMBER], free)
