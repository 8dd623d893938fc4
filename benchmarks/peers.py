"""`manage.py benchmark peers`: the same seeded market for our matcher and for others, as one JSON document.

Sides: ours (greedy and batch), HiGHS on the integer programme (30 s) and on its linear relaxation, a matcher that goes
row by row through the ORM, and Slurm's controller where it is installed (`benchmarks/slurm.py`). Each side runs in a
process of its own, the sides take turns, and each run begins with another side. Seconds run from the market in the
side's own form (arrays, rows, queued jobs) to a whole decision; the solvers' include their columns and their model.
Machine code is loaded and tables are filled before. Every plan but Slurm's is judged by the same columns: those that
keep to all limits.
"""

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import highspy
import numpy as np

from benchmarks import exact, slurm
from benchmarks.market import draw, snapshot_of
from scheduler.core.batch import BATCH, place_batch
from scheduler.core.columns import FIRST, OFFER
from scheduler.core.greedy import Decided, Ground, place_all
from scheduler.core.market import Ints
from scheduler.core.tables import Table, table_of
from scheduler.core.types import Snapshot

MIP_SECONDS = 30.0
Chosen = list[tuple[int, int, int]]  # ask, offer, first hour


class Market(NamedTuple):
    """One seeded market in both forms."""

    snapshot: Snapshot
    table: Table


def market_of(jobs: int, offers: int, seed: int) -> Market:
    """The market of `benchmark match` of that size and seed."""
    snapshot = snapshot_of(draw(jobs=jobs, offers=offers, seed=seed))
    return Market(snapshot, table_of(snapshot))


def timed(decide: Callable[[], Any], *, warm: bool = True) -> tuple[float, Any]:
    """(seconds, what it decided); before that once in vain, which loads machine code."""
    if warm:
        decide()
    begun = time.perf_counter()
    decided = decide()
    return time.perf_counter() - begun, decided


def ours(market: Market, decide: Callable[[Ground], Decided]) -> dict[str, Any]:
    """Our matcher, lists included."""
    seconds, decided = timed(lambda: decide(Ground.of(market.table)))
    rows = decided.columns[:, [OFFER, FIRST]].tolist()
    return judged(market, seconds, [(ask, offer, first) for ask, (offer, first) in enumerate(rows) if offer >= 0])


def greedy(market: Market) -> dict[str, Any]:
    """Greedy mode."""
    return ours(market, lambda ground: place_all(ground)[0])


def batch(market: Market) -> dict[str, Any]:
    """Batch mode from cold prices."""
    return ours(market, lambda ground: place_batch(ground, BATCH, market.snapshot.seed).decided)


def highs_mip(market: Market) -> dict[str, Any]:
    """The integer programme, stopped after MIP_SECONDS of solving."""
    columns_of(market)

    def decide() -> tuple[exact.Columns, Ints]:
        columns = columns_of(market)
        asks, shelf = market.table.asks, market.table.shelf
        return columns, exact.best_within(columns, asks.units, shelf.began, seconds=MIP_SECONDS)

    seconds, (columns, rows) = timed(decide, warm=False)
    return judged(market, seconds, [(int(columns.ask[n]), int(columns.offer[n]), int(columns.first[n])) for n in rows])


def highs_lp(market: Market) -> dict[str, Any]:
    """The linear relaxation: the bound, and no plan."""
    columns_of(market)
    asks, shelf = market.table.asks, market.table.shelf
    seconds, bound = timed(lambda: exact.bound_by_lp(columns_of(market), asks.units, shelf.began), warm=False)
    return {"seconds": seconds, "placed": None, "utility": round(bound), "checks": {}}


def row_by_row(market: Market) -> dict[str, Any]:
    """A matcher on ORM objects and PostgreSQL."""
    from benchmarks.orm import placing  # noqa: PLC0415 - needs a database

    with placing(market.snapshot) as place:
        seconds, placed = timed(place, warm=False)
    asks, offers = ({name: n for n, name in enumerate(ids)} for ids in (market.table.ask_ids, market.table.offer_ids))
    return judged(market, seconds, [(asks[ask], offers[offer], first) for ask, offer, first in placed])


def controller(market: Market) -> dict[str, Any]:
    """Slurm's scheduler on the same counts, units, run times and accelerators; it knows no price."""
    return slurm.measure(market.snapshot)


SIDES: dict[str, Callable[[Market], dict[str, Any]]] = {
    "ours_greedy": greedy, "ours_batch": batch, "highs_mip": highs_mip, "highs_lp": highs_lp, "orm": row_by_row,
    "slurm": controller,
}  # fmt: skip


def columns_of(market: Market) -> exact.Columns:
    """Every column of the market that keeps to all limits."""
    return exact.all_columns(Ground.of(market.table).facts)


def judged(market: Market, seconds: float, chosen: Chosen) -> dict[str, Any]:
    """A plan's utility and what is wrong with it, by the columns that keep to all limits."""
    columns = columns_of(market)
    parts = (columns.ask.tolist(), columns.offer.tolist(), columns.first.tolist())
    rows = {key: row for row, key in enumerate(zip(*parts, strict=True))}
    free, utility, broken = market.table.shelf.began.copy(), 0, 0
    for key in chosen:
        if key not in rows:
            broken += 1
            continue
        row = rows[key]
        utility += int(columns.utility[row])
        free[key[1], columns.first[row] : columns.beyond[row]] -= market.table.asks.units[key[0]]
    asks = [ask for ask, _, _ in chosen]
    checks = {"oversold": int((free < 0).sum()), "double": len(asks) - len(set(asks)), "limits_broken": broken}
    return {"seconds": seconds, "placed": len(chosen), "utility": utility, "checks": checks}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the specification's contract."""
    parser.add_argument("--sizes", type=read_sizes, default=read_sizes("200x50,1000x100"), help="JOBSxOFFERS,…")
    parser.add_argument("--sides", type=lambda text: text.split(","), default=list(SIDES), help="all unless named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)


def read_sizes(text: str) -> list[tuple[int, int]]:
    """[(jobs, offers)] of "200x50,1000x100". Raises ValueError, which argparse reports."""
    if not re.fullmatch(r"\d+x\d+(,\d+x\d+)*", text):
        raise ValueError("sizes are JOBSxOFFERS, divided by commas")
    pairs = (each.split("x") for each in text.split(","))
    return [(int(jobs), int(offers)) for jobs, offers in pairs]


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Every size in turn."""
    sizes = [_size(jobs, offers, options) for jobs, offers in options.sizes]
    checks = {"oversold": 0, "double": 0, "limits_broken": 0}
    for size in sizes:
        for name, count in size.pop("checks").items():
            checks[name] += count
    return {
        "sizes": sizes, "seed": options.seed, "repeat": options.repeat, "checks": checks,
        "versions": {
            "python": platform.python_version(), "numpy": np.__version__, "slurm": slurm.version(),
            "highs": f"{highspy.HIGHS_VERSION_MAJOR}.{highspy.HIGHS_VERSION_MINOR}.{highspy.HIGHS_VERSION_PATCH}",
        },
    }  # fmt: skip


def _size(jobs: int, offers: int, options: argparse.Namespace) -> dict[str, Any]:
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in options.sides}
    for number in range(options.repeat):
        turn = number % len(options.sides)
        for side in options.sides[turn:] + options.sides[:turn]:
            runs[side].append(_in_process(side, jobs, offers, options.seed))
    bound = runs["highs_lp"][0]["utility"] if "highs_lp" in runs else None
    checks: dict[str, int] = {"oversold": 0, "double": 0, "limits_broken": 0}
    for each in (each for of_side in runs.values() for each in of_side):
        for name, count in each.pop("checks", {}).items():
            checks[name] += count
    sides = {side: _told(of_side, bound) for side, of_side in runs.items()}
    return {"jobs": jobs, "offers": offers, "sides": sides, "checks": checks}


def _told(runs: list[dict[str, Any]], bound: int | None) -> dict[str, Any]:
    """The medians of one side, with the seconds of every run; or the reason why it was left out."""
    if "left_out" in runs[0]:
        return runs[0]
    figures = {name: _median([run[name] for run in runs]) for name in runs[0]}
    ratio = round(figures["utility"] / bound, 4) if bound and figures["utility"] is not None else None
    return figures | {"lp_ratio": ratio, "seconds_of_runs": [round(run["seconds"], 4) for run in runs]}


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 4) if known else None


def _in_process(side: str, jobs: int, offers: int, seed: int) -> dict[str, Any]:
    command = (sys.executable, "-m", "benchmarks.peers", side, str(jobs), str(offers), str(seed))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> int:
    side, jobs, offers, seed = sys.argv[1:]
    figures = SIDES[side](market_of(int(jobs), int(offers), int(seed)))
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
