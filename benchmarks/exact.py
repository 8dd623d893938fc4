"""The LP bound and the integer optimum of a small market by HiGHS: what the matcher is measured by."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import highspy
import numpy as np

from scheduler.core.compiled import compiled
from scheduler.core.facts import Facts, new_scratch
from scheduler.core.heaps import BEYOND, FIELDS, FIRST, OFFER, UTILITY
from scheduler.core.market import Halves, Ints
from scheduler.core.pool import find_all, widest
from scheduler.core.prices import Floats
from scheduler.core.room import open_room


class Columns(NamedTuple):
    """Every column that keeps to all limits and fits the empty market: a row each of ask, offer, hours and utility."""

    ask: Ints
    offer: Ints
    first: Ints
    beyond: Ints
    utility: Ints


@compiled
def all_columns(facts: Facts) -> Columns:
    """Every column; the first row tells the compiler the type and is left out."""
    columns, room, scratch = [(0, 0, 0, 0, 0)], open_room(facts.shelf.began, facts.shelf.begin), new_scratch(facts)
    rows = np.empty((widest(facts), FIELDS), dtype=np.int64)
    for ask in range(facts.asks.units.size):
        for row in range(find_all(facts, ask, room, scratch, rows)):
            columns.append((ask, rows[row, OFFER], rows[row, FIRST], rows[row, BEYOND], rows[row, UTILITY]))
    table = np.array(columns)[1:]
    return Columns(table[:, 0], table[:, 1], table[:, 2], table[:, 3], table[:, 4])


def bound_by_lp(columns: Columns, units: Ints, free: Ints) -> float:
    """The optimum of the linear relaxation, mm."""
    with nothing_printed():
        solver = _model(columns, units, free)
        solver.run()
    return -float(solver.getObjectiveValue())


def optimum(columns: Columns, units: Ints, free: Ints, *, seconds: float = 60.0) -> float:
    """The integer optimum, mm. Raises TimeoutError when it is not proven in time."""
    count = columns.ask.size
    if count == 0:
        return 0.0
    with nothing_printed():
        solver = _model(columns, units, free)
        solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), np.ones(count, dtype=np.uint8))
        solver.setOptionValue("time_limit", seconds)
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise TimeoutError(f"no proven optimum within {seconds} s")
    return -float(solver.getObjectiveValue())


def best_within(columns: Columns, units: Ints, free: Ints, *, seconds: float) -> Ints:
    """The columns (by row) of the best plan that HiGHS finds in that time; none when it finds no plan."""
    count = columns.ask.size
    with nothing_printed():
        solver = _model(columns, units, free)
        solver.changeColsIntegrality(count, np.arange(count, dtype=np.int32), np.ones(count, dtype=np.uint8))
        solver.setOptionValue("time_limit", seconds)
        solver.run()
    return np.flatnonzero(np.array(solver.getSolution().col_value) > 0.5)


@contextmanager
def nothing_printed() -> Iterator[None]:
    """HiGHS writes its name to the standard output whatever it is told; ours is for figures alone."""
    flush = ctypes.CDLL(None).fflush
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _model(columns: Columns, units: Ints, free: Ints) -> highspy.Highs:
    """Minimise minus the utility: each ask at most once, every hour within its free units; x is in [0, 1]."""
    solver = empty_model(units, free)
    add_columns(solver, columns, units, free.shape[1])
    return solver


def empty_model(units: Ints, free: Ints) -> highspy.Highs:
    """The rows without a column: one for each ask, then one for each offer and hour."""
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = 0, units.size + free.size
    model.row_lower_ = np.full(model.num_row_, -highspy.kHighsInf)
    model.row_upper_ = np.concatenate([np.ones(units.size), free.ravel().astype(np.float64)])
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.passModel(model)
    return solver


def matrix_of(columns: Columns, units: Ints, hours: int) -> tuple[Halves, Halves, Floats]:
    """(where each column begins and the last ends, the rows it takes part in, by how much)."""
    spans = columns.beyond - columns.first
    of_hours = np.repeat(np.arange(spans.size), spans)
    begun = np.repeat(np.cumsum(spans) - spans, spans)
    hour = columns.first[of_hours] + np.arange(of_hours.size) - begun
    rows = np.concatenate([columns.ask, units.size + columns.offer[of_hours] * hours + hour])
    cols = np.concatenate([np.arange(spans.size), of_hours])
    values = np.concatenate([np.ones(spans.size), units[columns.ask[of_hours]].astype(np.float64)])
    order = np.lexsort((rows, cols))
    starts = np.searchsorted(cols[order], np.arange(spans.size + 1)).astype(np.int32)
    return starts, rows[order].astype(np.int32), values[order]


def add_columns(solver: highspy.Highs, columns: Columns, units: Ints, hours: int) -> None:
    """Let `solver` choose from `columns` too: minus the utility of each is its cost."""
    count, (starts, rows, values) = columns.ask.size, matrix_of(columns, units, hours)
    costs, nothing, whole = -columns.utility.astype(np.float64), np.zeros(count), np.ones(count)
    solver.addCols(count, costs, nothing, whole, rows.size, starts[:-1], rows, values)
