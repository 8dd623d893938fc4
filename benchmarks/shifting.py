"""What the choice of the hours saves, for runs of several lengths; prints one JSON document.

.venv/bin/python -m benchmarks.shifting
.venv/bin/python -m benchmarks.shifting path/to/the/grid/folder --restart-s 900

The folder holds `grid_hourly.csv.gz`. Of 14 zones a job arrives every hour of 2024, and its hours are chosen by the
forecast, and by hindsight: contiguous, wherever they are cheapest, or in pieces of two hours and more, where each piece
after the first takes `--restart-s` longer. Saved is the life-cycle carbon against a run at once, in per cent, the mean
of the zones. Nothing but the seconds depends on the machine. Exit status 1 when a goal of the specification is missed;
without the file nothing is measured, and it says so.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.green import reading
from benchmarks.green.goals import Goal
from benchmarks.green.reading import FIRST_OF_2024
from marketplace.energy.forecast import Series, Table
from marketplace.energy.scoring import Shifting, choosing, scattering, shifting
from scheduler.core.pieces import Hours, Work, cheapest
from scheduler.core.types import HOUR_S, MOST_PIECES

MG_PER_G = 1000
ROWS = 256  # so many choices at once stay near the processor
RESTART_S = 600
OFF = 0.5  # points that a figure may be off
# {(hours, window): by forecast, by hindsight}, in per cent
CONTIGUOUS = {
    (1, 24): (19.7, 23.2), (4, 12): (10.3, 11.6), (4, 24): (18.4, 20.8), (4, 48): (20.0, 25.7), (12, 48): (11.3, 15.7),
    (24, 96): (2.6, 10.8),
}  # fmt: skip
CHEAPEST_HOURS = {
    (1, 24): (19.7, 23.2), (4, 12): (10.5, 12.1), (4, 24): (18.6, 21.2), (4, 48): (20.3, 26.1), (12, 48): (17.5, 21.2),
    (24, 96): (17.6, 23.1),
}  # fmt: skip


def in_pieces(series: Series, first: int, *, run: int, window: int, work: Work) -> Shifting:
    """What pieces save of the `run` hours of `work` within `window`; restarts are paid."""
    return choosing(series, first, lambda table: _hours_of(table, work), run=run, window=window)


def _hours_of(table: Table, work: Work) -> Table:
    """The parts of each hour that the cheapest pieces use: [origins, hours]."""
    costs = np.rint(np.maximum(table, 0) * MG_PER_G).astype(np.int64)
    free, latest_s = np.ones_like(costs, dtype=np.bool_), costs.shape[1] * HOUR_S
    used = [
        cheapest(Hours(part, free[: len(part)], np.zeros(len(part), dtype=np.int64), latest_s), work).seconds
        for part in np.split(costs, range(ROWS, len(costs), ROWS))
    ]
    hours: Table = np.concatenate(used) / HOUR_S
    return hours


def measured(zones: list[Series], *, restart_s: int, most_pieces: int = MOST_PIECES) -> dict[str, Any]:
    """{run in window: {way: [forecast, oracle]}} in per cent saved, means over `zones` of life-cycle intensities."""
    found: dict[str, Any] = {}
    for run, window in CONTIGUOUS:
        work = Work(run * HOUR_S, most_pieces, restart_s)
        ways = {
            "contiguous": [shifting(each, FIRST_OF_2024, run=run, window=window) for each in zones],
            "cheapest_hours": [scattering(each, FIRST_OF_2024, run=run, window=window) for each in zones],
            "in_pieces": [in_pieces(each, FIRST_OF_2024, run=run, window=window, work=work) for each in zones],
        }
        found[f"{run} h in {window}"] = {way: _means(runs) for way, runs in ways.items()}
    return found


def _means(runs: list[Shifting]) -> list[float]:
    saved = [100 * float(np.mean([getattr(run, name) for run in runs])) for name in ("saved", "could_be_saved")]
    return [round(each, 2) for each in saved]


def goals(found: dict[str, Any]) -> list[Goal]:
    """Every figure of the specification with what was found."""
    return [
        Goal(f"{run} h in {window}, {way}, {kind}", figure, round(value - OFF, 2), round(value + OFF, 2))
        for way, wanted in (("contiguous", CONTIGUOUS), ("cheapest_hours", CHEAPEST_HOURS))
        for (run, window), values in wanted.items()
        for kind, figure, value in zip(
            ("forecast", "oracle"), found[f"{run} h in {window}"][way], values, strict=True
        )
    ]  # fmt: skip


def main() -> int:
    """Measure; 1 when a goal is missed."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", nargs="?", type=Path, default=reading.FOLDER, help="where the file is")
    ask.add_argument("--restart-s", type=int, default=RESTART_S, help="seconds that every piece after the first adds")
    asked = ask.parse_args()
    path = asked.folder / reading.GRID
    if not path.exists():
        sys.stdout.write(f"nothing measured: {path} is not here\n")
        return 0
    began = time.perf_counter()
    zones = [each.lifecycle for each in reading.scored(reading.grid_hours(path)).values()]
    saved = measured(zones, restart_s=asked.restart_s)
    missed = [f"{each.name}: {each.found} is not within {each.least:g} and {each.most:g}"
              for each in goals(saved) if not each.reached]  # fmt: skip
    figures = {
        "zones": len(zones), "restart_s": asked.restart_s, "saved_percent": saved, "missed": missed,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
