"""The columns of every ask in one place, the most useful first kept: what prices and search work on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.best import NOTHING, keep_best, new_finder
from scheduler.core.compiled import compiled, lean, side_by_side
from scheduler.core.facts import Facts, Scratch, wish_of
from scheduler.core.heaps import BEYOND, FIRST, NUMBER, OFFER, RUN_COST, UTILITY
from scheduler.core.hopes import Charged, Until, charged_of
from scheduler.core.market import Halves, Ints
from scheduler.core.room import Room, has
from scheduler.core.scan import facts_admit, find_offers
from scheduler.core.starts import price_starts, price_waits, run_on, starts_of
from scheduler.core.tables import FAR
from scheduler.core.worth import value_of, worth_at

Shorts = npt.NDArray[np.int16]


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
LONG, SHORT = range(2)


def pool_of(facts: Facts, room: Room, reach: Ints, most: int, prices: Ints, floors: Ints) -> Pool:
    """Up to `most` columns per ask that keep to every limit and fit what `room` has free: those that leave most,
    but no more of one offer than `of_one_offer` says.

    `reach` [asks, 2] says for each ask up to which start it has columns, as Until does, NO_START where there are none;
    `prices` [offers, hours + 1] is the running sum of what the hours cost; `floors` what a column must leave.
    """
    charged, order, counts = charged_of(facts, prices), by_choice(facts), np.zeros(reach.shape[0], np.int64)
    pool = empty_pool(reach.shape[0] * most)
    side_by_side(
        lambda first, beyond: fill_pool(
            facts, room, reach, most, charged, floors, order[first:beyond], pool, counts),
        reach.shape[0],
    )  # fmt: skip
    return pack(pool, counts, most)


def by_choice(facts: Facts) -> Ints:
    """All asks in an order in which neighbours look at the same offers, and both halves are as much work."""
    order = np.argsort(facts.tastes.mask[facts.asks.kind], kind="stable")
    return np.concatenate([order[0::2], order[1::2]])


@compiled
def empty_pool(size: int) -> Pool:
    """Room for `size` columns."""
    return Pool(
        np.zeros(1, np.int64), np.empty(size, np.int32), np.empty(size, np.int16), np.empty(size, np.int16),
        np.empty(size, np.int16), np.empty(size, np.int64), np.empty(size, np.int64),
    )  # fmt: skip


@lean
def of_one_offer(most: int) -> int:
    """How many of `most` columns may be on one offer: prices want a wide choice where it is small (measured)."""
    return max(2, most * most // 4_096)


@compiled
def fill_pool(
    facts: Facts, room: Room, reach: Ints, most: int, charged: Charged, floors: Ints, asks: Ints, pool: Pool,
    counts: Ints,
) -> None:  # fmt: skip
    """Write the columns of `asks`, those of ask `a` from place a*most on, and how many each has."""
    finder = new_finder(facts, most, of_one_offer(most))
    for ask in asks:
        until = Until(reach[ask, LONG], reach[ask, SHORT])
        if until.long != NO_START:
            counts[ask] = keep_best(facts, ask, room, until, charged, floors[ask], finder)
            copy_rows(pool, ask * most, finder.kept.rows, in_order(finder.kept.rows, counts[ask]))


@compiled
def pack(pool: Pool, counts: Ints, most: int) -> Pool:
    """Close the gaps between the columns of one ask and the next."""
    begin = np.zeros(counts.size + 1, np.int64)
    for ask in range(counts.size):
        to, at = begin[ask], ask * most
        begin[ask + 1] = to + counts[ask]
        for place in range(counts[ask]):
            copy_column(pool, at + place, to + place)
    end = begin[counts.size]
    return Pool(
        begin, pool.offer[:end], pool.number[:end], pool.first[:end], pool.beyond[:end], pool.utility[:end],
        pool.run_cost[:end],
    )  # fmt: skip


@lean
def copy_column(pool: Pool, at: int, to: int) -> None:
    """Write the column at place `at` to place `to` as well."""
    pool.offer[to], pool.number[to], pool.first[to] = pool.offer[at], pool.number[at], pool.first[at]
    pool.beyond[to], pool.utility[to], pool.run_cost[to] = pool.beyond[at], pool.utility[at], pool.run_cost[at]


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


@compiled
def in_order(rows: Ints, count: int) -> Ints:
    """The numbers of the first `count` rows, by offer and then by start."""
    starts, most = 1 << 15, rows.shape[0]
    keys = (rows[:count, OFFER] * starts + rows[:count, NUMBER]) * most + np.arange(count)
    return np.sort(keys) % most


@lean
def copy_rows(pool: Pool, at: int, rows: Ints, order: Ints) -> None:
    """Write rows in `order` to the pool from place `at` on."""
    for row in order:
        pool.offer[at], pool.number[at], pool.utility[at] = rows[row, OFFER], rows[row, NUMBER], rows[row, UTILITY]
        pool.first[at], pool.beyond[at], pool.run_cost[at] = rows[row, FIRST], rows[row, BEYOND], rows[row, RUN_COST]
        at += 1


@lean
def widest(facts: Facts) -> int:
    """The most columns that any ask can have."""
    lists, most = facts.lists, 1
    for kind in range(lists.begin.size - 1):
        most = max(most, lists.size[lists.begin[kind] : lists.begin[kind + 1]].sum())
    return most * facts.shelf.began.shape[1]


@lean
def find_all(facts: Facts, ask: int, room: Room, scratch: Scratch, found: Ints) -> int:
    """Fill `found` with the row of every column of `ask`; their number."""
    lists, wish, kind, count = facts.lists, wish_of(facts, ask), facts.asks.kind[ask], 0
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        pf_milli = lists.pf_milli[entry]
        run_s = run_on(facts, ask, lists.head[entry])
        starts, value = starts_of(facts, ask, run_s), value_of(facts, ask, run_s, pf_milli)
        if starts.low > starts.high or starts.low < 0:
            continue
        price_waits(wish, starts, pf_milli, scratch)
        if price_starts(lists, entry, wish, starts, scratch) == FAR:
            continue
        if not find_offers(facts, wish, entry, starts, room, scratch):
            continue
        group = lists.group[entry]
        for offer in range(room.begin[group], room.begin[group + 1]):
            if has(scratch.bits.some, offer - room.begin[group]) and facts_admit(facts, wish, offer):
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
