"""What one offer, one job and one round cost, for plans of larger markets; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.constants --offers 1000 --offers 4000

One process on a database of its own. `kept_kb_per_offer` is what the process grows by when it first reads a shelf, one
week of hours, without the arrays that the core makes of it (those are in `peak_mb`). `first_ms`, `again_ms` and
`after_round_ms` are to read it then, with nothing changed, and after a round has changed it, all per 1,000 offers.
`commit_ms` is what a round takes beyond reading, deciding and writing; `bare_copy_per_second` says how many placements
fit through a COPY of the same rows alone. `submission_ms` is the look at the whole family that each submission takes,
`call_ms` what it costs to bring 1,000 refused jobs forward because units were given back.
"""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.database import own_database
from benchmarks.durable import bare_copy

SEGMENT = "accelerator"
REFUSED = """
    UPDATE scheduler_job SET unplaced = '{"code": "outbid", "rejected": {}, "relax": []}',
                             next_attempt_at = now() + interval '15 seconds' WHERE state = 'queued'
"""
JOB_BYTES = "SELECT pg_total_relation_size('scheduler_job') / count(*) FROM scheduler_job"


def resident_kb(field: str = "VmRSS") -> int:
    """What this process holds (VmHWM: has held at most)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def constants(offers: int, jobs: int) -> dict[str, Any]:
    """The figures of a market of that size, on an empty database."""
    from benchmarks import stage  # noqa: PLC0415
    from benchmarks.rows import ask_kinds, make_buyers, make_market  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415

    now = utc_now().replace(microsecond=0)
    make_market(offers=offers, now=now)
    market = (ask_kinds(kinds=8), make_buyers(now))
    reading = _reading(offers, now)
    stage.queue_jobs(market, count=jobs, groups=[""], now=now)
    first = _round(jobs, now)
    after = _timed(lambda: _shelf(now))
    stage.queue_jobs(market, count=jobs, groups=[""], now=now, seed=1)
    second = _round(jobs, now)
    copied = bare_copy(jobs)
    stage.queue_jobs(market, count=jobs, groups=[""], now=now, seed=2)
    submission = _timed(lambda: _submission(market[0][0], now))
    return {
        "offers": offers, **reading, "after_round_ms": round(after * 1000 / (offers / 1000), 1),
        "submission_ms": round(submission * 1000, 1), "round": second,
        "call_ms": round(_call(jobs) * 1_000_000 / jobs, 1), "job_bytes": stage.ask(JOB_BYTES),
        "bare_copy_per_second": round(jobs / copied), "first_round_peak_mb": first["peak_mb"],
    }  # fmt: skip


def _shelf(now: Any) -> Any:
    from django.db import transaction  # noqa: PLC0415

    from scheduler.keeping import kept_shelf  # noqa: PLC0415

    with transaction.atomic():
        return kept_shelf(segment=SEGMENT, now=now)


def _reading(offers: int, now: Any) -> dict[str, Any]:
    before, thousands = resident_kb(), offers / 1000
    first = _timed(lambda: _shelf(now))
    kept = resident_kb() - before
    again = min(_timed(lambda: _shelf(now)) for _ in range(3))
    return {
        "kept_kb_per_offer": round(kept / offers, 1), "first_ms": round(first * 1000 / thousands, 1),
        "again_ms": round(again * 1000 / thousands, 1),
    }  # fmt: skip


def _round(jobs: int, now: Any) -> dict[str, Any]:
    from benchmarks import stage  # noqa: PLC0415
    from scheduler.cycle import run_round  # noqa: PLC0415

    position = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    written, began = stage.ask(position), time.perf_counter()
    done = run_round(segment=SEGMENT, now=now, most=jobs, mode="greedy")
    took = (time.perf_counter() - began) * 1000
    if done is None or not done.placed:
        raise RuntimeError("the round placed nothing")
    written = stage.ask(position) - written
    parts = {"read": done.ms_read, "core": done.ms_core, "write": done.ms_write}
    parts["commit"] = round(took) - sum(parts.values())
    return {
        "placed": done.placed, "wal_bytes_per_placement": written // done.placed,
        "peak_mb": resident_kb("VmHWM") // 1024,
        **{f"us_per_job_{name}": round(1000 * ms / done.placed, 1) for name, ms in parts.items()},
        "commit_ms": parts["commit"], "snapshot_kb": len(bytes(done.snapshot)) // 1024,
    }  # fmt: skip


def _submission(ask: dict[str, Any], now: Any) -> None:
    from scheduler.planning import prospect_of  # noqa: PLC0415
    from scheduler.requests import StoredAsk  # noqa: PLC0415

    prospect_of(ask=StoredAsk.from_json(ask), now=now)


def _call(jobs: int) -> float:
    """Seconds to bring all waiting jobs forward."""
    from django.db import connection, transaction  # noqa: PLC0415

    from benchmarks import stage  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from scheduler import attempts  # noqa: PLC0415
    from scheduler.shards import Shard  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(REFUSED)
    attempts.wake = lambda _: None  # type: ignore[assignment]  # no hint leaves a measurement
    with transaction.atomic():
        took = _timed(lambda: attempts.bring_forward(Shard(SEGMENT), utc_now()))
    if stage.ask("SELECT count(*) FROM scheduler_job WHERE next_attempt_at <= now()") < jobs:
        raise RuntimeError("not all waiting jobs were brought forward")
    return took


def _timed(act: Any) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> int:
    ask = argparse.ArgumentParser(description="What one offer, one job and one round cost.")
    ask.add_argument("--offers", type=int, action="append")
    ask.add_argument("--jobs", type=int, default=10_000)
    asked = ask.parse_args()
    figures = []
    for offers in asked.offers or [1000, 4000]:
        child = os.fork()  # so that what a process holds is of one market alone
        if child == 0:
            figures = [_on_a_database(offers, asked.jobs)]
            sys.stdout.write(json.dumps(figures[0], indent=2) + "\n")
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            return 1
    sys.stdout.write(json.dumps({"python": platform.python_version(), "machine": platform.platform()}) + "\n")
    return 0


def _on_a_database(offers: int, jobs: int) -> dict[str, Any]:
    with own_database():
        from scheduler.core.warm import warm  # noqa: PLC0415

        warm()
        return constants(offers, jobs)


if __name__ == "__main__":
    sys.exit(main())
