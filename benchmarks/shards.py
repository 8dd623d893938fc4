"""Several Celery workers on the shards of one market; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.shards --workers 1 --workers 2 --workers 3 --workers 4 --jobs 10000 --repeat 3
.venv/bin/python -m benchmarks.shards --contended 1000000
.venv/bin/python -m benchmarks.shards --kills 40

Makes a database of its own beside the one DATABASE_URL names, and drops it. `scaling`: N workers have a shard each and
the work grows with them: N x `--jobs` jobs wait, one hint goes to each shard, the clock stops when none waits; `ratio`
is placed per second over that of one worker. `contended`: see benchmarks/contended.py; an attempt is a placement that a
round decided, a conflict one that the database refused. Both are in mode greedy. `kills`: see benchmarks/killed.py.
Exit status 3 when an hour is oversold, a job is allocated twice, anything is lost, or the checker is not clean.
"""

import argparse
import json
import platform
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import crew
from benchmarks.database import own_database

PATIENCE_S = 180
SHORT_S = 3_000  # such a run takes the hour that has begun or waits: all attackers want the same two hours
ROUNDS = """
    SELECT coalesce(sum(placed), 0), coalesce(sum(ms_read), 0), coalesce(sum(ms_core), 0), coalesce(sum(ms_write), 0)
    FROM scheduler_matchround WHERE id > %s
"""


def scaling(market: tuple[Any, Any], asked: argparse.Namespace) -> list[dict[str, Any]]:
    """One line for each number of workers."""
    lines = [_with_workers(market, count, asked) for count in asked.workers]
    for line in lines:
        line["ratio"] = round(line["placed_per_second"] / lines[0]["placed_per_second"], 2)
    return lines


def _with_workers(market: tuple[Any, Any], count: int, asked: argparse.Namespace) -> dict[str, Any]:
    groups = crew.groups()[:count]
    with crew.Crew([[crew.queue(group)] for group in groups]) as team:
        runs = [_run(market, groups, team, asked.jobs, number) for number in range(asked.repeat + 1)][1:]
        peak_mb = max(worker.peak_mb() for worker in team.workers)
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return middle | {
        "workers": count, "jobs": count * asked.jobs, "peak_mb_per_worker": peak_mb,
        "all_placed_per_second": sorted(run["placed_per_second"] for run in runs),
    }  # fmt: skip


def _run(market: tuple[Any, Any], groups: Sequence[str], team: crew.Crew, jobs: int, number: int) -> dict[str, Any]:
    from django.db import connection  # noqa: PLC0415

    from benchmarks import stage  # noqa: PLC0415
    from config.celery import app  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.events.hints import wait_for  # noqa: PLC0415

    now = utc_now().replace(microsecond=0)
    stage.queue_jobs(market, count=jobs * len(groups), groups=groups, now=now, seed=number)
    before = stage.ask("SELECT coalesce(max(id), 0) FROM scheduler_matchround")
    used = sum(worker.cpu_seconds() for worker in team.workers)
    with wait_for(["journal"]) as news:  # every round tells of its commit; to count all the time would slow them down
        began = time.perf_counter()
        for group in groups:
            app.send_task("match_segment", args=[crew.shard(group), "greedy"], queue=crew.queue(group))
        while stage.waiting():
            if time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError(f"the workers left {stage.waiting()} jobs")
            news.wait(1)
        took = time.perf_counter() - began
    used = sum(worker.cpu_seconds() for worker in team.workers) - used
    with connection.cursor() as cursor:
        cursor.execute(ROUNDS, [before])
        placed, *spent = cursor.fetchone()  # type: ignore[misc]
    wrong = sum(stage.checks().values())
    stage.empty()
    return {
        "placed": placed, "seconds": round(took, 3), "placed_per_second": round(placed / took),
        "cpu_seconds_of_workers": round(used, 2), "wrong": wrong,
        **{f"seconds_{name}": spent[place] / 1000 for place, name in enumerate(("read", "core", "write"))},
    }  # fmt: skip


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, on one market."""
    from django.db import connection  # noqa: PLC0415

    from benchmarks import contended, killed, stage  # noqa: PLC0415
    from benchmarks.rows import ask_kinds, make_buyers, make_market  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415

    now = utc_now().replace(microsecond=0)
    make_market(offers=asked.offers, now=now, seed=asked.seed)
    market = (ask_kinds(kinds=asked.kinds, seed=asked.seed), make_buyers(now))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]  # type: ignore[index]
    figures: dict[str, Any] = {"offers": asked.offers, "seed": asked.seed}
    if asked.contended:
        short = [kind | {"run_s": SHORT_S, "limits": {"family": [crew.FAMILY]}} for kind in market[0]]
        figures["contended"] = contended.attack(
            (short, market[1]), attempts=asked.contended, workers=asked.attackers, most=asked.batch
        )
    if asked.kills:
        figures["kills"] = killed.survive(
            market, kills=asked.kills, workers=asked.attackers, lump=asked.lump, seed=asked.seed
        )
        stage.empty()
    if not (asked.contended or asked.kills):
        figures["scaling"] = scaling(market, asked)
    versions = {"python": platform.python_version(), "postgresql": server, "machine": platform.platform()}
    return figures | {"versions": versions, "ok": _is_clean(figures)}


def _is_clean(figures: dict[str, Any]) -> bool:
    wrong = [line["wrong"] for line in figures.get("scaling", ())]
    for name in {"contended", "kills"} & set(figures):
        wrong += figures[name]["checks"].values()
    return not any(wrong) and ("kills" not in figures or figures["kills"]["invariants"]["ok"])


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    ask = argparse.ArgumentParser(description="Several Celery workers on the shards of one market.")
    ask.add_argument("--offers", type=int, default=0, help="unless given: 1000, or as many as attackers fight for")
    ask.add_argument("--kinds", type=int, default=8, help="different asks among the jobs (units aside)")
    ask.add_argument("--workers", type=int, action="append", choices=range(1, len(crew.COUNTRIES) + 1))
    ask.add_argument("--jobs", type=int, default=10_000, help="of each worker in a run of the scaling")
    ask.add_argument("--repeat", type=int, default=3)
    ask.add_argument("--contended", type=int, default=0, help="attempts at allocation by workers without locks")
    ask.add_argument("--attackers", type=int, default=0, help="workers under --contended (4) and --kills (2)")
    ask.add_argument("--batch", type=int, default=10_000, help="jobs that an attacker takes at once")
    ask.add_argument("--kills", type=int, default=0, help="SIGKILLs at random points under load")
    ask.add_argument("--lump", type=int, default=4_000, help="jobs that come together under --kills")
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args(arguments)
    asked.workers = asked.workers or [1, 2, 3, 4]
    asked.attackers = asked.attackers or (4 if asked.contended else 2)
    asked.offers = asked.offers or (max(4, asked.batch // 80) if asked.contended else 1000)
    return asked


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no worker is left behind
    crew.split_the_market()
    with own_database():
        figures = measure(asked)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["ok"] else 3


if __name__ == "__main__":
    sys.exit(main())
