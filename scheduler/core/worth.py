"""The columns of one ask with what they are worth, and the most that any leaves after a price for every hour."""

from typing import NamedTuple

import numpy as np

from scheduler.core.bounds import span_total
from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, between, find_open, has, span_of, start_of, words_of
from scheduler.core.scan import (
    PFLOP_HOUR,
    Facts,
    Scratch,
    Wish,
    cheapest_open,
    facts_admit,
    hours_admit,
    own_cost,
    price_starts,
    price_waits,
    run_on,
    starts_of,
    waited,
    wish_of,
)  # fmt: skip
from scheduler.core.tables import FAR, PF_MILLI, PRICE
from scheduler.core.types import HOUR_S

FIELDS = 6
OFFER, NUMBER, FIRST, BEYOND, UTILITY, RUN_COST = range(FIELDS)  # of a row that write_row writes; NUMBER: of the start
NOTHING = -(1 << 50)  # less than any column leaves


class Kept(NamedTuple):
    """The columns of one ask that leave most so far, with what they leave as a heap: the least lies on top."""

    rows: Ints  # [most, FIELDS]
    left: Ints  # [most] the heap, mm
    row: Ints  # [most] the row that belongs to each place of the heap
    above: Ints  # [starts] of one offer: no less than what each start leaves, in 3600ths of a mm
    each: int  # of one offer at most


@compiled
def new_kept(facts: Facts, most: int, each: int) -> Kept:
    """Room for `most` columns, `each` of one offer at most."""
    starts = facts.shelf.values.shape[2] + 1
    return Kept(
        np.zeros((most, FIELDS), np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64),
        np.zeros(starts, np.int64), each,
    )  # fmt: skip


@lean
def value_of(facts: Facts, ask: int, run_s: int, pf_milli: int) -> int:
    """V = work*value of a run, mm; the product is split so that it stays within 64 bits (matching.md, section 5)."""
    asks = facts.asks
    stated = asks.run_s[ask] * asks.reference_pf[ask]
    work = stated if stated else run_s * pf_milli
    whole, part = divmod(asks.units[ask] * work, PFLOP_HOUR)
    return whole * asks.value[ask] + part * asks.value[ask] // PFLOP_HOUR


@lean
def utility_of(value: int, units: int, run_cost: int) -> int:
    """U of a column whose run costs `run_cost` mm per unit."""
    return max(1, value - units * run_cost)


@lean
def keep_best(
    facts: Facts, ask: int, room: Room, until: int, scratch: Scratch, prices: Ints, floor: int, kept: Kept
) -> int:
    """Fill `kept` with the columns of `ask` that leave most after `prices`, of those above `floor`; their number.

    `prices` [offers, hours + 1] is the running sum of mm per unit-hour, never negative: a column leaves at most what it
    would at no price, so the search stops where that is too little. Of equal columns the first found stays.
    """
    lists, wish, kind, count = facts.lists, wish_of(facts, ask), facts.asks.kind[ask], 0
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        run_s, pf_milli = run_on(facts, ask, lists.offer[lists.first[entry]]), lists.pf_milli[entry]
        starts, value = starts_of(facts, ask, run_s), value_of(facts, ask, run_s, pf_milli)
        starts = between(starts, starts.low, min(starts.high, until))
        if starts.low > starts.high:
            continue
        most = utility_of(value, wish.units, lists.least[entry] * run_s // HOUR_S)
        if most <= least_kept(kept, count, floor):
            continue
        price_waits(wish, starts, pf_milli, scratch)
        if price_starts(lists, entry, wish, starts, scratch) < FAR:
            count = keep_in(facts, wish, entry, value, starts, prices, room, scratch, floor, kept, count)
    return count


@lean
def keep_in(
    facts: Facts, wish: Wish, entry: int, value: int, starts: Starts, prices: Ints, room: Room, scratch: Scratch,
    floor: int, kept: Kept, count: int,
) -> int:  # fmt: skip
    """The same for the offers of one group, from `count` columns on."""
    lists, group = facts.lists, facts.shelf.group[facts.lists.offer[facts.lists.first[entry]]]
    if not find_open(room, group, wish.units, starts, scratch.bits):
        return count
    shared = cheapest_open(starts, words_of(room, group), scratch)
    for place in range(lists.first[entry], lists.beyond[entry] if shared < FAR else lists.first[entry]):
        most = utility_of(value, wish.units, (lists.own[place] * starts.run_s + shared) // HOUR_S)
        if most <= least_kept(kept, count, floor):
            break  # as would all behind it
        offer = lists.offer[place]
        if has(scratch.bits.some, 0, offer - room.begin[group]) and facts_admit(facts, wish, offer):
            count = keep_on(facts, wish, offer, value, starts, prices, room, scratch, floor, kept, count)
    return count


@lean
def keep_on(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, prices: Ints, room: Room, scratch: Scratch,
    floor: int, kept: Kept, count: int,
) -> int:  # fmt: skip
    """The same for the starts on one offer, best first. Few leave enough: only those are looked at closely."""
    group, units = facts.shelf.group[offer], wish.units
    words, place = words_of(room, group), offer - room.begin[group]
    bound_starts(facts, wish, offer, value, starts, prices[offer], scratch, kept.above)
    starting, found = starts.high - starts.low + 1, 0
    while found < kept.each:
        row = most_of(kept.above, starting)
        least = least_kept(kept, count, floor)
        if kept.above[row] <= HOUR_S * least:
            break
        kept.above[row] = NOTHING * HOUR_S
        number = starts.low + row
        if scratch.costs[row] == FAR or not has(scratch.bits.open, row * words, place):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        first, beyond, utility, run_cost = worth_of(facts, wish, offer, value, starts, number, scratch)
        left = utility - units * (prices[offer, beyond] - prices[offer, first])
        if left > least:
            at = take_place(kept, count, left)
            count, found = min(count + 1, kept.left.size), found + 1
            write_row(kept.rows, at, offer, number, first, beyond, utility, run_cost)
    return count


@lean
def most_of(values: Ints, count: int) -> int:
    """The first of the largest of `count` values."""
    best = 0
    for place in range(1, count):
        if values[place] > values[best]:
            best = place
    return best


@lean
def bound_starts(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, paid: Ints, scratch: Scratch, above: Ints
) -> None:
    """Write no less than what each start on `offer` leaves after `paid`, in 3600ths of a mm: without a division."""
    shelf, number, row = facts.shelf, starts.low, 0
    most = HOUR_S * (value + wish.units) - wish.units * own_cost(facts, wish, offer) * starts.run_s
    if number == starts.odd:
        first, skipped, stop, rest = span_of(starts, number)
        spent = span_total(shelf, PRICE, offer, first, skipped, stop, rest) + scratch.costs[0] + scratch.waits[0]
        given = HOUR_S * wish.units * (paid[stop + (rest > 0)] - paid[first])
        above[0] = max(most - wish.units * spent, HOUR_S) - given
        number, row = number + 1, 1
    count, stop = starts.high - number + 1, number + starts.whole
    if count > 0:
        bound_runs(
            shelf.until[PRICE, offer, number : number + count], shelf.until[PRICE, offer, stop:],
            shelf.values[PRICE, offer, stop:], starts.part, paid[number:], paid[stop + (starts.part > 0) :],
            scratch.costs[row:], scratch.waits[row:], most, wish.units, above[row:],
        )  # fmt: skip


@lean
def bound_runs(
    before: Ints, until: Ints, price: Ints, part: int, paid: Ints, paid_until: Ints, costs: Ints, waits: Ints,
    most: int, units: int, above: Ints,
) -> None:  # fmt: skip
    """The same for starts an hour apart, many in one step of the machine."""
    for row in range(before.size):
        spent = until[row] - before[row] + price[row] * part + costs[row] + waits[row]
        above[row] = max(most - units * spent, HOUR_S) - HOUR_S * units * (paid_until[row] - paid[row])


@lean
def least_kept(kept: Kept, count: int, floor: int) -> int:
    """What a column must leave more than to be kept."""
    return kept.left[0] if count == kept.left.size else floor


@lean
def take_place(kept: Kept, count: int, left: int) -> int:
    """The row for a column that leaves `left`: a new one, or that of the one that leaves least (Williams 1964)."""
    heap, row = kept.left, kept.row
    if count < heap.size:
        place, mine = count, count
        while place > 0 and heap[(place - 1) // 2] > left:
            heap[place], row[place] = heap[(place - 1) // 2], row[(place - 1) // 2]
            place = (place - 1) // 2
    else:
        place, mine, child = 0, row[0], 1
        while child < heap.size:
            if child + 1 < heap.size and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= left:
                break
            heap[place], row[place] = heap[child], row[child]
            place, child = child, 2 * child + 1
    heap[place], row[place] = left, mine
    return int(mine)


@lean
def worth_at(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, room: Room, scratch: Scratch, rows: Ints,
    count: int,
) -> int:  # fmt: skip
    """Add to `rows`, behind the first `count`, a row for every column on `offer` that is open; the new count.

    `scratch` holds what `price_starts` and `find_open` say of the group.
    """
    group = facts.shelf.group[offer]
    words, place = words_of(room, group), offer - room.begin[group]
    for number in range(starts.low, starts.high + 1):
        row = number - starts.low
        if scratch.costs[row] == FAR or not has(scratch.bits.open, row * words, place):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        first, beyond, utility, run_cost = worth_of(facts, wish, offer, value, starts, number, scratch)
        write_row(rows, count, offer, number, first, beyond, utility, run_cost)
        count += 1
    return count


@lean
def worth_of(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, number: int, scratch: Scratch
) -> tuple[int, int, int, int]:
    """(first hour, hour beyond the last, utility, run cost per unit) of a start; the last two in mm."""
    run_s, pf_milli = starts.run_s, facts.shelf.facts[PF_MILLI, offer]
    first, skipped, stop, rest = span_of(starts, number)
    spent = span_total(facts.shelf, PRICE, offer, first, skipped, stop, rest) + own_cost(facts, wish, offer) * run_s
    waiting = waited(wish, pf_milli, run_s, start_of(starts, number, wish.first_s))
    run_cost = (spent + scratch.costs[number - starts.low]) // HOUR_S + waiting
    return first, stop + (rest > 0), utility_of(value, wish.units, run_cost), run_cost


@lean
def write_row(
    rows: Ints, at: int, offer: int, number: int, first: int, beyond: int, utility: int, run_cost: int
) -> None:
    """Set row `at`."""
    rows[at, OFFER], rows[at, NUMBER], rows[at, FIRST], rows[at, BEYOND] = offer, number, first, beyond
    rows[at, UTILITY], rows[at, RUN_COST] = utility, run_cost
