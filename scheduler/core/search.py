"""Better plans by ejection: an ask takes a column, whom it displaces look for another, and the better plan stays.

Ejection chains for generalised assignment (Yagiura, Ibaraki, Glover 2004) with prices as the guide: the column tried is
one of those that leave most after the prices of its hours. Budgeted in moves, so that a replay makes the same ones.

A plan is judged by what its columns leave and a share of what their hours are priced at. It grows from FIRST_SHARE to
all of it, which is utility. An hour given up is not lost at first, for the search will fill it again.
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean, together
from scheduler.core.market import Halves, Ints
from scheduler.core.pool import Pool, Shorts
from scheduler.core.prices import running
from scheduler.core.room import Words

NOBODY = -1
WORST = -(1 << 61)
MOST_DISPLACED = 12
HEAD = 60  # columns of an ask that moves draw from, those that leave most
NEXT, EVERY = 128, 1 << 20  # columns that one who was displaced looks at, and one who is placed first or last
LOOK_BACK = 1_000  # moves after which the plan is compared with the best so far
DRAWN, TRIED = 4, 16  # asks and columns drawn, of which a move takes the one with most regret and the best (measured)
WHOLE, FIRST_SHARE = 1_024, 205  # parts in which a share of prices is counted, and the first share: a fifth (measured)


class State(NamedTuple):
    """A plan under way: the column of each ask (or NOBODY), what is free, and who is on each offer."""

    column: Ints  # [asks] place in the pool
    free: Ints  # [offers * hours]
    held: Ints  # asks on each offer, those on offer `o` from begin[o] on
    begin: Ints  # [offers + 1] as far apart as asks have columns on each
    load: Ints  # [offers] how many are on each


class Guide(NamedTuple):
    """What prices say of a plan, mm, and where the hours of a column lie: a move looks at hundreds of columns."""

    prices: Ints  # [offers * hours]
    hour: Halves  # [columns] the first hour of each among those of all offers
    more: Shorts  # [columns] hours after it
    left: Ints  # [columns] what each column leaves
    most: Ints  # [asks] what the best column leaves, 0 where all leave less
    wanting: Ints  # asks with columns


@compiled
def empty_state(pool: Pool, free: Ints) -> State:
    """Nothing placed; `free` is [offers, hours]."""
    asks, offers = pool.begin.size - 1, free.shape[0]
    last, begin = np.full(offers, NOBODY), np.zeros(offers + 1, np.int64)
    for ask in range(asks):
        for column in range(pool.begin[ask], pool.begin[ask + 1]):
            offer = pool.offer[column]
            if last[offer] != ask:
                last[offer] = ask
                begin[offer + 1] += 1
    begin = np.cumsum(begin)
    held, load = np.zeros(begin[offers], np.int64), np.zeros(offers, np.int64)
    return State(np.full(asks, NOBODY), free.copy().ravel(), held, begin, load)


@compiled
def guide_of(pool: Pool, units: Ints, prices: Ints) -> Guide:
    """The guide at `prices` [offers, hours]."""
    sums, left, most = running(prices), np.zeros(pool.offer.size, np.int64), np.zeros(units.size, np.int64)
    place, more = np.zeros(pool.offer.size, np.int32), np.zeros(pool.offer.size, np.int16)
    for ask in range(units.size):
        for column in range(pool.begin[ask], pool.begin[ask + 1]):
            offer, first, beyond = pool.offer[column], pool.first[column], pool.beyond[column]
            left[column] = pool.utility[column] - units[ask] * (sums[offer, beyond] - sums[offer, first])
            most[ask] = max(most[ask], left[column])
            place[column], more[column] = offer * prices.shape[1] + first, beyond - first - 1
    return Guide(prices.ravel(), place, more, left, most, np.flatnonzero(pool.begin[1:] > pool.begin[:-1]))


@lean
def first_open(state: State, pool: Pool, guide: Guide, ask: int, units: int, most: int) -> int:
    """The first open one of the `most` columns of `ask` that leave most: they are sorted by that. NOBODY for none."""
    free, begin, more = state.free, guide.hour, guide.more
    for column in range(pool.begin[ask], min(pool.begin[ask] + most, pool.begin[ask + 1])):
        first = begin[column]
        if free[first] < units or free[first + more[column]] < units:
            continue  # most columns end here
        if fits(state, guide, column, units):
            return column
    return NOBODY


@lean
def fits(state: State, guide: Guide, column: int, units: int) -> bool:
    """Whether the hours of `column` have the units."""
    first = guide.hour[column]
    for hour in range(first, first + guide.more[column] + 1):  # noqa: SIM110 - the compiler knows no generators in all()
        if state.free[hour] < units:
            return False
    return True


@lean
def take(state: State, pool: Pool, guide: Guide, ask: int, column: int, units: int) -> None:
    """Place `ask` on `column`."""
    offer, first = pool.offer[column], guide.hour[column]
    for hour in range(first, first + guide.more[column] + 1):
        state.free[hour] -= units
    state.held[state.begin[offer] + state.load[offer]] = ask
    state.load[offer] += 1
    state.column[ask] = column


@lean
def leave(state: State, pool: Pool, guide: Guide, ask: int, units: int) -> None:
    """Take `ask` off its column."""
    column = state.column[ask]
    offer, first = pool.offer[column], guide.hour[column]
    for hour in range(first, first + guide.more[column] + 1):
        state.free[hour] += units
    last = state.begin[offer] + state.load[offer] - 1
    for place in range(state.begin[offer], last + 1):
        if state.held[place] == ask:
            state.held[place] = state.held[last]
            break
    state.load[offer] -= 1
    state.column[ask] = NOBODY


class Undo(NamedTuple):
    """Whom a move has touched so far, with the column each had before; `size[0]` of them."""

    ask: Ints
    column: Ints
    size: Ints


@lean
def next_random(seed: Words) -> int:
    """The next number of SplitMix64 (Steele, Lea, Flood 2014), 63 bits; `seed[0]` moves on."""
    seed[0] += np.uint64(0x9E3779B97F4A7C15)
    z = seed[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int(np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(1)))


@lean
def draw(seed: Words, count: int) -> int:
    """A random number in [0, count), for a count below 2^31: the upper half of a product (Lemire 2019)."""
    return ((next_random(seed) >> 31) * count) >> 32


def search(state: State, pool: Pool, units: Ints, guide: Guide, moves: int, seed: int) -> State:
    """The better of two plans, each found from `state` by `moves` moves: where a search ends is partly luck."""
    heat = heat_of(state, pool)

    def found(number: int) -> tuple[int, State]:
        mine = State(*(each.copy() for each in state))
        return improve(mine, pool, units, guide, moves, seed ^ number, heat), mine

    return max(together(found), key=lambda each: each[0])[1]


def heat_of(state: State, pool: Pool) -> int:
    """What a plan may lose at first, mm: the mean utility of those that are placed."""
    placed = state.column[state.column != NOBODY]
    return int(pool.utility[placed].sum()) // max(1, placed.size)


@compiled
def improve(state: State, pool: Pool, units: Ints, guide: Guide, moves: int, seed: int, heat: int) -> int:
    """Make `moves` moves; the utility gained, mm. A plan may lose less than `heat` by a move, which cools down to 0."""
    gained, best, asks = 0, 0, guide.wanting.size
    undo = Undo(
        np.zeros(2 * MOST_DISPLACED + 4, np.int64), np.zeros(2 * MOST_DISPLACED + 4, np.int64), np.zeros(1, np.int64)
    )
    random, kept = np.array([seed], dtype=np.uint64), state.column.copy()
    for move in range(moves if asks else 0):
        ask, share = wishing(state, guide, random), WHOLE - (WHOLE - FIRST_SHARE) * (moves - move) // moves
        column = choose(state, pool, ask, units[ask], guide, share, random)
        undo.size[0] = 0
        delta = eject(state, pool, units, guide, share, ask, column, undo) if column != NOBODY else 0
        if delta > -heat * (1.0 - move / moves) ** 2:
            gained += gain_of(state, pool, undo)
        else:
            roll_back(state, pool, units, guide, undo)
        if gained > best and (move % LOOK_BACK == 0 or move == moves - 1):
            best = gained
            kept[:] = state.column
    if gained < best:
        restore(state, pool, units, guide, kept)
    return best


@lean
def wishing(state: State, guide: Guide, random: Words) -> int:
    """Of DRAWN asks the one that has most regret."""
    ask, most = NOBODY, WORST
    for _ in range(DRAWN):
        other = guide.wanting[draw(random, guide.wanting.size)]
        misses = regret(state, guide, other)
        if misses > most:
            ask, most = other, misses
    return ask


@lean
def worth(pool: Pool, guide: Guide, column: int, share: int) -> int:
    """What `column` leaves and `share` parts of what its hours are priced at."""
    left = guide.left[column]
    return left + (pool.utility[column] - left) * share // WHOLE


@lean
def regret(state: State, guide: Guide, ask: int) -> int:
    """What `ask` has less than its best column leaves."""
    column = state.column[ask]
    return guide.most[ask] - (guide.left[column] if column != NOBODY else 0)


@lean
def choose(state: State, pool: Pool, ask: int, units: int, guide: Guide, share: int, random: Words) -> int:
    """Of TRIED columns drawn at random, other than its own, the one that leaves `ask` most.

    Units that nobody holds cost less by `share` of their price: to leave them idle would lose it.
    """
    begin, count = pool.begin[ask], min(HEAD, pool.begin[ask + 1] - pool.begin[ask])
    best, most = NOBODY, WORST
    for _ in range(min(count, TRIED)):
        column = begin + draw(random, count)
        if column == state.column[ask] or worth(pool, guide, column, share) <= most:
            continue  # its hours are not worth more when all of them are idle
        first = guide.hour[column]
        beyond = first + guide.more[column] + 1
        idle = idle_worth(guide.prices[first:beyond], state.free[first:beyond], units)
        left = guide.left[column] + idle * share // WHOLE
        if left > most:
            best, most = column, left
    return best


@lean
def idle_worth(prices: Ints, free: Ints, units: int) -> int:
    """What the units that nobody holds in some hours are priced at, up to `units` of each."""
    worth = 0
    for hour in range(prices.size):
        worth += prices[hour] * min(units, free[hour])
    return worth


@lean
def eject(
    state: State, pool: Pool, units: Ints, guide: Guide, share: int, ask: int, column: int, undo: Undo
) -> int:  # fmt: skip
    """Place `ask` on `column`, displacing whom it must, and let those look for another place; the change of worth."""
    delta = worth(pool, guide, column, share)
    if state.column[ask] != NOBODY:
        delta -= worth(pool, guide, state.column[ask], share)
        note(undo, ask, state.column[ask])
        leave(state, pool, guide, ask, units[ask])
    else:
        note(undo, ask, NOBODY)
    first_displaced = undo.size[0]
    while not fits(state, guide, column, units[ask]):
        victim = cheapest_in_the_way(state, pool, guide, share, column, units[ask])
        if victim == NOBODY or undo.size[0] - first_displaced == MOST_DISPLACED:
            return WORST
        delta -= worth(pool, guide, state.column[victim], share)
        note(undo, victim, state.column[victim])
        leave(state, pool, guide, victim, units[victim])
    take(state, pool, guide, ask, column, units[ask])
    for place in range(first_displaced, undo.size[0]):
        victim = undo.ask[place]
        other = first_open(state, pool, guide, victim, units[victim], NEXT)
        if other != NOBODY:
            take(state, pool, guide, victim, other, units[victim])
            delta += worth(pool, guide, other, share)
    return delta


@lean
def gain_of(state: State, pool: Pool, undo: Undo) -> int:
    """The utility that a move has gained, mm."""
    gain = 0
    for place in range(undo.size[0]):
        before, now = undo.column[place], state.column[undo.ask[place]]
        gain += (pool.utility[now] if now != NOBODY else 0) - (pool.utility[before] if before != NOBODY else 0)
    return gain


@lean
def note(undo: Undo, ask: int, column: int) -> None:
    """Remember what `ask` had."""
    undo.ask[undo.size[0]], undo.column[undo.size[0]] = ask, column
    undo.size[0] += 1


@lean
def cheapest_in_the_way(state: State, pool: Pool, guide: Guide, share: int, column: int, units: int) -> int:
    """The ask on the column's offer that takes a short hour of it and is worth least."""
    offer, victim, least = pool.offer[column], NOBODY, 1 << 62
    before = guide.hour[column] - pool.first[column]
    for place in range(state.begin[offer], state.begin[offer] + state.load[offer]):
        ask = state.held[place]
        theirs = state.column[ask]
        theirs_worth = worth(pool, guide, theirs, share)
        if theirs_worth >= least:
            continue
        for hour in range(max(pool.first[column], pool.first[theirs]), min(pool.beyond[column], pool.beyond[theirs])):
            if state.free[before + hour] < units:
                victim, least = ask, theirs_worth
                break
    return victim


@lean
def roll_back(state: State, pool: Pool, units: Ints, guide: Guide, undo: Undo) -> None:
    """Undo a move."""
    for place in range(undo.size[0]):
        ask = undo.ask[place]
        if state.column[ask] != NOBODY:
            leave(state, pool, guide, ask, units[ask])
    for place in range(undo.size[0]):
        if undo.column[place] != NOBODY:
            take(state, pool, guide, undo.ask[place], undo.column[place], units[undo.ask[place]])


@lean
def restore(state: State, pool: Pool, units: Ints, guide: Guide, columns: Ints) -> None:
    """Give every ask the column it has in `columns`."""
    for ask in range(columns.size):
        if state.column[ask] != NOBODY:
            leave(state, pool, guide, ask, units[ask])
    for ask in range(columns.size):
        if columns[ask] != NOBODY:
            take(state, pool, guide, ask, columns[ask], units[ask])


@compiled
def fill(state: State, pool: Pool, units: Ints, guide: Guide, order: Ints) -> None:
    """Place asks in `order`, each on the first of its columns that is open."""
    for ask in order:
        if state.column[ask] == NOBODY:
            column = first_open(state, pool, guide, ask, units[ask], EVERY)
            if column != NOBODY:
                take(state, pool, guide, ask, column, units[ask])


@compiled
def by_what_is_left(pool: Pool, units: Ints, guide: Guide) -> Ints:
    """Asks by what their best column leaves per unit-hour, most first; equal ones in their order."""
    left = np.full(units.size, float(WORST))
    for ask in range(units.size):
        for column in range(pool.begin[ask], pool.begin[ask + 1]):
            left[ask] = max(left[ask], guide.left[column] / (units[ask] * (guide.more[column] + 1)))
    return np.argsort(-left, kind="mergesort")
