"""The reasons of a big round, written after it was committed: from the snapshot and the plan it stored."""

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet

from scheduler.core import canonical
from scheduler.explaining import Explainer
from scheduler.hints import wake_explaining
from scheduler.models import Allocation, Job, MatchRound
from scheduler.recording import snapshot_of

AT_ONCE = 50  # allocations in one transaction
FLUSH_S = 0.3  # or as many as come in this time: so often is looked whether new jobs wait
TURN_S = 5.0  # then other work of the worker has its turn
LOST_AFTER = timedelta(seconds=30)
LOCK_SPACE = 7_413
SPACE = 2**31
WRITE = """
    UPDATE scheduler_allocation AS allocation SET why = told.why::jsonb
    FROM unnest(%s::bigint[], %s::text[]) AS told(id, why)
    WHERE allocation.id = told.id AND allocation.why @> '{"pending": true}'
"""
Told = list[tuple[int, str]]


def explain_pending(*, public_id: str) -> int:
    """Write reasons of the round's allocations that have none yet, for a few seconds; how many were written.

    Safe to run twice, at once too: a second worker leaves it to the first. New jobs go first; what is left is asked for
    again, and the oldest other round without reasons behind the last. Raises MatchRound.DoesNotExist.
    """
    round_ = MatchRound.objects.select_related("reference", "base").get(public_id=public_id)
    if round_.explained or round_.snapshot is None or _new_jobs_wait():
        return 0
    with _alone(round_) as mine:
        return _explain(round_) if mine else 0


def wake_unexplained(*, now: datetime) -> None:
    """Ask again for rounds whose reasons are still pending: the hint was lost, or its worker."""
    _wake(_unexplained().filter(now__lt=now - LOST_AFTER)[:10])


def _unexplained() -> QuerySet[MatchRound]:
    """Rounds whose reasons are still pending and can be written, the oldest first."""
    based = Q(base=None) | Q(base__snapshot__isnull=False)
    return MatchRound.objects.filter(based, explained=False, snapshot__isnull=False).order_by("pk")


def _wake(rounds: QuerySet[MatchRound]) -> None:
    for public_id in rounds.values_list("public_id", flat=True):
        wake_explaining(public_id)


def _explain(round_: MatchRound) -> int:
    pending = _pending(round_)
    plan = canonical.load_plan(zlib.decompress(round_.result))
    explainer = Explainer(snapshot=snapshot_of(round_), plan=plan, round_=round_)
    written, told = 0, Told()
    began = flushed = time.perf_counter()
    for placement in plan.placed:
        if placement.ask in pending:
            told.append((pending.pop(placement.ask), json.dumps(explainer(placement))))
        else:
            explainer.skip(placement)
        if len(told) == AT_ONCE or time.perf_counter() - flushed > FLUSH_S:
            written += _write(told)
            told, flushed = [], time.perf_counter()
            if pending and (flushed - began > TURN_S or _new_jobs_wait()):
                wake_explaining(round_.public_id)
                return written
    written += _write(told)
    MatchRound.objects.filter(pk=round_.pk).update(explained=True)
    _wake(_unexplained()[:1])
    return written


def _new_jobs_wait() -> bool:
    """Whether jobs wait that no round has looked at: they need this worker more."""
    return Job.objects.waiting().filter(unplaced__isnull=True).exists()


def _pending(round_: MatchRound) -> dict[str, int]:
    """{job: key of its allocation} of the round's allocations that wait for their reasons."""
    rows = Allocation.objects.filter(round=round_, why__pending=True)
    return dict(rows.values_list("job__public_id", "pk"))


def _write(told: Sequence[tuple[int, str]]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [[key for key, _ in told], [why for _, why in told]])
        return int(cursor.rowcount)


@contextmanager
def _alone(round_: MatchRound) -> Iterator[bool]:
    """Whether this session is the only one at work on the round, for as long as the block lasts."""
    key = [LOCK_SPACE, round_.pk % SPACE]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        row = cursor.fetchone()
        try:
            yield bool(row and row[0])
        finally:
            if row and row[0]:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
