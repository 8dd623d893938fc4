"""The columns of one ask with what they are worth, and the most that any leaves after a price for every hour."""

import numpy as np

from scheduler.core.bounds import span_total
from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, find_open, has, span_of, start_of, words_of
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
OFFER, NUMBER, FIRST, BEYOND, UTILITY, RUN_COST = range(FIELDS)  # of a row that worth_at writes; NUMBER: of the start


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
def utility_of(value: int, units: int, run_cost: int) -> int:
    """U of a column whose run costs `run_cost` mm per unit."""
    return max(1, value - units * run_cost)


@lean
def most_left(facts: Facts, ask: int, prices: Ints, room: Room, scratch: Scratch, rows: Ints) -> int:
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
        if starts.low > starts.high or utility_of(value, wish.units, lists.least[entry] * run_s // HOUR_S) <= most:
            continue
        price_waits(wish, starts, pf_milli, scratch)
        if price_starts(lists, entry, wish, starts, scratch) < FAR:
            most = left_in(facts, wish, entry, value, starts, prices, room, scratch, rows, most)
    return most


@lean
def left_in(
    facts: Facts, wish: Wish, entry: int, value: int, starts: Starts, prices: Ints, room: Room, scratch: Scratch,
    rows: Ints, most: int,
) -> int:  # fmt: skip
    """`most`, or more if a column of one group leaves it."""
    lists, group = facts.lists, facts.shelf.group[facts.lists.offer[facts.lists.first[entry]]]
    if not find_open(room, group, wish.units, starts, scratch.bits):
        return most
    shared = cheapest_open(starts, words_of(room, group), scratch)
    for place in range(lists.first[entry], lists.beyond[entry] if shared < FAR else lists.first[entry]):
        if utility_of(value, wish.units, (lists.own[place] * starts.run_s + shared) // HOUR_S) <= most:
            break  # as would all behind it
        offer = lists.offer[place]
        if not has(scratch.bits.some, 0, offer - room.begin[group]) or not facts_admit(facts, wish, offer):
            continue
        for row in range(worth_at(facts, wish, offer, value, starts, room, scratch, rows, 0)):
            paid = prices[offer, rows[row, BEYOND]] - prices[offer, rows[row, FIRST]]
            most = max(most, rows[row, UTILITY] - wish.units * paid)
    return most


@lean
def worth_at(
    facts: Facts, wish: Wish, offer: int, value: int, starts: Starts, room: Room, scratch: Scratch, rows: Ints,
    count: int,
) -> int:  # fmt: skip
    """Add to `rows`, behind the first `count`, a row for every column on `offer` that is open; the new count.

    `scratch` holds what `price_starts` and `find_open` say of the group.
    """
    shelf, run_s, group = facts.shelf, starts.run_s, facts.shelf.group[offer]
    words, place, pf_milli = words_of(room, group), offer - room.begin[group], shelf.facts[PF_MILLI, offer]
    latency = own_cost(facts, wish, offer) * run_s
    for number in range(starts.low, starts.high + 1):
        row = number - starts.low
        if scratch.costs[row] == FAR or not has(scratch.bits.open, row * words, place):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        first, skipped, stop, rest = span_of(starts, number)
        spent = span_total(shelf, PRICE, offer, first, skipped, stop, rest) + latency + scratch.costs[row]
        run_cost = spent // HOUR_S + waited(wish, pf_milli, run_s, start_of(starts, number, wish.first_s))
        rows[count, OFFER], rows[count, NUMBER], rows[count, FIRST], rows[count, BEYOND] = (
            offer, number, first, stop + (rest > 0)
        )  # fmt: skip
        rows[count, UTILITY], rows[count, RUN_COST] = utility_of(value, wish.units, run_cost), run_cost
        count += 1
    return count
