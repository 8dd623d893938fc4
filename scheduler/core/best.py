"""The columns of one ask that leave most after a price for every hour, the most hopeful offers looked at first.

Exact: the look ends where no offer left can have a column among the best (threshold algorithm; Fagin, Lotem, Naor
2003).
"""

from typing import NamedTuple

from scheduler.core.compiled import compiled, inlined, lean
from scheduler.core.facts import Facts, Scratch, Wish, new_scratch, wish_of
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
    Until,
    find_hopes,
    is_paid_for,
    most_left,
    new_hopes,
    spend,
    starts_until,
)  # fmt: skip
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, has_units
from scheduler.core.scan import hours_admit, own_cost
from scheduler.core.starts import run_on
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
def keep_best(facts: Facts, ask: int, room: Room, until: Until, charged: Charged, floor: int, finder: Finder) -> int:
    """Keep the columns of `ask` that leave most, of those above `floor`, in the heap of `finder`; their number.

    None starts later than `until` says.
    """
    wish, heap, count = wish_of(facts, ask), finder.hopes.heap, 0
    size = find_hopes(facts, wish, room, until, finder.scratch, charged, floor, finder.hopes)
    order_heap(heap, size)
    while size and heap.hope[0] >= HOUR_S * least_kept(finder.kept, count, floor):
        count = keep_on(facts, wish, room, until, charged, floor, finder, count)
        size = drop_top(heap, size)
    return count


@inlined
def keep_on(
    facts: Facts, wish: Wish, room: Room, until: Until, charged: Charged, floor: int, finder: Finder, count: int
) -> int:
    """The same for the starts on the offer on top, from `count` columns on."""
    hopes, kept, one = finder.hopes, finder.kept, finder.one
    offer, slot = hopes.heap.offer[0], hopes.heap.slot[0]
    starts = starts_until(facts, wish.ask, run_on(facts, wish.ask, offer), until)
    spend(facts, offer, starts, charged, hopes.shared[slot], hopes.spent)
    if starts.high - starts.low < one.left.size:
        return keep_starts(facts, wish, room, starts, charged, floor, hopes, kept, count)
    least = least_kept(kept, count, floor)
    found = keep_starts(facts, wish, room, starts, charged, least - 1, hopes, one, 0)
    for place in range(found):
        count = keep_row(kept, count, one.left[place], one.rows[one.row[place]])
    return count


@lean
def keep_starts(
    facts: Facts, wish: Wish, room: Room, starts: Starts, charged: Charged, floor: int, hopes: Hopes, kept: Kept,
    count: int,
) -> int:  # fmt: skip
    """Keep in `kept` those of `starts` on the offer on top that leave more than `floor`, from `count` columns on."""
    offer, slot, column = hopes.heap.offer[0], hopes.heap.slot[0], kept.rows[kept.left.size]
    own, value = own_cost(facts, wish, offer), hopes.value[slot]
    always = NOTHING if is_paid_for(wish, hopes, slot, charged.dearest[offer] + own, starts.run_s) else HOUR_S
    for number in range(starts.low, starts.high + 1):
        row, least = number - starts.low, HOUR_S * least_kept(kept, count, floor)
        if hopes.costs[slot, row] == FAR:
            continue
        if max(most_left(wish, value, own * starts.run_s + hopes.spent[row]), always) < least:
            continue
        left = weigh(facts, wish, offer, value, starts, number, hopes.costs[slot, row], charged.sums, column)
        if HOUR_S * left >= least and admits(facts, wish, starts, column, room.free):
            count = keep_row(kept, count, left, column)
    return count


@inlined
def weigh(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, number: int, cost: int, sums: Ints, row: Ints
) -> int:
    """Write the column of a start to `row`; what it leaves, mm."""
    first, beyond, utility, run_cost = worth_of(facts, wish, offer, value, starts, number, cost)
    write_row(row, offer, number, first, beyond, utility, run_cost)
    return utility - wish.units * int(sums[offer, beyond] - sums[offer, first])


@inlined
def admits(facts: Facts, wish: Wish, starts: Starts, row: Ints, free: Ints) -> bool:
    """Whether the column `row` has its units, and keeps to the bounds on its hours."""
    if not has_units(free, row[OFFER], row[FIRST], row[BEYOND], wish.units):
        return False
    return hours_admit(facts, wish, row[OFFER], starts, row[NUMBER], free)
