"""The LP bound of a market with too many columns to list: column generation (Gilmore, Gomory 1961) by HiGHS.

A master problem knows the columns found so far. Its dual values are prices for the hours, and columns that leave more
than their ask has at those prices join it. Prices prove a bound on all columns, so that the optimum lies between the
master's and the least bound proven. New columns are looked for at prices between the duals and those that proved
most so far, which keeps them from swinging (Wentges 1997).
"""

from typing import NamedTuple

import highspy
import numpy as np

from benchmarks.exact import Columns, add_columns, empty_model, nothing_printed
from scheduler.core.facts import Facts
from scheduler.core.market import Ints
from scheduler.core.pool import ANY_START, pool_of
from scheduler.core.prices import Floats, proven_by, running
from scheduler.core.room import Room, open_room

WITHIN = 1e-4
FIRST_COLUMNS, NEW_COLUMNS = 64, 16  # per ask
TOWARDS = 0.3  # how far from the duals to the prices that proved most
MOST_ROUNDS = 200


class Between(NamedTuple):
    """Where the optimum of the linear relaxation lies, mm: that of the columns found, and what prices prove."""

    low: float
    high: int


def bound_by_columns(facts: Facts, prices: Ints) -> Between:
    """The optimum of the linear relaxation to WITHIN; begins at `prices` [offers, hours], mm per unit-hour.

    Raises ArithmeticError when MOST_ROUNDS do not bring both ends together.
    """
    units, free = facts.asks.units, facts.shelf.began
    room, nobody = open_room(free, facts.shelf.begin), np.zeros(units.size, dtype=np.bool_)
    best, high = prices, proven_by(facts, room, prices, nobody)
    with nothing_printed():
        solver, known = empty_model(units, free), np.empty(0, dtype=np.int64)
        known = _add(solver, units, free.shape, columns_at(facts, room, prices, FIRST_COLUMNS), known)
        for _ in range(MOST_ROUNDS):
            solver.run()
            low = -float(solver.getObjectiveValue())
            if high - low <= WITHIN * high:
                return Between(low, high)
            duals = np.maximum(0, -np.array(solver.getSolution().row_dual)[units.size :]).reshape(free.shape)
            for tried in (_whole((1 - TOWARDS) * duals + TOWARDS * best), _whole(duals)):
                proven = proven_by(facts, room, tried, nobody)
                if proven < high:
                    best, high = tried, proven
                known = _add(solver, units, free.shape, columns_at(facts, room, tried, NEW_COLUMNS), known)
    raise ArithmeticError(f"the optimum is between {low} and {high} after {MOST_ROUNDS} rounds")


def columns_at(facts: Facts, room: Room, prices: Ints, most: int) -> Columns:
    """Up to `most` columns of each ask: those that leave most after `prices`, of those that leave anything."""
    asks = facts.asks.units.size
    everyone = np.full((asks, 2), ANY_START)
    pool = pool_of(facts, room, everyone, most, running(prices), np.zeros(asks, dtype=np.int64))
    ask = np.repeat(np.arange(asks), np.diff(pool.begin))
    wide = (each.astype(np.int64) for each in (pool.offer, pool.first, pool.beyond, pool.utility))
    return Columns(ask, *wide)


def _whole(prices: Floats) -> Ints:
    return np.rint(prices).astype(np.int64)


def _add(solver: highspy.Highs, units: Ints, shape: tuple[int, ...], columns: Columns, known: Ints) -> Ints:
    """Add to the master those of `columns` that are not `known`; the names of all that are known now."""
    offers, hours = shape
    name = ((columns.ask * offers + columns.offer) * hours + columns.first) * (hours + 1) + columns.beyond
    fresh = np.flatnonzero(~np.isin(name, known))
    add_columns(solver, Columns(*(each[fresh] for each in columns)), units, hours)
    return np.concatenate([known, name[fresh]])
