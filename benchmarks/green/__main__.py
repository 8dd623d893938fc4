"""The forecast's promises on real hours of the grid; prints one JSON document.

.venv/bin/python -m benchmarks.green
.venv/bin/python -m benchmarks.green path/to/the/grid/folder

The folder holds `grid_hourly.csv.gz` and `us_generation_mix_2021.csv.gz`. Errors, ranges, waiting and places are of
2024, promises and periods of 2021; nothing but the times depends on the machine. Needs no database. Exit status 1 when
a goal of the specification is missed; without the files nothing is measured, and it says so.
"""

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.green import goals, measuring, reading


def run(folder: Path, *, offers: int, places: int) -> dict[str, Any]:
    """All figures of the files in `folder`, and the goals they miss."""
    began = time.perf_counter()
    zones, outputs = reading.grid_hours(folder / reading.GRID), reading.us_output(folder / reading.MIX)
    read = time.perf_counter() - began
    scored = reading.scored(zones)
    figures: dict[str, Any] = {
        "zones": sorted(scored),
        "errors": measuring.errors(scored),
        "waiting": measuring.waiting(scored),
        "places_g": measuring.moving(reading.with_2024(zones)),
        "promises_kept_percent": measuring.promises(outputs),
        "annual_is_not_hourly_percent": measuring.periods(outputs),
        "listing": measuring.listing(scored, outputs, offers=offers, places=places),
        "seconds_of_reading": round(read, 1),
    }
    figures["seconds"] = round(time.perf_counter() - began, 1)
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures["versions"] = {"python": platform.python_version(), "numpy": np.__version__}
    return {**figures, "goals": sum(1 for _ in goals.goals(figures)), "missed": goals.missed(figures)}


def main() -> int:
    """Measure; 1 when a goal is missed."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", nargs="?", type=Path, default=reading.FOLDER, help="where the two files are")
    ask.add_argument("--offers", type=int, default=10_000, help="flat loads to say the shares of")
    ask.add_argument("--places", type=int, default=300, help="places that they stand at")
    asked = ask.parse_args()
    for name in (reading.GRID, reading.MIX):
        if not (asked.folder / name).exists():
            sys.stdout.write(f"nothing measured: {asked.folder / name} is not here\n")
            return 0
    figures = run(asked.folder, offers=asked.offers, places=asked.places)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
