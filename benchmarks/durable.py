"""Rounds on PostgreSQL from waiting jobs to committed allocations; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.durable --offers 1000 --batch 10000 --batch 100 --repeat 5

Makes a database of its own beside the one DATABASE_URL names, and drops it. Each batch is one `run_round` over jobs
that were copied into the queue before; a first one warms the process up and does not count. Afterwards the promised
hours are given back, so that each batch meets the same market. `ceiling` is a bare COPY of the rows the last round
wrote (contracts, allocations, attempts, events) into tables without an index or a constraint, in the same run. With
`--celery` 2,000 jobs, or one batch of more, also go through the task `match_segment` of a real worker, a task for each
batch, sent one behind the other: from the first message to the last row.
Exit status 3 when an hour is oversold, a job has two live allocations, or the last round of a size breaks a limit.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.database import own_database

SEGMENT = "accelerator"
TABLES = ("booking_contract", "scheduler_allocation", "scheduler_attempt", "events_event")
PATIENCE_S = 120
STREAM = 2_000  # jobs wait when a worker is sent as many tasks as they need, one behind the other
OVERSOLD = """
    SELECT count(*) FROM booking_capacityday, unnest(units_promised, units_total) AS hour(promised, total)
    WHERE promised > total
"""
DOUBLE = "SELECT count(*) - count(DISTINCT job_id) FROM scheduler_allocation WHERE live"


def measure(asked: argparse.Namespace, queue: str) -> dict[str, Any]:
    """Every batch size in turn on one market."""
    from django.db import connection  # noqa: PLC0415

    from benchmarks.rows import ask_kinds, make_buyers, make_market  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from scheduler.snapshot import HORIZON_HOURS  # noqa: PLC0415

    now = utc_now().replace(microsecond=0)
    make_market(offers=asked.offers, now=now, seed=asked.seed)
    market = (ask_kinds(kinds=asked.kinds, seed=asked.seed), make_buyers(now))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    batches, checks = [], {"limits_broken": 0}
    for size in asked.batch:
        batches.append(_batch(size, asked, market))
        checks["limits_broken"] += _limits_broken()
    with connection.cursor() as cursor:
        for name, question in (("oversold", OVERSOLD), ("double", DOUBLE)):
            cursor.execute(question)
            checks[name] = cursor.fetchone()[0]  # type: ignore[index]
        cursor.execute("SHOW server_version")
        server = cursor.fetchone()[0]  # type: ignore[index]
    return {
        "offers": asked.offers, "hours": HORIZON_HOURS, "kinds": asked.kinds, "seed": asked.seed, "batches": batches,
        "celery": _through_celery(asked, market, queue) if asked.celery else None, "checks": checks,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "versions": {"python": platform.python_version(), "postgresql": server, "machine": platform.platform()},
    }  # fmt: skip


def _limits_broken() -> int:
    """What an independent look finds wrong with the last round, as it is stored."""
    from scheduler.core import canonical, checker  # noqa: PLC0415
    from scheduler.models import MatchRound  # noqa: PLC0415
    from scheduler.recording import snapshot_of  # noqa: PLC0415

    last = MatchRound.objects.latest("pk")
    return len(checker.faults(snapshot_of(last), canonical.load_plan(zlib.decompress(last.result))))


def _batch(size: int, asked: argparse.Namespace, market: tuple[Any, Any]) -> dict[str, Any]:
    runs = [_round(size, number, market) for number in range(asked.repeat + 1)][1:]
    figures = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    ceiling = statistics.median(bare_copy(size) for _ in range(3))
    return figures | {
        "batch": size,
        "ceiling_placed_per_second": round(size / ceiling),
        "share_of_ceiling": round(ceiling / figures["seconds_total"], 3),
        "all_placed_per_second": sorted(run["placed_per_second"] for run in runs),
    }


def _round(size: int, number: int, market: tuple[Any, Any]) -> dict[str, Any]:
    from benchmarks.rows import copy_jobs  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from scheduler.cycle import run_round  # noqa: PLC0415

    kinds, buyers = market
    now = utc_now().replace(microsecond=0)
    copy_jobs(count=size, kinds=kinds, buyers=buyers, now=now, seed=number)
    _settle()
    began = time.perf_counter()
    done = run_round(segment=SEGMENT, now=now, most=size, mode="greedy")
    total = time.perf_counter() - began
    _give_back()
    if done is None:
        raise RuntimeError("nothing was placed: the market is full, or another worker holds the segment")
    return {
        "placed": done.placed, "conflicts": done.conflicts, "seconds_total": round(total, 4),
        "seconds_read": done.ms_read / 1000, "seconds_core": done.ms_core / 1000, "seconds_write": done.ms_write / 1000,
        "placed_per_second": round(done.placed / total),
        "placed_per_second_without_core": round(done.placed / (total - done.ms_core / 1000)),
    }  # fmt: skip


def _give_back() -> None:
    """Take every promise back; raises RuntimeError where more was promised than there is, or a job was placed twice."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        for question in (OVERSOLD, DOUBLE):
            cursor.execute(question)
            if cursor.fetchone()[0]:  # type: ignore[index]
                raise RuntimeError(f"a promise was broken: {question}")
        cursor.execute("UPDATE scheduler_allocation SET live = false, released_at = created_at WHERE live")
        cursor.execute(
            "UPDATE booking_capacityday SET units_promised = array_fill(0, ARRAY[24]) "
            "WHERE units_promised <> array_fill(0, ARRAY[24])"
        )
        cursor.execute("VACUUM booking_capacityday")


def _settle() -> None:
    """Statistics of what was just copied."""
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE scheduler_job, scheduler_queueentry")


def bare_copy(size: int) -> float:
    """Seconds to COPY the newest `size` rows of each table into an empty one without an index, and to commit."""
    from django.db import connection, transaction  # noqa: PLC0415

    with connection.cursor() as cursor:
        rows = {}
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS bare_{table}")
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table})")
            newest = f"SELECT * FROM {table} ORDER BY id DESC LIMIT {size}"  # noqa: S608
            with cursor.copy(f"COPY ({newest}) TO STDOUT") as copy:  # type: ignore[attr-defined]
                rows[table] = b"".join(copy)
        began = time.perf_counter()
        with transaction.atomic():
            for table, content in rows.items():
                with cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:  # type: ignore[attr-defined]
                    copy.write(content)
        return time.perf_counter() - began


def _through_celery(asked: argparse.Namespace, market: tuple[Any, Any], queue: str) -> list[dict[str, Any]]:
    """Every batch size through a worker of our own on a queue of our own; the first of each warms it up."""
    with _worker(queue):
        figures = []
        for size in asked.batch:
            tasks = max(1, STREAM // size)
            runs = [_tasks(size, tasks, number, market, queue) for number in range(asked.repeat + 1)][1:]
            told = {"batch": size, "tasks": tasks, "seconds": statistics.median(runs), "seconds_of_runs": runs}
            figures.append(told | {"placed_per_second": round(size * tasks / statistics.median(runs))})
        return figures


def _tasks(size: int, tasks: int, number: int, market: tuple[Any, Any], queue: str) -> float:
    """Seconds from sending `tasks` tasks, a round of `size` jobs each, until no job waits."""
    from benchmarks.rows import copy_jobs  # noqa: PLC0415
    from config.celery import app  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from marketplace.events.hints import wait_for  # noqa: PLC0415
    from scheduler.models import QueueEntry  # noqa: PLC0415

    kinds, buyers = market
    copy_jobs(count=size * tasks, kinds=kinds, buyers=buyers, now=utc_now().replace(microsecond=0), seed=number)
    _settle()
    with wait_for(["journal"]) as news:  # every round tells of its commit; to ask all the time would slow it down
        began = time.perf_counter()
        for _ in range(tasks):
            app.send_task("match_segment", args=[SEGMENT, "greedy", size], queue=queue)
        while QueueEntry.objects.exists():
            if time.perf_counter() - began > PATIENCE_S:
                raise RuntimeError(f"the worker left {QueueEntry.objects.count()} jobs")
            news.wait(0.1)
        took = time.perf_counter() - began
    _give_back()
    return round(took, 4)


@contextmanager
def _worker(queue: str) -> Iterator[None]:
    argv = (sys.executable, "-m", "benchmarks.durable", "--worker", queue)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        try:
            if not any("takes tasks" in line for line in child.stdout or ()):  # else its output has ended
                raise RuntimeError(f"the worker ended with {child.wait(timeout=10)} before it took a task")
            yield
        finally:
            child.terminate()


def work(queue: str) -> None:
    """Be the matcher of `queue`. As in the product, reasons are the work of another worker, which does not run here."""
    from config.celery import app  # noqa: PLC0415

    app.conf.task_default_queue = f"{queue}-later"
    alone = ("--without-gossip", "--without-mingle")
    app.worker_main(["worker", "--concurrency=1", "--prefetch-multiplier=4", "--queues", queue, *alone])


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    ask = argparse.ArgumentParser(description="Rounds on PostgreSQL, from waiting jobs to committed allocations.")
    ask.add_argument("--offers", type=int, default=1000)
    ask.add_argument("--batch", type=int, action="append", help="jobs in one round; may be given several times")
    ask.add_argument("--kinds", type=int, default=8, help="different asks among the jobs (units aside)")
    ask.add_argument("--repeat", type=int, default=5)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--celery", action="store_true", help="every batch through a real worker, too")
    ask.add_argument("--worker", default="", help=argparse.SUPPRESS)
    asked = ask.parse_args(arguments)
    asked.batch = asked.batch or [10_000, 100]
    return asked


def main() -> int:
    asked = read_arguments(sys.argv[1:])
    if asked.worker:
        work(asked.worker)
        return 0
    with own_database():
        figures = measure(asked, f"durable-{os.getpid()}")
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 3 if any(figures["checks"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
