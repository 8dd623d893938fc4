"""One round of one segment: read, decide, write. The whole of it on this page."""

import time
import zlib
from collections import Counter
from datetime import datetime

from django.db import connection, transaction

from scheduler.asks import asks_of, read_queue
from scheduler.commit import Outcome, commit_plan, nothing_new, postpone
from scheduler.core import canonical, matching
from scheduler.core.types import CORE_VERSION, Plan, Snapshot
from scheduler.explaining import Explainer
from scheduler.models import MatchRound, SegmentReference
from scheduler.references import as_core, reference_of
from scheduler.snapshot import read_shelf, take_snapshot

LOCK_SPACE = 7_411
BATCH = 1000
SEGMENTS = ("accelerator", "cpu", "edge", "orbital")


def run_round(*, segment: str, now: datetime) -> MatchRound | None:
    """Allocate what waits in `segment`; None when nothing waits or another worker is at it."""
    if not _lock(segment):
        return None
    try:
        return _round(segment, now)
    finally:
        _unlock(segment)


def _round(segment: str, now: datetime) -> MatchRound | None:
    started = time.perf_counter()
    queued = read_queue(segment=segment, now=now, most=BATCH)
    if not queued:
        return None
    reference = reference_of(segment, now)
    with transaction.atomic():
        shelf = read_shelf(now=now, families=[segment])
    snapshot = take_snapshot(shelf=shelf, asks=asks_of(queued), reference=as_core(reference), now=now, mode="greedy")
    read = time.perf_counter()
    plan = matching.match(snapshot)
    decided = time.perf_counter()
    jobs = {job.public_id: job for job in queued}
    if nothing_new(plan, jobs):
        postpone(jobs.values(), now)
        return None
    round_ = _record(segment, reference, snapshot, plan, now, read - started, decided - read)
    explain = Explainer(snapshot=snapshot, plan=plan, round_=round_)
    with transaction.atomic():
        round_.save(force_insert=True)
        outcome = commit_plan(plan=plan, jobs=jobs, shelf=shelf, round_=round_, explain=explain, now=now)
        return _close(round_, outcome, time.perf_counter() - decided)


def _record(
    segment: str, reference: SegmentReference, snapshot: Snapshot, plan: Plan, now: datetime, read: float, core: float
) -> MatchRound:
    seen, made = canonical.dump_snapshot(snapshot), canonical.dump_plan(plan)
    return MatchRound(
        segment=segment, mode=snapshot.mode, core_version=CORE_VERSION, reference=reference, now=now,
        snapshot=zlib.compress(seen), snapshot_sha256=canonical.sha256(seen),
        result=zlib.compress(made), result_sha256=canonical.sha256(made),
        jobs_seen=len(snapshot.asks), placed=len(plan.placed), utility=plan.utility,
        unplaced_reasons=dict(Counter(each.code for each in plan.unplaced)),
        ms_read=round(read * 1000), ms_core=round(core * 1000),
    )  # fmt: skip


def _close(round_: MatchRound, outcome: Outcome, seconds: float) -> MatchRound:
    round_.placed, round_.conflicts, round_.ms_write = outcome.placed, outcome.conflicts, round(seconds * 1000)
    round_.save(update_fields=["placed", "conflicts", "ms_write"])
    return round_


def replay(round_: MatchRound) -> bool:
    """Whether deciding the stored snapshot again gives the stored plan, byte for byte."""
    if round_.snapshot is None:
        raise LookupError(f"the snapshot of {round_.public_id} is gone")
    snapshot = canonical.load_snapshot(zlib.decompress(round_.snapshot))
    return canonical.dump_plan(matching.match(snapshot)) == zlib.decompress(round_.result)


def _lock(segment: str) -> bool:
    """A session lock, taken before anything is read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, SEGMENTS.index(segment)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _unlock(segment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, SEGMENTS.index(segment)])
