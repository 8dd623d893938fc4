"""Sums over the starts of one ask, an hour apart: loops so plain that the machine does many starts in one step."""

import numpy as np

from scheduler.core.compiled import lean
from scheduler.core.market import Ints
from scheduler.core.room import NONE, Words
from scheduler.core.tables import FAR
from scheduler.core.types import HOUR_S


@lean
def write_waits(waiting: float, late: int, into: Ints) -> None:
    """Write at least what waiting costs at each start; at the first of them it has counted for `late` seconds."""
    for row in range(into.size):
        into[row] = max(0, int(waiting * max(0, late + HOUR_S * row)) - 1) * HOUR_S


@lean
def sum_runs(before: Ints, whole: Ints, after: Ints, part: int, into: Ints) -> None:
    """Write value x seconds of each run: the sums before it, after its whole hours, and after the hour begun."""
    for place in range(before.size):
        into[place] = (whole[place] - before[place]) * HOUR_S + (after[place] - whole[place]) * part


@lean
def least_open(costs: Ints, waits: Ints, open_in: Words, of: np.uint64) -> int:
    """The least cost and wait of the starts through which some offer `of` these is open; FAR where none is."""
    least = FAR
    for row in range(costs.size):
        least = min(least, costs[row] + waits[row] if open_in[row] & of != NONE else FAR)
    return least


@lean
def open_below(costs: Ints, waits: Ints, open_in: Words, most: int) -> np.uint64:
    """The offers that are open through a start which costs less than `most`."""
    some = NONE
    for row in range(costs.size):
        some |= open_in[row] if costs[row] + waits[row] < most else NONE
    return some


@lean
def least_run(before: Ints, until: Ints, price: Ints, part: int, costs: Ints, waits: Ints, spent: Ints) -> int:
    """The least sum over starts an hour apart, many in one step of the machine; without waiting, each is `spent`."""
    least = FAR
    for row in range(costs.size):
        spent[row] = until[row] - before[row] + price[row] * part + costs[row]
        least = min(least, spent[row] + waits[row])
    return least
