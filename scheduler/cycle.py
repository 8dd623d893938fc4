"""One round of one segment: read, decide, write. The whole of it on this page."""

import gc
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from django.db import connection, transaction

from marketplace.common.copying import reserve_keys
from scheduler import recording
from scheduler.asks import asks_of, read_queue
from scheduler.commit import Outcome, commit_plan, nothing_new, postpone
from scheduler.core import canonical, matching
from scheduler.core.types import CORE_VERSION, Plan, Snapshot
from scheduler.explaining import Explainer
from scheduler.fairness import read_overs
from scheduler.keeping import kept_shelf
from scheduler.models import MatchRound, SegmentReference
from scheduler.references import as_core, reference_of
from scheduler.snapshot import hours_for, take_snapshot

LOCK_SPACE = 7_411
BATCH = 10_000  # such a round takes 0.4 GB and, on two busy cores, under ten seconds of the 25 that a task has
SEGMENTS = ("accelerator", "cpu", "edge", "orbital")


def run_round(*, segment: str, now: datetime, most: int = BATCH) -> MatchRound | None:
    """Allocate up to `most` of what waits in `segment`; None when nothing waits or another worker is at it."""
    if not _lock(segment):
        return None
    try:
        with _nothing_collected():
            return _round(segment, now, most)
    finally:
        _unlock(segment)


def _round(segment: str, now: datetime, most: int) -> MatchRound | None:
    started = time.perf_counter()
    with transaction.atomic():
        queued = read_queue(segment=segment, now=now, most=most)
        if not queued:
            return None
        reference = reference_of(segment, now)
        overs = read_overs(segment=segment, buyers={job.buyer_id for job in queued}, now=now)
        hours = hours_for(any_due=queued[0].due_s <= now.timestamp())
        shelf = kept_shelf(segment=segment, now=now, hours=hours)
    asks = asks_of(queued, overs=overs, p_mid=reference.p_mid, now=now)
    snapshot = take_snapshot(shelf=shelf, asks=asks, reference=as_core(reference), now=now, mode="greedy", hours=hours)
    read = time.perf_counter()
    plan = matching.match(snapshot)
    decided = time.perf_counter()
    jobs = {job.public_id: job for job in queued}
    if nothing_new(plan, jobs):
        postpone(jobs.values(), now)
        return None
    round_ = _begin(segment, reference, snapshot, plan, now)
    round_.ms_read, round_.ms_core = round((read - started) * 1000), round((decided - read) * 1000)
    explain = partial(Explainer, snapshot=snapshot, plan=plan, round_=round_)
    base = recording.base_for(snapshot, segment=segment, now=now)
    with ThreadPoolExecutor(1) as aside, transaction.atomic():
        record = aside.submit(recording.record, snapshot, plan, base)  # put into words while the database writes
        outcome = commit_plan(plan=plan, jobs=jobs, shelf=shelf, round_=round_, explain=explain, now=now)
        _close(round_, record.result(), outcome, decided)
        if base is None:
            transaction.on_commit(partial(recording.keep_base, round_, snapshot.offers))
    return round_


def _begin(segment: str, reference: SegmentReference, snapshot: Snapshot, plan: Plan, now: datetime) -> MatchRound:
    """The round's row, with its key but not yet written: the plan that refers to it is in the same transaction."""
    return MatchRound(
        pk=reserve_keys(MatchRound, 1)[0], segment=segment, mode=snapshot.mode, core_version=CORE_VERSION,
        reference=reference, now=now, jobs_seen=len(snapshot.asks), utility=plan.utility,
        unplaced_reasons=dict(Counter(each.code for each in plan.unplaced)),
    )  # fmt: skip


def _close(round_: MatchRound, record: recording.Record, outcome: Outcome, decided: float) -> None:
    """Write the round; `ms_write` is all from the decision to here, without the COMMIT itself."""
    round_.base_id, round_.snapshot, round_.snapshot_sha256 = record.base, record.snapshot, record.snapshot_sha256
    round_.result, round_.result_sha256 = record.result, record.result_sha256
    round_.placed, round_.conflicts, round_.explained = outcome.placed, outcome.conflicts, outcome.explained
    round_.ms_write = round((time.perf_counter() - decided) * 1000)
    round_.save(force_insert=True)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """A round makes a million small objects that all live until its end: looking for dead ones among them is wasted."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def replay(round_: MatchRound) -> bool:
    """Whether deciding the stored snapshot again gives the stored plan, byte for byte. Raises SnapshotGone."""
    again = matching.match(recording.snapshot_of(round_))
    return canonical.dump_plan(again) == zlib.decompress(round_.result)


def _lock(segment: str) -> bool:
    """A session lock, taken before anything is read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, SEGMENTS.index(segment)])
        row = cursor.fetchone()
    return bool(row and row[0])


def _unlock(segment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, SEGMENTS.index(segment)])
