"""What each offer can leave an ask at most after a price for every hour: a bound that takes no division.

All offers of a group share what its hours cost for green and carbon and what waiting costs. An offer adds what it asks
and what its hours are priced at; both lie in one running sum, so that a start takes three numbers to look at.
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.bounds import most_asked, span_total
from scheduler.core.compiled import compiled, inlined, lean
from scheduler.core.facts import Facts, Scratch, Wish
from scheduler.core.heaps import Heap, new_heap
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, between, has, span_of
from scheduler.core.scan import facts_admit, find_offers, own_cost
from scheduler.core.starts import price_starts, price_waits, run_on, starts_of
from scheduler.core.tables import FAR, PRICE
from scheduler.core.types import HOUR_S
from scheduler.core.worth import value_of


class Until(NamedTuple):
    """The number of the last start that an ask may take, where it runs for long and where half an hour at most.

    A short run would waste most of a later hour (docs/decisions/0002); how long one runs depends on the class.
    """

    long: int
    short: int


class Charged(NamedTuple):
    """What the hours of each offer cost: what it asks, and the price of the hour.

    An hour that a run only begins is priced whole, though only its seconds are paid for.
    """

    sums: Ints  # [offers, hours + 1] running sum of the prices, mm per unit-hour
    until: Ints  # [offers, hours + 1] running sum of both, mm x seconds
    past: Ints  # [offers, hours + 1] the same with the price of the hour that begins there
    dearest: Ints  # [offers] the most that an hour asks, mm


class Hopes(NamedTuple):
    """The offers of one ask by what they can leave, and by group ("slot") what its offers share, by start."""

    heap: Heap
    value: Ints  # [slots]
    costs: Ints  # [slots, starts] green and carbon, mm x seconds per unit-hour; FAR where too little is renewable
    shared: Ints  # [slots, starts] the same with at least what waiting costs
    dearest: Ints  # [slots] the most of `shared` that is not FAR
    spent: Ints  # [starts] of one offer, likewise: what is shared, asked and priced


@compiled
def charged_of(facts: Facts, sums: Ints) -> Charged:
    """What hours cost where their prices have the running sum `sums`."""
    asked = facts.shelf.until[PRICE]
    until = asked + HOUR_S * sums
    past = until.copy()
    past[:, :-1] += HOUR_S * (sums[:, 1:] - sums[:, :-1])
    dearest = np.zeros(sums.shape[0], np.int64)
    for offer in range(sums.shape[0]):
        dearest[offer] = facts.shelf.values[PRICE, offer].max()
    return Charged(sums, until, past, dearest)


@compiled
def new_hopes(facts: Facts) -> Hopes:
    """Room for the offers of any ask."""
    lists, slots, offers, starts = facts.lists, 1, 1, facts.shelf.values.shape[2] + 1
    for kind in range(lists.begin.size - 1):
        sizes = lists.size[lists.begin[kind] : lists.begin[kind + 1]]
        slots, offers = max(slots, sizes.size), max(offers, sizes.sum())
    return Hopes(
        new_heap(offers), np.zeros(slots, np.int64), np.zeros((slots, starts), np.int64),
        np.zeros((slots, starts), np.int64), np.zeros(slots, np.int64), np.zeros(starts, np.int64),
    )  # fmt: skip


@inlined
def starts_until(facts: Facts, ask: int, run_s: int, until: Until) -> Starts:
    """The starts of a run of `run_s` seconds up to the last that it may take."""
    starts, last = starts_of(facts, ask, run_s), until.short if is_short(run_s) else until.long
    return between(starts, starts.low, min(starts.high, last))


@inlined
def is_short(run_s: int) -> bool:
    """Whether a run uses no more than half of an hour."""
    return 2 * run_s <= HOUR_S


@lean
def find_hopes(
    facts: Facts, wish: Wish, room: Room, until: Until, scratch: Scratch, charged: Charged, floor: int, hopes: Hopes
) -> int:
    """Fill `hopes` with the offers that can leave more than `floor`, in no order; their number."""
    lists, kind, found, waits_of = facts.lists, facts.asks.kind[wish.ask], 0, 0
    starts = starts_until(facts, wish.ask, run_on(facts, wish.ask, 0), until)
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        pf_milli = lists.pf_milli[entry]
        run_s = run_on(facts, wish.ask, lists.head[entry])
        if run_s != starts.run_s:
            starts, waits_of = starts_until(facts, wish.ask, run_s, until), 0
        if starts.low > starts.high:
            continue
        if waits_of != pf_milli:
            price_waits(wish, starts, pf_milli, scratch)
            waits_of = pf_milli
        if price_starts(lists, entry, wish, starts, scratch) == FAR:
            continue
        if find_offers(facts, wish, entry, starts, room, scratch):
            slot = entry - lists.begin[kind]
            hopes.value[slot] = value_of(facts, wish.ask, run_s, pf_milli)
            share_out(hopes, slot, starts.high - starts.low + 1, scratch)
            found = find_in(facts, wish, entry, starts, room, scratch, charged, floor, hopes, found)
    return found


@inlined
def share_out(hopes: Hopes, slot: int, count: int, scratch: Scratch) -> None:
    """Note what all offers of a group share from each of `count` starts on."""
    hopes.dearest[slot] = 0
    for row in range(count):
        hopes.costs[slot, row], hopes.shared[slot, row] = scratch.costs[row], FAR
        if scratch.costs[row] < FAR:
            hopes.shared[slot, row] = scratch.costs[row] + scratch.waits[row]
            hopes.dearest[slot] = max(hopes.dearest[slot], hopes.shared[slot, row])


@inlined
def find_in(
    facts: Facts, wish: Wish, entry: int, starts: Starts, room: Room, scratch: Scratch, charged: Charged, floor: int,
    hopes: Hopes, found: int,
) -> int:  # fmt: skip
    """The same for the offers of one group, from `found` on."""
    lists, heap, slot = facts.lists, hopes.heap, entry - facts.lists.begin[facts.asks.kind[wish.ask]]
    begin, beyond = room.begin[lists.group[entry]], room.begin[lists.group[entry] + 1]
    most, shared = most_asked(facts.asks.bounds, wish.ask, lists.pf_milli[entry]), hopes.shared[slot]
    for offer in range(begin, beyond):
        if lists.cheapest[offer] > most:
            break  # as do all behind it
        if not has(scratch.bits.some, offer - begin) or not facts_admit(facts, wish, offer):
            continue
        own = own_cost(facts, wish, offer)
        least = least_spent(facts, offer, starts, charged, shared)
        hope = most_left(wish, hopes.value[slot], own * starts.run_s + least) if least < FAR else HOUR_S * floor
        if not is_paid_for(wish, hopes, slot, charged.dearest[offer] + own, starts.run_s):
            hope = max(hope, HOUR_S)
        if hope >= HOUR_S * (floor + 1):
            heap.hope[found], heap.offer[found], heap.slot[found] = hope, offer, slot
            found += 1
    return found


@inlined
def most_left(wish: Wish, value: int, spent: int) -> int:
    """No less than what a start leaves that spends as much, in 3600ths of a mm; its cost was rounded down twice."""
    return HOUR_S * (value + wish.units) - wish.units * spent


@inlined
def is_paid_for(wish: Wish, hopes: Hopes, slot: int, asked: int, run_s: int) -> bool:
    """Whether the value covers every start where an hour asks `asked` at most: utility is 1 where it does not."""
    rounded = 2 * HOUR_S
    return bool(HOUR_S * (hopes.value[slot] - 1) >= wish.units * (asked * run_s + hopes.dearest[slot] + rounded))


@inlined
def least_spent(facts: Facts, offer: int, starts: Starts, charged: Charged, shared: Ints) -> int:
    """The least that any start on `offer` spends, mm x seconds per unit-hour, without the way there."""
    row = 1 if starts.low == starts.odd else 0
    least = odd_spent(facts, offer, starts, charged) + shared[0] if row else FAR
    number, stop = starts.low + row, starts.low + row + starts.whole
    count = starts.high - number + 1
    if count > 0:
        ends = charged.past[offer, stop:] if starts.part else charged.until[offer, stop:]
        runs = least_run(
            charged.until[offer, number : number + count], ends, facts.shelf.values[PRICE, offer, stop:], starts.part,
            shared[row:],
        )  # fmt: skip
        least = min(least, runs)
    return least


@inlined
def spend(facts: Facts, offer: int, starts: Starts, charged: Charged, shared: Ints, into: Ints) -> None:
    """The same for each start by itself."""
    row = 1 if starts.low == starts.odd else 0
    if row:
        into[0] = odd_spent(facts, offer, starts, charged) + shared[0]
    number, stop = starts.low + row, starts.low + row + starts.whole
    count = starts.high - number + 1
    if count > 0:
        ends = charged.past[offer, stop:] if starts.part else charged.until[offer, stop:]
        spend_runs(
            charged.until[offer, number : number + count], ends, facts.shelf.values[PRICE, offer, stop:], starts.part,
            shared[row:], into[row:],
        )  # fmt: skip


@inlined
def odd_spent(facts: Facts, offer: int, starts: Starts, charged: Charged) -> int:
    """What the odd start spends on the offer itself."""
    first, skipped, stop, rest = span_of(starts, starts.odd)
    asked = span_total(facts.shelf, PRICE, offer, first, skipped, stop, rest)
    return asked + HOUR_S * int(charged.sums[offer, stop + (rest > 0)] - charged.sums[offer, first])


@lean
def least_run(before: Ints, ends: Ints, asked: Ints, part: int, shared: Ints) -> int:
    """The least over starts an hour apart, many in one step of the machine."""
    least = FAR
    for row in range(before.size):
        least = min(least, ends[row] - before[row] + asked[row] * part + shared[row])
    return least


@lean
def spend_runs(before: Ints, ends: Ints, asked: Ints, part: int, shared: Ints, into: Ints) -> None:
    """The same for each of them by itself."""
    for row in range(before.size):
        into[row] = ends[row] - before[row] + asked[row] * part + shared[row]
