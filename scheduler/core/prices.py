"""What an hour of an offer is worth: prices from the Lagrangian dual, and the bound they prove.

For prices p >= 0 per (offer, hour), `sum(p*free) + sum_j max(0, max_c(U - units*sum(p)))` is at least the utility of
every plan (Geoffrion 1974). The prices come from a subgradient method with Polyak's step and deflection (Held, Wolfe,
Crowder 1974; Camerini, Fratta, Maffioli 1975) on the columns found so far; a full look adds the best of all columns, as
in column generation, and proves the bound.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Bools, Ints
from scheduler.core.pool import Pool
from scheduler.core.room import Room
from scheduler.core.scan import Facts, new_scratch
from scheduler.core.worth import most_left, new_rows

Floats = npt.NDArray[np.float64]
KEEP_DIRECTION = 0.7
STALLS, SHORTEN = 6, 0.6


class Priced(NamedTuple):
    """The best bound found, mm, and the prices that prove it, mm per unit-hour [offers, hours]."""

    bound: int
    prices: Ints


@compiled
def price_hours_of(units: Ints, free: Ints, pool: Pool, floor: int, steps: int, prices: Floats) -> Priced:
    """Prices for the units `free` by `steps` looks at the pool, from `prices` on; `floor` is what some plan is worth.

    The bound is that of the pool, what was dropped from it counted at no price.
    """
    offers, hours = free.shape
    best, whole = np.zeros((offers, hours), dtype=np.int64), np.rint(prices).astype(np.int64)
    direction, slack = np.zeros((offers, hours)), np.zeros((offers, hours))
    bound, factor, stalled = -1, 1.0, 0
    for _ in range(steps):
        value = look_at_pool(units, free, pool, running(whole), slack) + (whole * free).sum()
        stalled += 1
        if bound < 0 or value < bound:
            bound, stalled = value, 0
            best[:] = whole
        if stalled == STALLS:
            factor, stalled = factor * SHORTEN, 0
            prices[:] = best
            direction[:] = 0
        norm = turn(direction, slack, prices)
        if norm == 0.0:
            break
        length = factor * max(value - floor, 1e-4 * value) / norm
        for offer in range(offers):
            for hour in range(hours):
                prices[offer, hour] = max(0.0, prices[offer, hour] - length * direction[offer, hour])
                whole[offer, hour] = round(prices[offer, hour])
    return Priced(bound, best)


@lean
def look_at_pool(units: Ints, free: Ints, pool: Pool, sums: Ints, slack: Floats) -> int:
    """What the best columns leave at prices with running sum `sums`; `slack` gets the units they leave free."""
    bound = 0
    for offer in range(free.shape[0]):
        for hour in range(free.shape[1]):
            slack[offer, hour] = free[offer, hour]
    for ask in range(units.size):
        most, chosen = 0, -1
        for column in range(pool.begin[ask], pool.begin[ask + 1]):
            offer = pool.offer[column]
            paid = sums[offer, pool.beyond[column]] - sums[offer, pool.first[column]]
            left = pool.utility[column] - units[ask] * paid
            if left > most:
                most, chosen = left, column
        bound += max(most, pool.dropped[ask])
        if chosen >= 0:
            for hour in range(pool.first[chosen], pool.beyond[chosen]):
                slack[pool.offer[chosen], hour] -= units[ask]
    return bound


@lean
def turn(direction: Floats, slack: Floats, prices: Floats) -> float:
    """Turn `direction` towards `slack`, not below a price of 0; the square of its length."""
    norm = 0.0
    for offer in range(direction.shape[0]):
        for hour in range(direction.shape[1]):
            step = KEEP_DIRECTION * direction[offer, hour] + (1 - KEEP_DIRECTION) * slack[offer, hour]
            direction[offer, hour] = 0.0 if step > 0 and prices[offer, hour] <= 0.0 else step
            norm += direction[offer, hour] ** 2
    return norm


@compiled
def running(prices: Ints) -> Ints:
    """[offers, hours + 1] the running sum of `prices`."""
    offers, hours = prices.shape
    sums = np.zeros((offers, hours + 1), dtype=np.int64)
    for offer in range(offers):
        for hour in range(hours):
            sums[offer, hour + 1] = sums[offer, hour] + prices[offer, hour]
    return sums


@compiled
def proven_by(facts: Facts, room: Room, prices: Ints, without: Bools) -> int:
    """The bound that `prices` prove over all columns of all asks but those in `without`, mm."""
    sums, scratch, rows = running(prices), new_scratch(facts), new_rows(facts)
    bound = (prices * room.free).sum()
    for ask in range(facts.asks.units.size):
        if without[ask]:
            continue
        bound += most_left(facts, ask, sums, room, scratch, rows)
    return bound
