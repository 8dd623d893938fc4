"""The columns of one ask with what they are worth, and the most that any leaves after a price for every hour."""

import numpy as np

from scheduler.core.bounds import hours_fit
from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, may_hold, need_of, span_of, start_of
from scheduler.core.scan import (
    PFLOP_HOUR,
    Facts,
    Wish,
    facts_admit,
    least_shared,
    price_hours,
    run_on,
    starts_of,
    wish_of,
)  # fmt: skip
from scheduler.core.tables import FAR, PF_MILLI, Shelf
from scheduler.core.types import HOUR_S

FIELDS = 5
OFFER, NUMBER, FIRST, BEYOND, UTILITY = range(FIELDS)  # of a row that worth_at writes; NUMBER is that of the start


@compiled
def new_rows(facts: Facts) -> Ints:
    """Room for every column of one ask on one offer."""
    return np.empty((facts.shelf.began.shape[1] + 1, FIELDS), dtype=np.int64)


@lean
def value_of(facts: Facts, ask: int, run_s: int, pf_milli: int) -> int:
    """V = work*value of a run, mm; the product is split so that it stays within 64 bits (matching.md, section 5)."""
    asks = facts.asks
    stated = asks.run_s[ask] * asks.reference_pf[ask]
    work = stated if stated else run_s * pf_milli
    whole, part = divmod(asks.units[ask] * work, PFLOP_HOUR)
    return whole * asks.value[ask] + part * asks.value[ask] // PFLOP_HOUR


@lean
def most_left(facts: Facts, ask: int, prices: Ints, room: Room, scratch: Ints, rows: Ints) -> int:
    """The most that a column of `ask` leaves of its utility after `prices`, mm; 0 where none leaves anything.

    `prices` [offers, hours + 1] is the running sum of mm per unit-hour, never negative: a column leaves at most what it
    would at no price, so the search stops where that is too little.
    """
    lists, kind, wish, most = facts.lists, facts.asks.kind[ask], wish_of(facts, ask), 0
    starts = starts_of(facts, ask, run_on(facts, ask, 0))
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        run_s, pf_milli = run_on(facts, ask, lists.offer[lists.first[entry]]), lists.pf_milli[entry]
        if run_s != starts.run_s:
            starts = starts_of(facts, ask, run_s)
        value = value_of(facts, ask, run_s, pf_milli)
        if starts.low > starts.high or utility_of(value, wish.units, lists.least[entry] * run_s) <= most:
            continue
        shared = least_shared(lists.shared, lists.share, entry, wish, starts, pf_milli)
        if shared < FAR:
            most = left_in(facts, wish, entry, value, shared, starts, prices, room, scratch, rows, most)
    return most


@lean
def utility_of(value: int, units: int, spent: int) -> int:
    """U of a column that costs `spent` mm x seconds per unit-hour."""
    return max(1, value - units * (spent // HOUR_S))


@lean
def left_in(
    facts: Facts, wish: Wish, entry: int, value: int, shared: int, starts: Starts, prices: Ints, room: Room,
    scratch: Ints, rows: Ints, most: int,
) -> int:  # fmt: skip
    """`most`, or more if a column of one group leaves it."""
    lists, need = facts.lists, need_of(wish.units, starts)
    for place in range(lists.first[entry], lists.beyond[entry]):
        if utility_of(value, wish.units, lists.own[place] * starts.run_s + shared) <= most:
            break  # as would all behind it
        offer = lists.offer[place]
        if not may_hold(room, need, offer) or not facts_admit(facts, wish, offer):
            continue
        count = worth_at(facts.shelf, facts.asks.bounds, wish, offer, value, starts, room.free, scratch, rows, 0)
        for row in range(count):
            paid = prices[offer, rows[row, BEYOND]] - prices[offer, rows[row, FIRST]]
            most = max(most, rows[row, UTILITY] - wish.units * paid)
    return most


@lean
def worth_at(
    shelf: Shelf, bounds: Ints, wish: Wish, offer: int, value: int, starts: Starts, free: Ints, scratch: Ints,
    rows: Ints, count: int,
) -> int:  # fmt: skip
    """Add to `rows`, behind the first `count`, a row for every column on `offer` that is open; the new count."""
    price_hours(shelf, wish, offer, starts, scratch)
    units, run_s = wish.units, starts.run_s
    waiting = wish.waiting_value * shelf.facts[PF_MILLI, offer] // 1000 * run_s
    seen, shut = span_of(starts, starts.low)[0], -1
    for number in range(starts.low, starts.high + 1):
        first, skipped, stop, rest = span_of(starts, number)
        beyond = stop + (rest > 0)
        while seen < beyond:
            if free[offer, seen] < units:
                shut = seen
            seen += 1
        if shut >= first:
            continue
        if wish.bound & 2 and not hours_fit(
            shelf, bounds, wish.ask, units, offer, run_s, first, skipped, stop, rest
        ):  # fmt: skip
            continue
        spent = scratch[1, stop] - scratch[1, first] + scratch[0, stop] * rest - scratch[0, first] * skipped
        start = start_of(starts, number, wish.first_s)
        run_cost = spent // HOUR_S + waiting * max(0, start - wish.ready_s) // HOUR_S**2
        rows[count, OFFER], rows[count, NUMBER], rows[count, FIRST], rows[count, BEYOND] = offer, number, first, beyond
        rows[count, UTILITY] = max(1, value - units * run_cost)
        count += 1
    return count
