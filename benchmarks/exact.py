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
from scheduler.core.market import Ints
from scheduler.core.pool import find_all, widest
from scheduler.core.room import open_room
from scheduler.core.scan import Facts, new_scratch
from scheduler.core.worth import BEYOND, FIELDS, FIRST, OFFER, UTILITY


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
    asks, hours = units.size, free.shape[1]
    spans = columns.beyond - columns.first
    of_hours = np.repeat(np.arange(spans.size), spans)
    begun = np.repeat(np.cumsum(spans) - spans, spans)
    hour = columns.first[of_hours] + np.arange(of_hours.size) - begun
    rows = np.concatenate([columns.ask, asks + columns.offer[of_hours] * hours + hour])
    cols = np.concatenate([np.arange(spans.size), of_hours])
    values = np.concatenate([np.ones(spans.size), units[columns.ask[of_hours]].astype(np.float64)])
    order = np.lexsort((rows, cols))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = spans.size, asks + free.size
    model.col_cost_ = -columns.utility.astype(np.float64)
    model.col_lower_, model.col_upper_ = np.zeros(spans.size), np.ones(spans.size)
    model.row_lower_ = np.full(model.num_row_, -highspy.kHighsInf)
    model.row_upper_ = np.concatenate([np.ones(asks), free.ravel().astype(np.float64)])
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.searchsorted(cols[order], np.arange(spans.size + 1)).astype(np.int32)
    model.a_matrix_.index_, model.a_matrix_.value_ = rows[order].astype(np.int32), values[order]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    solver.passModel(model)
    return solver
