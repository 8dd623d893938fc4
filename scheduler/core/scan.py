"""The exact best column of one ask: its offers in order, every start on each, until no offer can be better."""

from typing import NamedTuple

import numpy as np

from scheduler.core.bounds import facts_fit, hours_fit
from scheduler.core.compiled import compiled
from scheduler.core.lists import Lists, hour_costs
from scheduler.core.market import Ints
from scheduler.core.tables import FAR, NOW, PF_MILLI, Asks, Shelf, Tastes
from scheduler.core.types import DUE_HORIZON_S, HOUR_S, START_MARGIN_S

SIZES = 8  # openings are kept per number of units up to here; a larger ask needs at least as much
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


class Room(NamedTuple):
    """Units free per hour, and per number of units the first open hour and the longest run of open hours."""

    free: Ints  # [offers, hours]
    first: Ints  # [SIZES, offers]; the number of hours when none is open
    longest: Ints  # [SIZES, offers]


class Column(NamedTuple):
    """One start on one offer, or none (`offer` -1). `first` to `beyond` are the hours touched."""

    offer: int
    start_s: int
    run_s: int
    first: int
    beyond: int
    run_cost: int
    z: int


@compiled
def no_column() -> Column:
    """Worse than every column."""
    return Column(-1, FAR, 0, 0, 0, 0, FAR)


@compiled
def open_room(free: Ints) -> Room:
    """`free` with its openings."""
    offers, hours = free.shape
    room = Room(free, np.full((SIZES, offers), hours), np.zeros((SIZES, offers), dtype=np.int64))
    for offer in range(offers):
        note_openings(room, offer)
    return room


@compiled
def note_openings(room: Room, offer: int) -> None:
    """Find the openings of `offer` anew."""
    hours = room.free.shape[1]
    for size in range(SIZES):
        first, longest, open_ = hours, 0, 0
        for hour in range(hours):
            if room.free[offer, hour] > size:
                first = min(first, hour)
                open_ += 1
                longest = max(longest, open_)
            else:
                open_ = 0
        room.first[size, offer] = first
        room.longest[size, offer] = longest


@compiled
def new_scratch(facts: Facts) -> Ints:
    """Room for the hourly costs of one offer and their running sum."""
    return np.zeros((2, facts.shelf.values.shape[2] + 1), dtype=np.int64)


@compiled
def best_column(facts: Facts, ask: int, room: Room, scratch: Ints) -> tuple[Column, int]:
    """The column of `ask` that it likes best among those with units free, and how many offers were examined."""
    lists, asks = facts.lists, facts.asks
    kind, best, examined = asks.kind[ask], no_column(), 0
    size = min(asks.units[ask], SIZES) - 1
    slack = _slack(facts, ask)
    for place in range(lists.begin[kind], lists.begin[kind + 1]):
        offer = lists.offer[place]
        if best.z < lists.key[place] - slack and not _earlier_wins(facts, ask, best):
            break
        run_s = run_on(facts, ask, offer)
        if room.longest[size, offer] < -(-run_s // HOUR_S):
            continue
        low, high = starts_of(facts, ask, run_s)
        if low > high or room.first[size, offer] > _hour_of(facts, ask, high):
            continue
        if not facts_fit(facts.shelf, facts.tastes, asks, ask, offer):
            continue
        if best.offer >= 0 and asks.when[ask] != NOW and _least_z(facts, place, run_s) > best.z:
            continue
        examined += 1
        price_hours(facts, ask, offer, run_s, low, high, scratch)
        best = best_on(facts, ask, offer, run_s, low, high, room.free, scratch, best)
    return best, examined


@compiled
def _slack(facts: Facts, ask: int) -> int:
    """How far rounding may take a cost per PFLOP-hour below the key of its offer."""
    kind, run_s = facts.asks.kind[ask], facts.asks.run_s[ask]
    if facts.tastes.override[kind]:
        run_s = 1
    elif facts.asks.reference_pf[ask]:
        run_s = max(1, run_s * facts.asks.reference_pf[ask] // facts.lists.pf_most[kind])
    return PFLOP_HOUR // (run_s * facts.lists.pf_least[kind]) + 2


@compiled
def _earlier_wins(facts: Facts, ask: int, best: Column) -> bool:
    """Whether a dearer column could still win by starting earlier."""
    earliest = max(facts.clock.now_s, facts.asks.start_after[ask])
    return facts.asks.when[ask] == NOW and best.start_s > earliest


@compiled
def _least_z(facts: Facts, place: int, run_s: int) -> int:
    """No column of this candidate costs less."""
    pf_milli = facts.shelf.facts[PF_MILLI, facts.lists.offer[place]]
    return facts.lists.least[place] * run_s // HOUR_S * PFLOP_HOUR // (run_s * pf_milli)


@compiled
def run_on(facts: Facts, ask: int, offer: int) -> int:
    """How long `ask` runs on `offer`, seconds."""
    asks, tastes = facts.asks, facts.tastes
    stated = tastes.overrides[tastes.override[asks.kind[ask]], offer]
    if stated:
        return stated
    if asks.reference_pf[ask]:
        return min(-(-asks.run_s[ask] * asks.reference_pf[ask] // facts.shelf.facts[PF_MILLI, offer]), LONGEST_S)
    return asks.run_s[ask]


@compiled
def starts_of(facts: Facts, ask: int, run_s: int) -> tuple[int, int]:
    """The first and the last start of a run: numbers of whole hours, 0 being now; (0, 0) for a pinned start."""
    asks, clock = facts.asks, facts.clock
    latest = min(asks.horizon[ask], asks.finish_by[ask] - START_MARGIN_S) - run_s
    pinned, after = asks.pinned[ask], asks.start_after[ask]
    if pinned >= 0:
        return 0, 0 if max(clock.now_s, after) <= pinned <= latest else -1
    low = max(1, -((clock.first_s - after) // HOUR_S)) if after > clock.now_s else 0
    return low, -1 if latest < clock.now_s else max(0, (latest - clock.first_s) // HOUR_S)


@compiled
def start_at(facts: Facts, ask: int, number: int) -> int:
    """Unix seconds of a start."""
    if facts.asks.pinned[ask] >= 0:
        return facts.asks.pinned[ask]
    return facts.clock.now_s if number == 0 else facts.clock.first_s + HOUR_S * number


@compiled
def _hour_of(facts: Facts, ask: int, number: int) -> int:
    return (start_at(facts, ask, number) - facts.clock.first_s) // HOUR_S


@compiled
def price_hours(facts: Facts, ask: int, offer: int, run_s: int, low: int, high: int, scratch: Ints) -> None:
    """Fill `scratch` with what `ask` pays `offer` in every hour that a start at `low` to `high` can touch."""
    costs, until = scratch[0], scratch[1]
    begin = _hour_of(facts, ask, low)
    beyond = (start_at(facts, ask, high) + run_s - facts.clock.first_s - 1) // HOUR_S + 1
    hour_costs(facts.shelf, facts.tastes, facts.asks.kind[ask], offer, facts.clock.free_ms, begin, beyond, costs)
    costs[beyond] = 0
    until[begin] = 0
    for hour in range(begin, beyond):
        until[hour + 1] = until[hour] + costs[hour] * HOUR_S


@compiled
def best_on(
    facts: Facts, ask: int, offer: int, run_s: int, low: int, high: int, free: Ints, scratch: Ints, best: Column
) -> Column:
    """`best`, or a better column of `ask` on `offer` that starts at `low` to `high`, has units free and fits."""
    asks, costs, until = facts.asks, scratch[0], scratch[1]
    pf_milli, units = facts.shelf.facts[PF_MILLI, offer], asks.units[ask]
    waiting = facts.tastes.waiting_value[asks.kind[ask]] * pf_milli // 1000
    ready = max(facts.clock.now_s, asks.start_after[ask])
    seen, shut = _hour_of(facts, ask, low), -1  # hours looked at, and the last of them without the units
    for number in range(low, high + 1):
        start = start_at(facts, ask, number)
        offset = start - facts.clock.first_s
        first, stop, rest = offset // HOUR_S, (offset + run_s) // HOUR_S, (offset + run_s) % HOUR_S
        beyond = stop + (rest > 0)
        while seen < beyond:
            if free[offer, seen] < units:
                shut = seen
            seen += 1
        if shut >= first:
            continue
        spent = until[stop] - until[first] + costs[stop] * rest - costs[first] * (offset - first * HOUR_S)
        run_cost = spent // HOUR_S + waiting * run_s * max(0, start - ready) // HOUR_S**2
        z = run_cost * PFLOP_HOUR // (run_s * pf_milli)
        if not better(asks.when[ask] == NOW, z, start, offer, best):
            continue
        if asks.hourly[ask] and not hours_fit(facts.shelf, asks, ask, offer, run_s, first, offset, stop, rest):
            continue
        best = Column(offer, start, run_s, first, beyond, run_cost, z)
    return best


@compiled
def better(by_start: bool, z: int, start_s: int, offer: int, than: Column) -> bool:
    """Whether a column ranks before `than`: lower z (earlier start where that comes first), then start, then offer."""
    if by_start and start_s != than.start_s:
        return start_s < than.start_s
    if z != than.z:
        return z < than.z
    if start_s != than.start_s:
        return start_s < than.start_s
    return offer < than.offer
