"""The columns of every ask in one place, the most useful first kept: what prices and search work on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.compiled import compiled, lean, side_by_side
from scheduler.core.market import Ints
from scheduler.core.room import Room, find_open, has
from scheduler.core.scan import (
    Facts,
    Scratch,
    facts_admit,
    new_scratch,
    price_starts,
    price_waits,
    run_on,
    starts_of,
    wish_of,
)
from scheduler.core.tables import FAR
from scheduler.core.worth import (
    BEYOND,
    FIRST,
    NOTHING,
    NUMBER,
    OFFER,
    RUN_COST,
    UTILITY,
    keep_best,
    new_kept,
    value_of,
    worth_at,
)

Shorts = npt.NDArray[np.int16]
Halves = npt.NDArray[np.int32]


class Pool(NamedTuple):
    """Ask `a` has the columns [begin[a], begin[a+1])."""

    begin: Ints
    offer: Halves
    number: Shorts  # of the start
    first: Shorts  # hours touched: [first, beyond)
    beyond: Shorts
    utility: Ints
    run_cost: Ints


NO_START, NOW_ALONE, ANY_START = -1, 0, 1 << 20  # the last start that an ask may take, by number


def pool_of(facts: Facts, room: Room, reach: Ints, most: int, prices: Ints, floors: Ints) -> Pool:
    """Up to `most` columns per ask that keep to every limit and fit what `room` has free: those that leave most,
    but no more of one offer than `of_one_offer` says.

    `reach` says for each ask whether it has columns at all, and whether one that does not start now is one; `prices`
    [offers, hours + 1] is the running sum of what the hours cost; `floors` what a column of each ask must leave.
    """
    parts = side_by_side(
        lambda first, beyond: pool_part(facts, room, reach, most, prices, floors, first, beyond), reach.size
    )
    sizes = np.concatenate([np.diff(part.begin) for part in parts])
    begin = np.zeros(reach.size + 1, dtype=np.int64)
    np.cumsum(sizes, out=begin[1:])
    return Pool(begin, *(np.concatenate(each) for each in list(zip(*parts, strict=True))[1:]))


@lean
def of_one_offer(most: int) -> int:
    """How many of `most` columns may be on one offer: prices want a wide choice where it is small (measured)."""
    return max(2, most * most // 4_096)


@compiled
def pool_part(
    facts: Facts, room: Room, reach: Ints, most: int, prices: Ints, floors: Ints, first: int, beyond: int
) -> Pool:
    """The same for the asks in [first, beyond)."""
    asks = beyond - first
    begin, size = np.zeros(asks + 1, np.int64), asks * most
    pool = Pool(
        begin, np.empty(size, np.int32), np.empty(size, np.int16), np.empty(size, np.int16),
        np.empty(size, np.int16), np.empty(size, np.int64), np.empty(size, np.int64),
    )  # fmt: skip
    kept, scratch = new_kept(facts, most, of_one_offer(most)), new_scratch(facts)
    for ask in range(first, beyond):
        count, at = 0, ask - first
        if reach[ask] != NO_START:
            count = keep_best(facts, ask, room, reach[ask], scratch, prices, floors[ask], kept)
        begin[at + 1] = copy_rows(pool, begin[at], kept.rows, count)
    end = begin[asks]
    return Pool(
        begin, pool.offer[:end], pool.number[:end], pool.first[:end], pool.beyond[:end], pool.utility[:end],
        pool.run_cost[:end],
    )  # fmt: skip


@compiled
def floors_of(pool: Pool, units: Ints, most: int, prices: Ints) -> Ints:
    """What the best `most` columns of each ask leave more than after `prices`: those of the pool prove as much."""
    floors = np.full(units.size, NOTHING)
    for ask in range(units.size):
        begin, beyond = pool.begin[ask], pool.begin[ask + 1]
        if beyond - begin == most:
            floors[ask] = 1 << 62
            for place in range(begin, beyond):
                offer = pool.offer[place]
                paid = prices[offer, pool.beyond[place]] - prices[offer, pool.first[place]]
                floors[ask] = min(floors[ask], pool.utility[place] - units[ask] * paid - 1)
    return floors


@lean
def copy_rows(pool: Pool, at: int, rows: Ints, count: int) -> int:
    """Write the first `count` rows to the pool from place `at` on; the place behind them."""
    for row in range(count):
        pool.offer[at], pool.number[at], pool.utility[at] = rows[row, OFFER], rows[row, NUMBER], rows[row, UTILITY]
        pool.first[at], pool.beyond[at], pool.run_cost[at] = rows[row, FIRST], rows[row, BEYOND], rows[row, RUN_COST]
        at += 1
    return at


@lean
def widest(facts: Facts) -> int:
    """The most columns that any ask can have."""
    lists, most = facts.lists, 1
    for kind in range(lists.begin.size - 1):
        offers = 0
        for entry in range(lists.begin[kind], lists.begin[kind + 1]):
            offers += lists.beyond[entry] - lists.first[entry]
        most = max(most, offers)
    return most * facts.shelf.began.shape[1]


@lean
def find_all(facts: Facts, ask: int, room: Room, scratch: Scratch, found: Ints) -> int:
    """Fill `found` with the row of every column of `ask`; their number."""
    lists, wish, kind, count = facts.lists, wish_of(facts, ask), facts.asks.kind[ask], 0
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        head, pf_milli = lists.offer[lists.first[entry]], lists.pf_milli[entry]
        run_s = run_on(facts, ask, head)
        starts, value = starts_of(facts, ask, run_s), value_of(facts, ask, run_s, pf_milli)
        if starts.low > starts.high or starts.low < 0:
            continue
        price_waits(wish, starts, pf_milli, scratch)
        if price_starts(lists, entry, wish, starts, scratch) == FAR:
            continue
        begin = room.begin[facts.shelf.group[head]]
        if not find_open(room, facts.shelf.group[head], wish.units, starts, scratch.bits):
            continue
        for place in range(lists.first[entry], lists.beyond[entry]):
            offer = lists.offer[place]
            if has(scratch.bits.some, 0, offer - begin) and facts_admit(facts, wish, offer):
                count = worth_at(facts, wish, offer, value, starts, room, scratch, found, count)
    return count


@compiled
def sort_by_left(pool: Pool, units: Ints, prices: Ints) -> None:
    """Put the columns of each ask in the order of what they leave after `prices`, most first.

    `prices` [offers, hours + 1] is the running sum of mm per unit-hour.
    """
    for ask in range(units.size):
        begin, beyond = pool.begin[ask], pool.begin[ask + 1]
        left = np.empty(beyond - begin, np.int64)
        for place in range(begin, beyond):
            offer = pool.offer[place]
            paid = prices[offer, pool.beyond[place]] - prices[offer, pool.first[place]]
            left[place - begin] = pool.utility[place] - units[ask] * paid
        order = begin + np.argsort(-left, kind="mergesort")
        pool.offer[begin:beyond], pool.number[begin:beyond] = pool.offer[order], pool.number[order]
        pool.first[begin:beyond], pool.beyond[begin:beyond] = pool.first[order], pool.beyond[order]
        pool.utility[begin:beyond], pool.run_cost[begin:beyond] = pool.utility[order], pool.run_cost[order]
