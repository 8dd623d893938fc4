"""What every measurement of shards does with its database: fill it, look at it, empty it again."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from benchmarks.rows import copy_jobs

QUESTIONS = {
    "oversold": """
        SELECT count(*) FROM booking_capacityday, unnest(units_promised, units_total) AS hour(promised, total)
        WHERE promised > total""",
    "double": "SELECT count(*) - count(DISTINCT job_id) FROM scheduler_allocation WHERE live",
    "promised_twice_or_never": """
        SELECT abs((SELECT coalesce(sum(units), 0) FROM booking_capacityday, unnest(units_promised) AS units)
                   - (SELECT coalesce(sum(units * ceil(extract(epoch FROM "end") / 3600)
                                          - units * floor(extract(epoch FROM start) / 3600)), 0)
                      FROM scheduler_allocation WHERE live))::bigint""",
    "allocated_without_an_attempt": """
        SELECT count(*) FROM scheduler_job AS job WHERE state = 'allocated' AND 1 <> (
            SELECT count(*) FROM scheduler_allocation AS given JOIN scheduler_attempt AS try
                ON try.allocation_id = given.id AND try.job_id = job.id AND try.ended_at IS NULL
            WHERE given.job_id = job.id AND given.live)""",
    "allocation_without_its_job": """
        SELECT count(*) FROM scheduler_allocation AS given JOIN scheduler_job AS job ON job.id = given.job_id
        WHERE given.live AND job.state <> 'allocated'""",
}
EVENTS = """
    INSERT INTO events_event (public_id, type, at, object_id, object_seq, state, reason, facts, buyer_id)
    SELECT 'evt_' || substr(md5(job.public_id), 1, 22), 'job.queued', job.created_at, job.public_id, 1, 'queued', '',
           '{}', job.buyer_id
    FROM scheduler_job AS job
    WHERE NOT EXISTS (SELECT 1 FROM events_event AS event WHERE event.object_id = job.public_id)
"""
NOTHING = "array_fill(0, ARRAY[24])"
EMPTY = (
    "TRUNCATE scheduler_job, scheduler_allocation, scheduler_attempt, booking_contract, events_event CASCADE",
    f"UPDATE booking_capacityday SET units_promised = {NOTHING} WHERE units_promised <> {NOTHING}",  # noqa: S608
    "UPDATE scheduler_matchround SET snapshot = NULL, explained = true WHERE snapshot IS NOT NULL",
    "VACUUM ANALYZE booking_capacityday",
)


def ask(question: str) -> int:
    """The one number that a question gives."""
    with connection.cursor() as cursor:
        cursor.execute(question)
        return int(cursor.fetchone()[0])  # type: ignore[index]


def checks() -> dict[str, int]:
    """What must be 0."""
    return {name: ask(question) for name, question in QUESTIONS.items()}


def empty() -> None:
    """No jobs, nothing promised; rounds keep their figures."""
    with connection.cursor() as cursor:
        for statement in EMPTY:
            cursor.execute(statement)


def queue_jobs(market: tuple[Any, Any], *, count: int, groups: Sequence[str], now: datetime, **how: Any) -> None:
    """Copy `count` jobs into the queues of `groups`, each with the event of its submission."""
    kinds, buyers = market
    copy_jobs(count=count, kinds=kinds, buyers=buyers, now=now, groups=groups, **how)
    with connection.cursor() as cursor:
        cursor.execute(EVENTS)
        cursor.execute("VACUUM ANALYZE scheduler_job, scheduler_queueentry")


def waiting() -> int:
    """How many jobs wait that no round has told anything yet."""
    return ask("SELECT count(*) FROM scheduler_job WHERE state = 'queued' AND unplaced IS NULL")


def wait_for(holds: Callable[[], bool], what: str, within_s: float = 180.0) -> float:
    """Wait until it holds; the seconds it took. Raises RuntimeError."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > within_s:
            raise RuntimeError(f"after {within_s:.0f} s not yet: {what}")
        time.sleep(0.01)
    return time.perf_counter() - began
