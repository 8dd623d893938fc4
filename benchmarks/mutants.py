"""Changes that would lose or double money, one at a time; each must make the test suite fail. Prints a line for each.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.mutants [--only NAME …]

Works on a copy of the checkout in a temporary folder: puts one wrong line in, runs the tests that are named beside it,
and takes it out again. Exit status 1 when a mutant survives.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_name("mutants.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong line: where, what stood there, what stands there now, and the tests that should see it."""

    name: str
    path: str
    before: str
    after: str
    tests: tuple[str, ...]


def read_mutants() -> list[Mutant]:
    """The mutants of the list beside this module."""
    rows = tomllib.loads(LIST.read_text())["mutant"]
    return [Mutant(**row | {"tests": tuple(row["tests"])}) for row in rows]


def copy_checkout(to: Path) -> None:
    """The tracked files, and the compiled core beside them."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def run_tests(tests: Sequence[str], where: Path) -> tuple[bool, str]:
    """(whether they all passed, the first that failed)."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *tests]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)  # noqa: S603
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, failed[0].split(" - ")[0] if failed else ""


def try_one(mutant: Mutant, where: Path) -> dict[str, object]:
    """Put the mutant in, run its tests, take it out."""
    path = where / mutant.path
    right = path.read_text()
    if mutant.before not in right:
        raise SystemExit(f"{mutant.name}: {mutant.path} has no such line")
    path.write_text(right.replace(mutant.before, mutant.after))
    began = time.monotonic()
    survived, by = run_tests(mutant.tests, where)
    path.write_text(right)
    return {"mutant": mutant.name, "killed": not survived, "by": by, "seconds": round(time.monotonic() - began)}


def main() -> int:
    """Try the mutants; 1 when one survives or the tests fail without any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="names of mutants")
    only = parser.parse_args().only
    chosen = [each for each in read_mutants() if not only or each.name in only]
    with tempfile.TemporaryDirectory() as folder:
        copy_checkout(Path(folder))
        tests = sorted({test for each in chosen for test in each.tests})
        fine, by = run_tests(tests, Path(folder))
        if not fine:
            sys.stderr.write(f"the tests fail without a mutant: {by}\n")
            return 1
        results = []
        for each in chosen:
            results.append(try_one(each, Path(folder)))
            sys.stdout.write(json.dumps(results[-1]) + "\n")
            sys.stdout.flush()
    killed = sum(bool(each["killed"]) for each in results)
    sys.stdout.write(json.dumps({"mutants": len(results), "killed": killed}) + "\n")
    return 0 if killed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
