"""Workers attack the same jobs and the same hours, without the locks that keep them apart in the product.

Pairs of workers match the same shard at the same time, and both shards have the same offers, as if a deployment had
been set up all wrong. All decide on what they read before any of them has written, meet, and commit. Only the guards of
the commit are left: the lock and version of each job, the locked and checked hours, one live allocation per job.
"""

import time
from typing import Any

from benchmarks import crew, stage

MEET_WITHIN_S = 5.0
TASK = "contend"
ROUNDS = (
    "SELECT coalesce(sum(placed), 0), coalesce(sum(conflicts), 0), count(*) FROM scheduler_matchround WHERE id > %s"
)


def contend(segment: str, wave: str, workers: int, most: int) -> None:
    """One round of a segment that somebody else matches as well; commits when all have decided."""
    from django.core.cache import cache  # noqa: PLC0415

    from marketplace.common.clock import utc_now  # noqa: PLC0415
    from scheduler import cycle  # noqa: PLC0415

    commit = cycle.commit_plan

    def commit_together(**plan: Any) -> Any:
        cache.incr(f"{wave}-met")
        until = time.monotonic() + MEET_WITHIN_S
        while cache.get(f"{wave}-met") < workers and time.monotonic() < until:
            time.sleep(0.001)
        return commit(**plan)

    cycle.commit_plan = commit_together
    try:
        cycle.batch_round(segment, utc_now(), most, "greedy")
    finally:
        cycle.commit_plan = commit
        cache.incr(f"{wave}-done")


def attack(market: tuple[Any, Any], *, attempts: int, workers: int, most: int) -> dict[str, Any]:
    """Waves of attacks until so many allocations were attempted; the counts, and what was ever wrong."""
    shards = crew.groups()[:2]
    queues = [[f"{crew.prefix()}.attack-{number}"] for number in range(workers)]
    figures = {"workers": workers, "waves": 0, "attempts": 0, "placed": 0, "conflicts": 0, "rounds": 0}
    wrong: dict[str, int] = {}
    began = time.perf_counter()
    with crew.Crew(queues, options=["--attack"]):
        while figures["attempts"] < attempts:
            before = stage.ask("SELECT coalesce(max(id), 0) FROM scheduler_matchround")
            _wave(market, shards, queues, most, figures["waves"])
            _count(figures, before)
            for name, found in stage.checks().items():
                wrong[name] = wrong.get(name, 0) + found
            stage.empty()
    return figures | {"seconds": round(time.perf_counter() - began, 1), "checks": wrong}


def _wave(market: tuple[Any, Any], shards: list[str], queues: list[list[str]], most: int, number: int) -> None:
    from django.core.cache import cache  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415
    from marketplace.common.clock import utc_now  # noqa: PLC0415

    now, wave = utc_now().replace(microsecond=0), f"{crew.prefix()}-{number}"
    stage.queue_jobs(market, count=2 * most, groups=shards, now=now, seed=number, most_units=1)
    for name in ("met", "done"):
        cache.set(f"{wave}-{name}", 0, timeout=600)
    for turn, [queue] in enumerate(queues):
        segment = crew.shard(shards[turn % len(shards)])
        app.send_task(TASK, args=[segment, wave, len(queues), most], queue=queue)
    stage.wait_for(lambda: cache.get(f"{wave}-done") == len(queues), f"wave {number} is over")
    cache.delete_many([f"{wave}-met", f"{wave}-done"])


def _count(figures: dict[str, int], before: int) -> None:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute(ROUNDS, [before])
        placed, conflicts, rounds = cursor.fetchone()  # type: ignore[misc]
    if not rounds:
        raise RuntimeError("a wave of attacks decided nothing")
    figures["waves"] += 1
    figures["placed"] += placed
    figures["conflicts"] += conflicts
    figures["attempts"] += placed + conflicts
    figures["rounds"] += rounds


def prepare(app: Any) -> None:
    """Make this process an attacker: it has the task, and for it every shard has all offers."""
    from django.conf import settings  # noqa: PLC0415

    everywhere = tuple(" ".join(crew.COUNTRIES).split())
    settings.REGION_GROUPS = dict.fromkeys(settings.REGION_GROUPS, everywhere)
    app.task(name=TASK)(contend)
