"""How time and memory of the matcher grow with the market: tenfold sizes, one JSON document and one drawing.

.venv/bin/python -m benchmarks.curves --into benchmarks/results --repeat 5
.venv/bin/python -m benchmarks.curves --into benchmarks/results --draw          # draw again from the JSON

Every size is a `manage.py benchmark match` of its own, so `peak_mb` is its own. A size whose process ends without an
answer (no memory left) stands in the document with its reason and not in the drawing.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.drawing import Axis, Line, draw_lines

SIZES = {"greedy": ((1_000, 100), (10_000, 1_000), (100_000, 10_000), (1_000_000, 100_000))}
SIZES["batch"] = SIZES["greedy"][:2]
ROOT = Path(__file__).resolve().parent.parent
COLOURS = {"greedy": "#01665E", "batch": "#8F5517"}


def measure(mode: str, jobs: int, offers: int, repeat: int) -> dict[str, Any]:
    """One size in one mode, or the reason why there is none."""
    size = ("--jobs", str(jobs), "--offers", str(offers), "--mode", mode, "--repeat", str(repeat))
    command = (sys.executable, "manage.py", "benchmark", "match", *size, "--json")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in {0, 3} or not done.stdout:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return {"mode": mode, "jobs": jobs, "offers": offers, "failed": last}
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def lines_of(points: Sequence[dict[str, Any]], value: str, scale: float = 1.0) -> list[Line]:
    """One line per mode through the sizes that were measured."""
    found = []
    for mode in SIZES:
        measured = [each for each in points if each["mode"] == mode and "failed" not in each]
        places = [(float(each["jobs"]), scale * float(each[value])) for each in measured]
        if places:
            found.append(Line(mode, COLOURS[mode], places))
    return found


def draw_all(points: Sequence[dict[str, Any]], into: Path) -> None:
    """`curves-time.svg` and `curves-memory.svg`."""
    jobs = Axis("jobs waiting (a tenth as many offers)", "")
    (into / "curves-time.svg").write_text(
        draw_lines(
            "Time of one round", jobs, Axis("seconds from arrays to decision", "s"), lines_of(points, "seconds_total")
        )
    )
    (into / "curves-memory.svg").write_text(
        draw_lines("Memory of one round", jobs, Axis("peak of the whole process", "MB"), lines_of(points, "peak_mb"))
    )


def main() -> int:
    ask = argparse.ArgumentParser(description="Measure markets that grow tenfold, and draw the curves.")
    ask.add_argument("--into", type=Path, default=ROOT / "benchmarks" / "results")
    ask.add_argument("--repeat", type=int, default=5)
    ask.add_argument("--most", type=int, default=1_000_000, help="jobs of the largest size")
    ask.add_argument("--draw", action="store_true", help="draw what was measured before")
    asked = ask.parse_args()
    kept = asked.into / "curves.json"
    if not asked.draw:
        points = [
            measure(mode, *size, asked.repeat)
            for mode, sizes in SIZES.items()
            for size in sizes
            if size[0] <= asked.most
        ]
        told = {"date": datetime.now(UTC).date().isoformat(), "machine": platform.platform(), "points": points}
        kept.write_text(json.dumps(told, indent=2) + "\n")
    points = json.loads(kept.read_text())["points"]
    draw_all(points, asked.into)
    return 3 if any(any(each.get("checks", {}).values()) for each in points) else 0


if __name__ == "__main__":
    sys.exit(main())
