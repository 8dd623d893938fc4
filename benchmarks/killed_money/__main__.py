"""Money under `kill -9`; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.killed_money --kills 200
.venv/bin/python -m benchmarks.killed_money --kills 60 --without gateway-key

Makes a database of its own beside the one DATABASE_URL names, and drops it. Two buyers top up, reserve, cancel, submit
jobs and ask for refunds through the API; two tills speak with the processor; one process takes its webhooks; one runs
the jobs and pays providers out. They are killed in the middle of a top-up, a hold, a capture or a payout, in turn. The
processor is the tests' Stripe-shaped server with its faults on, before which Stripe's own library stands. In the end,
once everything has come to rest, our rows, the books and the processor must tell the same story, and the checks of
`verify_invariants` find nothing. Exit status 1 when something is off; `--without` takes a safeguard away, and then
something must be.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.database import own_database
from benchmarks.killed_money import controls, stage

BUYERS, PROVIDERS = 200, 40


def run(asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The run; what it did, and what is off."""
    from benchmarks.killed_money import killing, verdict  # noqa: PLC0415 - models come after the settings

    stage.hurry()
    if asked.without == controls.GATEWAY_KEY:
        controls.without_gateway_key()
    if asked.without == controls.FENCE:
        controls.without_fence()
    made, began = stage.make_stage(folder, buyers=BUYERS, providers=PROVIDERS), time.monotonic()
    team = killing.Team(made, buyers=asked.buyers, tills=asked.tills, same_key=asked.without != controls.REQUEST_KEY)
    try:
        done = killing.kill_many(team, asked.kills, asked.seed)
        restless = team.come_to_rest()
        findings = {"processes_that_fell": team.fell, **verdict.verdict(folder)}
    finally:
        team.end()
    return {
        "kills": dict(done), "without": asked.without, "seconds": round(time.monotonic() - began),
        "faults": stage.FAULTS, "did": verdict.did(), "checked": len(findings), "still_under_way": restless,
        "off": verdict.off(findings), "python": platform.python_version(),
    }  # fmt: skip


def main() -> int:
    """Kill; 1 when something is lost or double."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--kills", type=int, default=200)
    ask.add_argument("--seed", type=int, default=1, help="of the schedule; not of how processes interleave")
    ask.add_argument("--buyers", type=int, default=2, help="processes that send requests")
    ask.add_argument("--tills", type=int, default=2, help="processes that speak with the processor")
    ask.add_argument("--without", choices=controls.CONTROLS, help="a safeguard to take away")
    asked = ask.parse_args()
    stage.prepare_environment()
    with own_database(), tempfile.TemporaryDirectory() as folder:
        figures = run(asked, Path(folder))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["off"] or figures["still_under_way"] else 0


if __name__ == "__main__":
    sys.exit(main())
