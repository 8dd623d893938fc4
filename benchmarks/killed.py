"""Workers are killed at random points while they match; the others and the next ones finish, and nothing is off.

A seeded schedule sends SIGKILL to the process that works (its parent makes another) or to a whole worker (which is
started again). Jobs and hints keep coming meanwhile. The seed repeats the schedule, not how processes interleave.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import crew, stage

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 0.8  # between a hint and the kill
HINTS_EVERY_S = 0.5
UNDER_WAY = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
    WHERE locktype = 'advisory' AND classid = 7411 AND granted AND datname = current_database()
"""
WHOLE = 0.25  # of the kills hit parent and pool together


def survive(market: tuple[Any, Any], *, kills: int, workers: int, lump: int, seed: int) -> dict[str, Any]:
    """`kills` kills under load, then quiet; what was placed, what was ever wrong, and what the checker says."""
    dice = random.Random(seed)  # noqa: S311  # a schedule, not a secret
    dealt = [[crew.queue(group) for group in crew.groups()[turn::workers]] for turn in range(workers)]
    done = {"pool": 0, "whole": 0}
    in_a_round = 0
    submitted = 0
    began = time.perf_counter()
    with crew.Crew(dealt) as team:
        while sum(done.values()) < kills:
            submitted += _feed(market, lump, submitted)
            _hint()
            time.sleep(dice.uniform(0.0, LONGEST_S))
            under_way = stage.ask(UNDER_WAY)
            kind = _kill(dice.choice(team.workers), whole=dice.random() < WHOLE)
            if kind:
                done[kind] += 1
                in_a_round += under_way > 0
        for worker in team.workers:
            worker.wait_until_ready()
        _finish()
    return {
        "kills": done, "while_a_round_was_under_way": in_a_round, "workers": workers, "seed": seed,
        "seconds": round(time.perf_counter() - began, 1), "submitted": submitted, **_states(),
        "rounds": stage.ask("SELECT count(*) FROM scheduler_matchround"),
        "checks": stage.checks() | {"lost": submitted - stage.ask("SELECT count(*) FROM scheduler_job")},
        "invariants": _verify(),
    }  # fmt: skip


def _feed(market: tuple[Any, Any], lump: int, number: int) -> int:
    """Queue a lump of jobs unless enough wait; how many."""
    from marketplace.common.clock import utc_now  # noqa: PLC0415

    if stage.waiting() > lump // 2:
        return 0
    stage.queue_jobs(market, count=lump, groups=crew.groups(), now=utc_now(), seed=number)
    return lump


def _hint() -> None:
    from config.celery import app  # noqa: PLC0415

    for group in crew.groups():
        app.send_task("match_segment", args=[crew.shard(group)], queue=crew.queue(group), expires=10)


def _kill(worker: crew.Worker, *, whole: bool) -> str | None:
    """The kind of kill; None when that worker is not there yet."""
    if not worker.ready.is_set():
        return None
    if whole:
        worker.kill()
        worker.start()
        return "whole"
    return "pool" if worker.kill_the_pool() else None


def _finish() -> None:
    """Hints until every job is placed or told why not."""
    last = 0.0

    def quiet() -> bool:
        nonlocal last
        if time.perf_counter() - last > HINTS_EVERY_S:
            _hint()
            last = time.perf_counter()
        return stage.waiting() == 0

    stage.wait_for(quiet, "every job is placed or told why not")


def _states() -> dict[str, int]:
    return {
        "allocated": stage.ask("SELECT count(*) FROM scheduler_job WHERE state = 'allocated'"),
        "waiting": stage.ask("SELECT count(*) FROM scheduler_job WHERE state = 'queued'"),
    }


def _verify() -> dict[str, Any]:
    """What `manage.py verify_invariants` says of this database."""
    argv = (sys.executable, "manage.py", "verify_invariants", "--json")
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if said.returncode > 1:
        raise RuntimeError(said.stderr)
    found = json.loads(said.stdout)
    broken = {each["id"]: each["anomalies"][:3] for each in found["checks"] if each["anomalies_total"]}
    return {"ok": found["ok"], "checked": [each["id"] for each in found["checks"]], "broken": broken}
