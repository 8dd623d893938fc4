"""`manage.py benchmark match`: how fast and how good the matcher is on a seeded market, as one JSON document."""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numba
import numpy as np

from benchmarks import exact, linear
from benchmarks.market import draw, snapshot_of
from scheduler.core import checker
from scheduler.core.batch import BATCH, QUALITY, Effort, Judged, place_batch
from scheduler.core.columns import OFFER
from scheduler.core.greedy import Decided, Ground, place_all
from scheduler.core.keptrooms import forget_rooms
from scheduler.core.rounds import placements
from scheduler.core.tables import Table, table_of
from scheduler.core.types import Plan, Snapshot, Unplaced

TRACES = ("synthetic", "philly_vc_b", "philly_vc_c")
EFFORTS = {"batch": BATCH, "quality": QUALITY}
LISTED = 20_000  # asks x offers up to which every column is listed for the LP
OF_SEED = ("seed", "demand", "placed", "seconds_total", "utility", "certified_ratio", "lp_ratio", "bound_above_lp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the specification's contract that this benchmark knows."""
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--offers", type=int, default=1_000)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--mode", choices=["greedy", *EFFORTS], default="greedy")
    parser.add_argument("--moves", type=int, help="moves of the search in all, instead of the mode's")
    parser.add_argument("--exact", action="store_true", help="also the LP bound by HiGHS; half a minute at 1,000 x 100")
    parser.add_argument("--trace", choices=TRACES, default="synthetic", help="sizes, run times and arrivals of a trace")
    parser.add_argument("--durable", action="store_true", help="whole rounds on PostgreSQL (benchmarks/durable.py)")
    parser.add_argument("--batch", type=int, help="jobs in one durable round; all of them unless stated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, help="the markets of seeds 1 to N, with every ratio and the worst")
    parser.add_argument("--repeat", type=int, default=5)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The figures of one seed, or with `--seeds` of the last one and, beside them, the ratios of all."""
    if options.seeds is None:
        return measure(options)
    every = [measure(argparse.Namespace(**vars(options) | {"seed": seed})) for seed in range(1, options.seeds + 1)]
    return every[-1] | {
        "checks": {name: sum(each["checks"][name] for each in every) for name in every[-1]["checks"]},
        "seeds": [{name: each[name] for name in OF_SEED} for each in every],
        "worst": {
            name: min((each[name] for each in every if each[name] is not None), default=None)
            for name in ("certified_ratio", "lp_ratio")
        },
        "slowest": max(each["seconds_total"] for each in every),
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure `options.repeat` times after one run that compiles; medians, and every run's seconds."""
    if options.durable:
        return whole_rounds(options)
    drawn = draw(jobs=options.jobs, offers=options.offers, hours=options.hours, seed=options.seed)
    snapshot = snapshot_of(drawn)
    table = table_of(snapshot)
    effort = effort_of(options)
    decide(table, effort, options.seed)
    runs = []
    for _ in range(options.repeat):
        begun = time.perf_counter()
        decided, judged = decide(table, effort, options.seed)
        runs.append(time.perf_counter() - begun)
    upper = linear_bound(table, judged) if options.exact else None
    figures = {"demand": round(drawn.demand, 3), "checks": checks(snapshot, table, decided)}
    return _told(options, runs, decided, judged, upper) | figures


def _told(
    options: argparse.Namespace, runs: list[float], decided: Decided, judged: Judged | None, upper: float | None
) -> dict[str, Any]:
    seconds, placed = statistics.median(runs), int((decided.columns[:, OFFER] >= 0).sum())
    utility = int(decided.utility.sum())
    return {
        "jobs": options.jobs,
        "offers": options.offers,
        "hours": options.hours,
        "mode": options.mode,
        "placed": placed,
        "seconds_total": round(seconds, 4),
        "seconds_core": round(seconds, 4),  # there is nothing else in memory
        "seconds_of_runs": [round(each, 4) for each in runs],
        "jobs_per_second": round(placed / seconds),
        "utility": utility,
        "certified_bound": judged.bound if judged else None,
        "certified_ratio": round(utility / judged.bound, 4) if judged and judged.bound else None,
        "lp_bound": round(upper) if upper is not None else None,
        "lp_ratio": round(utility / upper, 4) if upper else None,
        "bound_above_lp": round(judged.bound / upper - 1, 5) if judged and upper else None,
        "moves": judged.moves if judged else 0,
        "offers_examined_per_job": round(decided.examined / options.jobs, 2),
        "unplaced_reasons": reasons(decided),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seed": options.seed,
        "trace": "synthetic",
        "repeat": options.repeat,
        "versions": versions(),
    }


def reasons(decided: Decided) -> dict[str, int]:
    """Why asks were not placed, as far as a round knows without a closer look: others took what they fitted, or not."""
    waiting, fitted = decided.columns[:, OFFER] < 0, decided.alone == 1
    counts = {"outbid": int((waiting & fitted).sum()), "no_capacity": int((waiting & ~fitted).sum())}
    return {reason: count for reason, count in counts.items() if count}


def versions() -> dict[str, str]:
    """What was measured with."""
    return {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__}


def effort_of(options: argparse.Namespace) -> Effort | None:
    """How hard the mode tries; None is greedy."""
    effort = EFFORTS.get(options.mode)
    if effort is None or options.moves is None:
        return effort
    return effort._replace(moves_per_ask=options.moves, most_moves=options.moves)


def decide(table: Table, effort: Effort | None, seed: int) -> tuple[Decided, Judged | None]:
    """From arrays to decision, the lists and the room of the market included."""
    forget_rooms()
    ground = Ground.of(table)
    if effort is None:
        return place_all(ground)[0], None
    judged = place_batch(ground, effort, seed)
    return judged.decided, judged


def whole_rounds(options: argparse.Namespace) -> dict[str, Any]:
    """Rounds from waiting jobs to committed allocations, in a process that makes a database of its own."""
    sizes = ("--offers", options.offers, "--batch", options.batch or options.jobs, "--repeat", options.repeat)
    command = [sys.executable, "-m", "benchmarks.durable", *map(str, sizes), "--seed", str(options.seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode not in {0, 3}:
        raise RuntimeError(f"benchmarks.durable ended with {done.returncode}")
    return _told_durable(options, json.loads(done.stdout))


def _told_durable(options: argparse.Namespace, found: dict[str, Any]) -> dict[str, Any]:
    """The figures of the contract, and behind them all that the other process found."""
    [batch] = found["batches"]
    nothing = dict.fromkeys(
        ("utility", "certified_bound", "certified_ratio", "lp_bound", "lp_ratio", "offers_examined_per_job")
    )
    return nothing | {
        "jobs": batch["batch"],
        "offers": options.offers,
        "hours": found["hours"],
        "mode": "greedy",
        "placed": batch["placed"],
        "seconds_total": batch["seconds_total"],
        "seconds_core": batch["seconds_core"],
        "jobs_per_second": batch["placed_per_second"],
        "unplaced_reasons": {"conflict": batch["conflicts"]} if batch["conflicts"] else {},
        "peak_mb": found["peak_mb"],
        "checks": found["checks"],
        "seed": options.seed,
        "trace": "synthetic",
        "repeat": options.repeat,
        "versions": versions() | found["versions"],
        "durable": found,
    }


def linear_bound(table: Table, judged: Judged | None) -> float:
    """The optimum of the linear relaxation, mm; where there are too many columns to list, no less than it."""
    facts, free = Ground.of(table).facts, table.shelf.began
    if table.asks.units.size * free.shape[0] <= LISTED:
        return exact.bound_by_lp(exact.all_columns(facts), table.asks.units, free)
    return linear.bound_by_columns(facts, judged.prices if judged else np.zeros_like(free)).high


def checks(snapshot: Snapshot, table: Table, decided: Decided) -> dict[str, int]:
    """What an independent look finds wrong with the plan."""
    placed = placements(table, decided)
    taken = {placement.ask for placement in placed}
    left = tuple(Unplaced(ask.id, "no_capacity", {}, ()) for ask in snapshot.asks if ask.id not in taken)
    faults = checker.faults(snapshot, Plan(placed, left))
    oversold = sum("oversold" in fault for fault in faults)
    double = sum("decided" in fault for fault in faults)
    return {"oversold": oversold, "double": double, "limits_broken": len(faults) - oversold - double}
