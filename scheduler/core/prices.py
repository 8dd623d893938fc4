"""What an hour of an offer is worth: prices from the Lagrangian dual, and the bound they prove.

For prices p >= 0 per (offer, hour), `sum(p*free) + sum_j max(0, max_c(U - units*sum(p)))` is at least the utility of
every plan (Geoffrion 1974). The prices start at what greedy got for its hours and follow the subgradient in steps that
shrink geometrically (Goffin 1977). Every hour's excess counts in parts of its own units, and at most MOST_EXCESS of
them: the hours that everybody wants at first would otherwise leave no length of step to all others.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.best import keep_best, new_finder
from scheduler.core.compiled import compiled, lean, side_by_side
from scheduler.core.facts import Facts
from scheduler.core.hopes import Charged, Until, charged_of
from scheduler.core.market import Bools, Ints
from scheduler.core.pool import ANY_START, Pool, by_choice
from scheduler.core.room import SIZES, Room

Floats = npt.NDArray[np.float64]
FIRST_STEP, LAST_STEP = 0.1, 0.004  # in parts of the usual worth of a unit-hour
MOST_EXCESS = 10
START = 0.6  # of what greedy got: an hour is worth what the last who gets it gives, not the mean


class Priced(NamedTuple):
    """The best bound found, mm, and the prices that prove it, mm per unit-hour [offers, hours]."""

    bound: int
    prices: Ints


class Pace(NamedTuple):
    """Which of `steps` price steps are made: from `done` on, `more` of them; step lengths shrink over all of them."""

    done: int
    more: int
    steps: int


@compiled
def price_hours_of(units: Ints, free: Ints, pool: Pool, usual: float, pace: Pace, prices: Floats) -> Priced:
    """Prices for the units `free` by looks at the pool, from `prices` on, which move; the bound is that of the pool.

    `usual` is what a unit-hour is worth to those who got one, mm.
    """
    best, whole, slack = np.zeros(free.shape, np.int64), np.rint(prices).astype(np.int64), np.zeros(free.shape)
    bound = -1
    for step in range(pace.done, pace.done + pace.more):
        value = look_at_pool(units, free, pool, running(whole), slack) + (whole * free).sum()
        if bound < 0 or value < bound:
            bound = value
            best[:] = whole
        length = usual * FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / pace.steps)
        for offer in range(free.shape[0]):
            for hour in range(free.shape[1]):
                if free[offer, hour] > 0:
                    excess = max(-1.0, min(MOST_EXCESS, -slack[offer, hour] / free[offer, hour]))
                    prices[offer, hour] = max(0.0, prices[offer, hour] + length * excess)
                    whole[offer, hour] = round(prices[offer, hour])
    return Priced(bound, best)


@compiled
def paid_hours(columns: Ints, utility: Ints, units: Ints, left: Ints) -> tuple[Floats, float]:
    """(mm per unit-hour that those who hold an hour get of it, 0 where many units are `left`; the usual worth).

    `columns` [asks, fields] begins with the fields of Column, offer -1 where there is none.
    """
    worth, held = np.zeros(left.shape), np.zeros(left.shape)
    for ask in range(units.size):
        if columns[ask, 0] >= 0:
            offer, first, beyond = columns[ask, 0], columns[ask, 3], columns[ask, 4]
            worth[offer, first:beyond] += utility[ask] / (beyond - first)
            held[offer, first:beyond] += units[ask]
    usual = worth.sum() / max(1.0, held.sum())
    return START * worth / np.maximum(held, 1.0) * (left < SIZES), usual


@compiled
def proven_on(units: Ints, free: Ints, pool: Pool, prices: Floats) -> int:
    """The bound that `prices` prove over the columns of the pool, mm."""
    whole = np.rint(prices).astype(np.int64)
    return look_at_pool(units, free, pool, running(whole), np.zeros(free.shape)) + (whole * free).sum()


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
        bound += most
        if chosen >= 0:
            for hour in range(pool.first[chosen], pool.beyond[chosen]):
                slack[pool.offer[chosen], hour] -= units[ask]
    return bound


@compiled
def running(prices: Ints) -> Ints:
    """[offers, hours + 1] the running sum of `prices`."""
    offers, hours = prices.shape
    sums = np.zeros((offers, hours + 1), dtype=np.int64)
    for offer in range(offers):
        for hour in range(hours):
            sums[offer, hour + 1] = sums[offer, hour] + prices[offer, hour]
    return sums


def proven_by(facts: Facts, room: Room, prices: Ints, without: Bools) -> int:
    """The bound that `prices` prove over all columns of all asks but those in `without`, mm."""
    charged, order = charged_of(facts, running(prices)), by_choice(facts)
    parts = side_by_side(
        lambda first, beyond: left_of(facts, room, charged, without, order[first:beyond]), without.size
    )
    return int((prices * room.free).sum()) + sum(parts)


@compiled
def left_of(facts: Facts, room: Room, charged: Charged, without: Bools, asks: Ints) -> int:
    """What the best columns of `asks` leave, mm."""
    finder, left, until = new_finder(facts, 1, 1), 0, Until(ANY_START, ANY_START)
    for ask in asks:
        if not without[ask] and keep_best(facts, ask, room, until, charged, 0, finder):
            left += finder.kept.left[0]
    return left
