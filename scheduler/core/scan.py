"""The exact best column of one ask: its offers in order, every start on each, until no offer can be better."""

from typing import NamedTuple

import numpy as np

from scheduler.core.bounds import facts_fit, hours_fit, span_total
from scheduler.core.columns import FIELDS, Column, better, keep, no_column, read_column, worst_kept
from scheduler.core.compiled import compiled, lean
from scheduler.core.lists import Lists, latency_cost
from scheduler.core.market import Ints
from scheduler.core.room import (
    NONE,
    SIZES,
    Bits,
    Room,
    Starts,
    between,
    find_open,
    has,
    has_units,
    new_bits,
    span_of,
    start_of,
    words_of,
)
from scheduler.core.sums import least_open, least_run, open_below, sum_runs, write_waits
from scheduler.core.tables import FAR, NOW, PF_MILLI, PRICE, RENEWABLE, Asks, Shelf, Tastes
from scheduler.core.types import DUE_HORIZON_S, HOUR_S, START_MARGIN_S

PFLOP_HOUR = 1000 * HOUR_S
LONGEST_S = 2 * DUE_HORIZON_S
ANY = -1  # any start
NARROWED = 16  # offers, after which those that can still be better are told again


class Clock(NamedTuple):
    """When the round decides: unix seconds now, of its first whole hour, and the latency that costs nothing."""

    now_s: int
    first_s: int
    free_ms: int


class Facts(NamedTuple):
    """Everything a scan reads and nothing changes."""

    clock: Clock
    shelf: Shelf
    tastes: Tastes
    lists: Lists
    asks: Asks


class Scratch(NamedTuple):
    """Of one ask on one group, by start: what all offers of the group cost alike, and which are open."""

    costs: Ints  # [starts] green and carbon, mm x seconds per unit-hour; FAR where too little is renewable
    waits: Ints  # [starts] at least what waiting costs, likewise
    shares: Ints  # [starts] ppm x seconds
    spent: Ints  # [starts] what the starts at whole hours cost on the offer last looked at, without the way there
    bits: Bits
    one: Ints  # [1, fields] for the best column alone


class Wish(NamedTuple):
    """What an ask wants of every offer alike."""

    ask: int
    units: int
    by_start: bool
    bound: int
    least_share: int  # ppm; 0 or less where none is asked
    ready_s: int  # from when waiting counts
    place: int
    charged_ms: int
    latency_value: int
    green_value: int
    waiting_value: int
    carbon_price: int
    free_ms: int
    first_s: int


@compiled
def new_scratch(facts: Facts) -> Scratch:
    """Room for every start on one group."""
    starts = facts.shelf.values.shape[2] + 1
    return Scratch(
        np.zeros(starts, np.int64), np.zeros(starts, np.int64), np.zeros(starts, np.int64), np.zeros(starts, np.int64),
        new_bits(facts.shelf.begin, starts), np.zeros((1, FIELDS), np.int64),
    )  # fmt: skip


@lean
def best_column(facts: Facts, ask: int, room: Room, scratch: Scratch, at: int) -> tuple[Column, int]:
    """The column of `ask` that it likes best among those with units free, and how many offers were examined.

    `at` is the number of the only start it may take, or ANY.
    """
    count, examined = best_columns(facts, ask, room, scratch, scratch.one, at)
    return read_column(scratch.one, 0) if count else no_column(), examined


@lean
def best_columns(facts: Facts, ask: int, room: Room, scratch: Scratch, kept: Ints, at: int) -> tuple[int, int]:
    """Fill `kept` [most, fields] with the columns that `ask` likes best; (their number, how many offers were examined).

    There are no others open where they are fewer than `most`.
    """
    lists, kind, wish = facts.lists, facts.asks.kind[ask], wish_of(facts, ask)
    count, examined, starts, waits_of = 0, 0, starts_at(facts, ask, run_on(facts, ask, 0), at), 0
    run_s, run_of = starts.run_s, 0
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        pf_milli = lists.pf_milli[entry]
        same = run_of == pf_milli and not facts.tastes.override[kind]
        run_s, run_of = run_s if same else run_on(facts, ask, lists.offer[lists.first[entry]]), pf_milli
        if run_s != starts.run_s:
            starts, waits_of = starts_at(facts, ask, run_s, at), 0
        most = dearest(wish, worst_kept(kept, count), run_s, pf_milli)
        if starts.low > starts.high or lists.least[entry] * run_s >= most:
            continue
        group = facts.shelf.group[lists.offer[lists.first[entry]]]
        if most == FAR and not find_open(room, group, wish.units, starts, scratch.bits):
            continue  # asked first where no price is too high yet
        if waits_of != pf_milli:
            price_waits(wish, starts, pf_milli, scratch)
            waits_of = pf_milli
        shared = price_starts(lists, entry, wish, starts, scratch)
        too_dear = shared == FAR or lists.own[lists.first[entry]] * run_s + shared >= most
        if too_dear or (most < FAR and not find_open(room, group, wish.units, starts, scratch.bits)):
            continue
        shared = cheapest_open(starts, words_of(room, group), scratch)
        if shared < FAR:
            count, looked = best_in(facts, wish, entry, shared, starts, room, scratch, kept, count)
            examined += looked
    return count, examined


@lean
def best_in(
    facts: Facts, wish: Wish, entry: int, shared: int, starts: Starts, room: Room, scratch: Scratch, kept: Ints,
    count: int,
) -> tuple[int, int]:  # fmt: skip
    """The same for the offers of one group, whose hours cost at least `shared`, from `count` columns on."""
    lists, examined, narrowed = facts.lists, 0, 0
    most = dearest(wish, worst_kept(kept, count), starts.run_s, lists.pf_milli[entry])
    group = facts.shelf.group[lists.offer[lists.first[entry]]]
    for place in range(lists.first[entry], lists.beyond[entry]):
        if lists.own[place] * starts.run_s + shared >= most:
            break  # as would all behind it
        offer = lists.offer[place]
        if not has(scratch.bits.some, 0, offer - room.begin[group]) or not facts_admit(facts, wish, offer):
            continue
        if place >= narrowed:
            narrow(starts, words_of(room, group), most - lists.own[place] * starts.run_s, scratch)
            narrowed = place + NARROWED
            if not has(scratch.bits.some, 0, offer - room.begin[group]):
                continue
        examined += 1
        before = most
        count = best_on(facts, wish, offer, starts, room, scratch, kept, count)
        most = dearest(wish, worst_kept(kept, count), starts.run_s, lists.pf_milli[entry])
        if most < before:
            narrowed = 0
    return count, examined


@lean
def facts_admit(facts: Facts, wish: Wish, offer: int) -> bool:
    """Whether `offer` keeps to the bounds of the ask on what does not change from hour to hour."""
    if not wish.bound & 1:
        return True
    return facts_fit(facts.shelf.facts, facts.shelf.latency, facts.asks.bounds, wish.ask, offer, wish.place)


@lean
def hours_admit(facts: Facts, wish: Wish, offer: int, starts: Starts, number: int, free: Ints) -> bool:
    """Whether a start on `offer` has its units where the bits cannot tell, and keeps to the bounds on its hours."""
    first, skipped, stop, rest = span_of(starts, number)
    if wish.units > SIZES and not has_units(free, offer, first, stop + (rest > 0), wish.units):
        return False
    if not wish.bound & 2:
        return True
    return hours_fit(
        facts.shelf, facts.asks.bounds, wish.ask, wish.units, offer, starts.run_s, first, skipped, stop, rest
    )  # fmt: skip


@lean
def wish_of(facts: Facts, ask: int) -> Wish:
    """The wish of `ask`."""
    asks, tastes, kind = facts.asks, facts.tastes, facts.asks.kind[ask]
    return Wish(
        ask, asks.units[ask], asks.when[ask] == NOW, asks.bound[ask], asks.bounds[ask, RENEWABLE],
        max(facts.clock.now_s, asks.start_after[ask]),
        tastes.place[kind], tastes.charged_ms[kind], tastes.latency_value[kind], tastes.green_value[kind],
        tastes.waiting_value[kind], tastes.carbon_price[kind], facts.clock.free_ms, facts.clock.first_s,
    )  # fmt: skip


@lean
def dearest(wish: Wish, best: Column, run_s: int, pf_milli: int) -> int:
    """From how many mm x seconds per unit-hour on no run of this class can rank before `best`; FAR if any can."""
    if best.offer < 0 or (wish.by_start and best.start_s > wish.ready_s):
        return FAR
    return -(-(best.z + 1) * run_s * pf_milli // PFLOP_HOUR) * HOUR_S


@lean
def run_on(facts: Facts, ask: int, offer: int) -> int:
    """How long `ask` runs on `offer`, seconds."""
    asks, tastes = facts.asks, facts.tastes
    stated = tastes.overrides[tastes.override[asks.kind[ask]], offer]
    if stated:
        return stated
    if asks.reference_pf[ask]:
        return min(-(-asks.run_s[ask] * asks.reference_pf[ask] // facts.shelf.facts[PF_MILLI, offer]), LONGEST_S)
    return asks.run_s[ask]


@lean
def starts_of(facts: Facts, ask: int, run_s: int) -> Starts:
    """The starts of a run of `run_s` seconds; `low` above `high` where there are none."""
    asks, now_s, first_s = facts.asks, facts.clock.now_s, facts.clock.first_s
    latest = min(asks.horizon[ask], asks.finish_by[ask] - START_MARGIN_S) - run_s
    pinned, after = asks.pinned[ask], asks.start_after[ask]
    low, high, odd_s = 0, 0, now_s
    if pinned >= 0:
        odd_s, high = pinned, 0 if max(now_s, after) <= pinned <= latest else -1
    else:
        low = max(1, -((first_s - after) // HOUR_S)) if after > now_s else 0
        high = -1 if latest < now_s else max(0, (latest - first_s) // HOUR_S)
    odd = odd_s - first_s
    stop = (odd + run_s) // HOUR_S
    rest = odd + run_s - stop * HOUR_S
    return Starts(
        low, high, run_s, run_s // HOUR_S, run_s % HOUR_S, 0 if low == 0 else -1, odd_s, odd // HOUR_S, odd % HOUR_S,
        stop, rest,
    )  # fmt: skip


@lean
def starts_at(facts: Facts, ask: int, run_s: int, at: int) -> Starts:
    """The same, with the start of number `at` alone unless that is ANY."""
    starts = starts_of(facts, ask, run_s)
    if at == ANY:
        return starts
    return between(starts, at, at if starts.low <= at <= starts.high else at - 1)


@lean
def price_waits(wish: Wish, starts: Starts, pf_milli: int, scratch: Scratch) -> None:
    """Write at least what waiting for each start costs: a division would take longer than all the rest of a scan."""
    waiting = wish.waiting_value * pf_milli // 1000 * starts.run_s / HOUR_S**2
    late = wish.first_s + HOUR_S * starts.low - wish.ready_s
    write_waits(waiting, late, scratch.waits[: starts.high - starts.low + 1])
    if starts.low == starts.odd:
        write_waits(waiting, starts.odd_s - wish.ready_s, scratch.waits[:1])


@lean
def price_starts(lists: Lists, entry: int, wish: Wish, starts: Starts, scratch: Scratch) -> int:
    """Write what green and carbon cost from each start on; the least of that and the waiting already written.

    Starts whose hours are not renewable enough cost FAR; so does the least when none is left.
    """
    count, costs = starts.high - starts.low + 1, scratch.costs
    sum_starts(lists.shared[lists.row[entry]], starts, costs)
    if wish.least_share > 0:
        sum_starts(lists.share[lists.row[entry]], starts, scratch.shares)
        for row in range(count):
            if scratch.shares[row] < wish.least_share * starts.run_s:
                costs[row] = FAR
    least = FAR
    for row in range(count):
        least = min(least, costs[row] + scratch.waits[row])
    return least


@lean
def sum_starts(until: Ints, starts: Starts, into: Ints) -> None:
    """Write value x seconds of the run from each start on; `until` is the running sum of an hourly value."""
    number, row = starts.low, 0
    if number == starts.odd:
        first, stop = starts.odd_first, starts.odd_stop
        into[0] = (until[stop] - until[first]) * HOUR_S - (until[first + 1] - until[first]) * starts.odd_skipped
        if starts.odd_rest:
            into[0] += (until[stop + 1] - until[stop]) * starts.odd_rest
        number, row = 1, 1
    count, whole, part = starts.high - number + 1, starts.whole, starts.part
    if count > 0:
        after = until[number + whole + (part > 0) :]
        sum_runs(until[number : number + count], until[number + whole :], after, part, into[row:])


@lean
def cheapest_open(starts: Starts, words: int, scratch: Scratch) -> int:
    """The least of what `price_starts` wrote over the starts through which some offer is open; FAR where none is."""
    least, rows = FAR, starts.high - starts.low + 1
    if words == 1:
        return least_open(scratch.costs[:rows], scratch.waits[:rows], scratch.bits.open[:rows])
    for row in range(rows):
        if scratch.costs[row] + scratch.waits[row] < least:
            for word in range(words):
                if scratch.bits.open[row * words + word]:
                    least = scratch.costs[row] + scratch.waits[row]
                    break
    return least


@lean
def narrow(starts: Starts, words: int, most: int, scratch: Scratch) -> None:
    """Leave in `some` of the bits the offers that are open through a start whose hours cost less than `most`."""
    bits, rows = scratch.bits, starts.high - starts.low + 1
    if words == 1:
        bits.some[0] = open_below(scratch.costs[:rows], scratch.waits[:rows], bits.open[:rows], most)
        return
    for word in range(words):
        bits.some[word] = NONE
    for row in range(rows):
        if scratch.costs[row] + scratch.waits[row] < most:
            for word in range(words):
                bits.some[word] |= bits.open[row * words + word]


@lean
def own_cost(facts: Facts, wish: Wish, offer: int) -> int:
    """mm per unit-hour for the way to `offer`."""
    return latency_cost(facts.shelf, facts.tastes, facts.asks.kind[wish.ask], offer, wish.free_ms)


@lean
def waited(wish: Wish, pf_milli: int, run_s: int, start_s: int) -> int:
    """mm per unit for the time from when the ask was ready."""
    return wish.waiting_value * pf_milli // 1000 * run_s * max(0, start_s - wish.ready_s) // HOUR_S**2


@lean
def best_on(
    facts: Facts, wish: Wish, offer: int, starts: Starts, room: Room, scratch: Scratch, kept: Ints, count: int
) -> int:
    """Keep the columns on `offer` that have units free, keep to every bound and are among the best; the new count."""
    shelf, run_s = facts.shelf, starts.run_s
    pf_milli, group = shelf.facts[PF_MILLI, offer], shelf.group[offer]
    words, place, latency = words_of(room, group), offer - room.begin[group], own_cost(facts, wish, offer) * run_s
    worst = worst_kept(kept, count)
    most = dearest(wish, worst, run_s, pf_milli)
    last = starts.high if least_spent(shelf, offer, starts, scratch) + latency < most else starts.odd
    for number in range(starts.low, last + 1):
        row, odd = number - starts.low, number == starts.odd
        if scratch.costs[row] == FAR or not (odd or scratch.spent[row] + latency + scratch.waits[row] < most):
            continue
        if not has(scratch.bits.open, row * words, place):
            continue
        first, skipped, stop, rest = span_of(starts, number)
        spent = latency + scratch.spent[row]
        if odd:
            spent = span_total(shelf, PRICE, offer, first, skipped, stop, rest) + latency + scratch.costs[row]
            if spent + scratch.waits[row] >= most:
                continue
        start = start_of(starts, number, wish.first_s)
        run_cost = spent // HOUR_S + waited(wish, pf_milli, run_s, start)
        z = run_cost * PFLOP_HOUR // (run_s * pf_milli)
        column = Column(offer, start, run_s, first, stop + (rest > 0), run_cost, z)
        if not better(shelf.rank, wish.by_start, column, worst):
            continue
        if not hours_admit(facts, wish, offer, starts, number, room.free):
            continue
        count = keep(kept, count, shelf.rank, wish.by_start, column)
        worst = worst_kept(kept, count)
        most = dearest(wish, worst, run_s, pf_milli)
    return count


@lean
def least_spent(shelf: Shelf, offer: int, starts: Starts, scratch: Scratch) -> int:
    """What the cheapest of all starts but the odd one costs on `offer` with its waiting, without the way there.

    What each costs without waiting is written to `scratch`.
    """
    row = 1 if starts.low == starts.odd else 0
    number, rows = starts.low + row, starts.high - starts.low + 1
    if row >= rows:
        return FAR
    stop = number + starts.whole
    return least_run(
        shelf.until[PRICE, offer, number:], shelf.until[PRICE, offer, stop:], shelf.values[PRICE, offer, stop:],
        starts.part, scratch.costs[row:rows], scratch.waits[row:rows], scratch.spent[row:rows],
    )  # fmt: skip
