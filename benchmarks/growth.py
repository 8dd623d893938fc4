"""How much longer a job of a market ten times as large takes: both in turn, so that a slow moment slows both.

.venv/bin/python -m benchmarks.growth --repeat 5 --seeds 5

Prints one JSON document. Draws differ in demand, and a job that finds nothing left takes no time, so a ratio per job
and one per placed job stand side by side; `ratio` is the median of the seeds, each the median of its pairs of rounds.
"""

import argparse
import json
import statistics
import sys
import time
from typing import Any

from benchmarks.market import draw, snapshot_of
from benchmarks.match import decide
from scheduler.core.columns import OFFER
from scheduler.core.tables import Table, table_of


def main() -> int:
    ask = argparse.ArgumentParser(description="Measure how the time per job grows with the market.")
    ask.add_argument("--jobs", type=int, default=10_000)
    ask.add_argument("--offers", type=int, default=1_000)
    ask.add_argument("--times", type=int, default=10, help="how much larger the other market is")
    ask.add_argument("--repeat", type=int, default=5, help="pairs of rounds per seed")
    ask.add_argument("--seeds", type=int, default=1)
    asked = ask.parse_args()
    found = [compare(asked, seed) for seed in range(1, asked.seeds + 1)]
    told = {
        "jobs": asked.jobs, "offers": asked.offers, "times": asked.times, "mode": "greedy", "seeds": found,
        "ratio": statistics.median(each["ratio"] for each in found),
        "ratio_by_placed": statistics.median(each["ratio_by_placed"] for each in found),
    }  # fmt: skip
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0


def compare(asked: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The two markets of one seed, after a round of each that is not counted."""
    sizes = [(asked.jobs, asked.offers), (asked.jobs * asked.times, asked.offers * asked.times)]
    drawn = [draw(jobs=jobs, offers=offers, seed=seed) for jobs, offers in sizes]
    tables = [table_of(snapshot_of(each)) for each in drawn]
    placed = [decide_once(table)[1] for table in tables]
    runs = [[decide_once(table)[0] for table in tables] for _ in range(asked.repeat)]
    grown = statistics.median(large / small for small, large in runs)
    return {
        "seed": seed, "demand": [round(each.demand, 3) for each in drawn], "placed": placed,
        "us_per_job": [round(10**6 * statistics.median(times) / jobs, 2)
                       for times, (jobs, _) in zip(zip(*runs, strict=True), sizes, strict=True)],
        "seconds_of_runs": [[round(each, 4) for each in pair] for pair in runs],
        "ratio": round(grown / asked.times, 3), "ratio_by_placed": round(grown * placed[0] / placed[1], 3),
    }  # fmt: skip


def decide_once(table: Table) -> tuple[float, int]:
    """(seconds from arrays to decision, jobs placed) of one greedy round."""
    began = time.perf_counter()
    decided, _ = decide(table, None, 0)
    return time.perf_counter() - began, int((decided.columns[:, OFFER] >= 0).sum())


if __name__ == "__main__":
    sys.exit(main())
