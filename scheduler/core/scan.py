"""The exact best column of one ask: its offers in order, every start on each, until no offer can be better."""

from typing import NamedTuple

import numpy as np

from scheduler.core.bounds import facts_fit, hours_fit
from scheduler.core.compiled import compiled, lean
from scheduler.core.lists import Lists, hour_costs
from scheduler.core.market import Ints
from scheduler.core.room import Room, Starts, may_hold, need_of, span_of, start_of
from scheduler.core.tables import FAR, NOW, PF_MILLI, RENEWABLE, WATTS, Asks, Shelf, Tastes
from scheduler.core.types import DUE_HORIZON_S, HOUR_S, START_MARGIN_S

PFLOP_HOUR = 1000 * HOUR_S
LONGEST_S = 2 * DUE_HORIZON_S


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


class Column(NamedTuple):
    """One start on one offer, or none (`offer` -1). `first` to `beyond` are the hours touched."""

    offer: int
    start_s: int
    run_s: int
    first: int
    beyond: int
    run_cost: int
    z: int


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


@lean
def no_column() -> Column:
    """Worse than every column."""
    return Column(-1, FAR, 0, 0, 0, 0, FAR)


@compiled
def new_scratch(facts: Facts) -> Ints:
    """Room for the hourly costs of one offer and their running sum."""
    return np.zeros((2, facts.shelf.values.shape[2] + 1), dtype=np.int64)


@lean
def best_column(facts: Facts, ask: int, room: Room, scratch: Ints) -> tuple[Column, int]:
    """The column of `ask` that it likes best among those with units free, and how many offers were examined."""
    lists, kind, wish = facts.lists, facts.asks.kind[ask], wish_of(facts, ask)
    best, examined, starts = no_column(), 0, starts_of(facts, ask, run_on(facts, ask, 0))
    for entry in range(lists.begin[kind], lists.begin[kind + 1]):
        run_s, pf_milli = run_on(facts, ask, lists.offer[lists.first[entry]]), lists.pf_milli[entry]
        if run_s != starts.run_s:
            starts = starts_of(facts, ask, run_s)
        if starts.low > starts.high or lists.least[entry] * run_s >= dearest(wish, best, run_s, pf_milli):
            continue
        shared = least_shared(lists.shared, lists.share, entry, wish, starts, pf_milli)
        if shared < FAR:
            best, looked = best_in(facts, wish, entry, shared, starts, room, scratch, best)
            examined += looked
    return best, examined


@lean
def best_in(
    facts: Facts, wish: Wish, entry: int, shared: int, starts: Starts, room: Room, scratch: Ints, best: Column
) -> tuple[Column, int]:
    """`best` or a better column in a group whose hours cost at least `shared`, and how many offers were examined."""
    lists, examined = facts.lists, 0
    most, need = dearest(wish, best, starts.run_s, lists.pf_milli[entry]), need_of(wish.units, starts)
    for place in range(lists.first[entry], lists.beyond[entry]):
        if lists.own[place] * starts.run_s + shared >= most:
            break  # as would all behind it
        offer = lists.offer[place]
        if not may_hold(room, need, offer) or not facts_admit(facts, wish, offer):
            continue
        examined += 1
        best = best_on(facts.shelf, facts.asks.bounds, wish, offer, starts, room.free, scratch, best, most)
        most = dearest(wish, best, starts.run_s, lists.pf_milli[entry])
    return best, examined


@lean
def facts_admit(facts: Facts, wish: Wish, offer: int) -> bool:
    """Whether `offer` keeps to the bounds of the ask on what does not change from hour to hour."""
    if not wish.bound & 1:
        return True
    return facts_fit(facts.shelf.facts, facts.shelf.latency, facts.asks.bounds, wish.ask, offer, wish.place)


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
def least_shared(sums: Ints, shares: Ints, entry: int, wish: Wish, starts: Starts, pf_milli: int) -> int:
    """What green, carbon and waiting cost at least in the hours of a group, mm x seconds, over all starts.

    Starts whose hours are not renewable enough do not count; FAR when none is left.
    """
    least, waiting = FAR, wish.waiting_value * pf_milli // 1000 * starts.run_s
    least_share = wish.least_share * starts.run_s
    for number in range(starts.low, starts.high + 1):
        first, skipped, stop, rest = span_of(starts, number)
        if least_share > 0 and _sum(shares, entry, first, skipped, stop, rest) < least_share:
            continue
        spent = _sum(sums, entry, first, skipped, stop, rest)
        if waiting and spent < least:
            start = start_of(starts, number, wish.first_s)
            spent += waiting * max(0, start - wish.ready_s) // HOUR_S**2 * HOUR_S
        least = min(least, spent)
    return least


@lean
def _sum(sums: Ints, entry: int, first: int, skipped: int, stop: int, rest: int) -> int:
    """Value x seconds from `skipped` seconds into hour `first` to `rest` seconds into hour `stop`."""
    total = (sums[entry, stop] - sums[entry, first]) * HOUR_S
    if skipped:
        total -= (sums[entry, first + 1] - sums[entry, first]) * skipped
    if rest:
        total += (sums[entry, stop + 1] - sums[entry, stop]) * rest
    return total


@lean
def price_hours(shelf: Shelf, wish: Wish, offer: int, starts: Starts, scratch: Ints) -> None:
    """Fill `scratch` with what the ask pays `offer` in every hour that a start can touch, and the running sum."""
    pf_milli, milliseconds = shelf.facts[PF_MILLI, offer], shelf.latency[wish.place, offer]
    charged = wish.charged_ms if milliseconds < 0 else max(0, milliseconds - wish.free_ms)
    latency = wish.latency_value * pf_milli // 1000 * charged
    green, carbon = wish.green_value * pf_milli // 1000, wish.carbon_price * shelf.facts[WATTS, offer]
    begin, _, _, _ = span_of(starts, starts.low)
    _, _, stop, rest = span_of(starts, starts.high)
    hour_costs(shelf.values, offer, latency, green, carbon, begin, stop + (rest > 0), scratch)


@lean
def best_on(
    shelf: Shelf, bounds: Ints, wish: Wish, offer: int, starts: Starts, free: Ints, scratch: Ints, best: Column,
    most: int,
) -> Column:  # fmt: skip
    """`best`, or a better column on `offer` that costs less than `most`, has units free and keeps to every bound."""
    price_hours(shelf, wish, offer, starts, scratch)
    pf_milli, units, run_s = shelf.facts[PF_MILLI, offer], wish.units, starts.run_s
    waiting = wish.waiting_value * pf_milli // 1000 * run_s
    seen, shut = span_of(starts, starts.low)[0], -1  # hours looked at, and the last of them without the units
    for number in range(starts.low, starts.high + 1):
        first, skipped, stop, rest = span_of(starts, number)
        beyond = stop + (rest > 0)
        while seen < beyond:
            if free[offer, seen] < units:
                shut = seen
            seen += 1
        spent = scratch[1, stop] - scratch[1, first] + scratch[0, stop] * rest - scratch[0, first] * skipped
        if shut >= first or spent >= most:
            continue
        start = start_of(starts, number, wish.first_s)
        run_cost = spent // HOUR_S + waiting * max(0, start - wish.ready_s) // HOUR_S**2
        z = run_cost * PFLOP_HOUR // (run_s * pf_milli)
        if not better(shelf.rank, wish.by_start, z, start, offer, best):
            continue
        if wish.bound & 2 and not hours_fit(
            shelf, bounds, wish.ask, units, offer, run_s, first, skipped, stop, rest
        ):  # fmt: skip
            continue
        best = Column(offer, start, run_s, first, beyond, run_cost, z)
        most = dearest(wish, best, run_s, pf_milli)
    return best


@lean
def better(rank: Ints, by_start: bool, z: int, start_s: int, offer: int, than: Column) -> bool:
    """Whether a column ranks before `than`: lower z (earlier start where that comes first), then start, then id."""
    if by_start and start_s != than.start_s:
        return start_s < than.start_s
    if z != than.z:
        return z < than.z
    if start_s != than.start_s:
        return start_s < than.start_s
    return than.offer < 0 or rank[offer] < rank[than.offer]
