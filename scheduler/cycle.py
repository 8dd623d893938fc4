"""One round of one segment: read, decide, write. The whole of it on this page.

A segment is named as its shard is: a hardware family, or one group of its regions (`scheduler.shards`).
"""

import gc
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import psycopg
from django.db import OperationalError, connection, transaction

from marketplace.common.sending import Answer, sent_ahead
from scheduler import recording
from scheduler.commit import Ahead, ask_ahead, commit_plan, nothing_new, put_off
from scheduler.core import canonical, matching
from scheduler.core.types import BATCH, GREEDY, INSTANT, QUALITY, Plan, Snapshot
from scheduler.explaining import Explainer
from scheduler.fairness import ask_parties, overs_of
from scheduler.keeping import ask_mark, ask_shelf, shelf_of
from scheduler.keptprices import keep_prices, kept_prices
from scheduler.models import Job, MatchRound, SegmentReference
from scheduler.moving import LOOK_AGAIN
from scheduler.queue import Queue, ask_queue, asks_of, queue_of_answer
from scheduler.references import as_core, reference_of
from scheduler.replanning import replan_round
from scheduler.roundwriting import begin, close, prepare
from scheduler.shards import Shard
from scheduler.snapshot import Shelf, hours_for, take_snapshot
from scheduler.victims import victims_on

LOCK_SPACE = 7_411
QUICK = {GREEDY, INSTANT}  # modes
MOST = 10_000  # such a round takes 0.4 GB and, on two busy cores, under ten seconds of the 25 that a task has


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a segment, the mark of its shelf as it was asked for beside it, and when reading began, by
    time.perf_counter().
    """

    queue: Queue
    mark: Answer
    started: float


def run_round(*, segment: str, now: datetime, most: int = MOST, mode: str | None = None) -> MatchRound | None:
    """Allocate up to `most` of what waits in `segment`; None when nothing waits or another worker is at it.

    Unless `mode` says otherwise a batch, and greedy in a flood: when more than `most` wait, serving many comes before
    serving them best. A quality round also looks at the jobs that were refused a moment ago; behind it comes
    one that replans what is promised for later.
    """
    with nothing_collected(), held(segment) as ours:
        if not ours:
            return None
        round_ = batch_round(segment, now, most, mode)
        moved = replan_round(segment=segment, now=now) if mode == QUALITY else None
        return round_ or moved


def batch_round(segment: str, now: datetime, most: int = MOST, mode: str | None = None) -> MatchRound | None:
    """The same for who holds the segment already."""
    turn = now + LOOK_AGAIN if mode == QUALITY else now
    waiting = read_waiting(segment=segment, turn=turn, now=now, most=most)
    if not len(waiting.queue):
        return None
    flood = mode is None and waiting.queue.full and _more_wait(segment, now, most)
    return settle(segment=segment, waiting=waiting, mode=mode or (GREEDY if flood else BATCH), now=now)


def read_waiting(*, segment: str, turn: datetime, now: datetime, most: int) -> Waiting:
    """Up to `most` jobs of a segment whose turn comes by `turn`."""
    started = time.perf_counter()
    with sent_ahead():
        asked = ask_queue(segment=segment, now=turn, most=most)
        mark = ask_mark(segment=segment, now=now)
        return Waiting(queue_of_answer(asked, most), mark, started)


def _more_wait(segment: str, now: datetime, most: int) -> bool:
    return Job.objects.queue(Shard.named(segment), now)[most : most + 1].exists()


def settle(*, segment: str, waiting: Waiting, mode: str, now: datetime) -> MatchRound | None:
    """Decide the `waiting` jobs of a segment that is held, and write the plan; None when nothing new came of it."""
    queued, started = waiting.queue, waiting.started
    reference = reference_of(Shard.named(segment).family, now)
    shelf, snapshot = _look(segment, waiting, reference, mode, now)
    read = time.perf_counter()
    with transaction.atomic():
        plan, ahead = _decide(snapshot, queued)
        decided = time.perf_counter()
        if mode == INSTANT and not plan.placed:
            return None
        if nothing_new(plan, queued, Shard.named(segment), now):
            put_off(plan, queued, Shard.named(segment), now)
            return None
        round_ = begin(segment, reference, snapshot, plan, now)
        round_.ms_read, round_.ms_core = round((read - started) * 1000), round((decided - read) * 1000)
        base = recording.base_for(snapshot, segment=segment, now=now)
        commit_plan(
            plan=plan, queue=queued, ahead=ahead, shelf=shelf, round_=round_, now=now,
            explain=partial(Explainer, snapshot=snapshot, plan=plan, round_=round_),
            prepare_round=partial(prepare, round_, snapshot, plan, base),
        )  # fmt: skip
        close(round_, decided)
        if base is None:
            transaction.on_commit(partial(recording.keep_base, segment, round_, snapshot.offers))
    if plan.bound is not None:
        keep_prices(round_=round_, offers=shelf.offers, snapshot=snapshot, plan=plan)
    return round_


def _look(
    segment: str, waiting: Waiting, reference: SegmentReference, mode: str, now: datetime
) -> tuple[Shelf, Snapshot]:
    """The market and what the round decides on: with week two when a job is due, since only such jobs may run in it."""
    queued = waiting.queue
    hours = hours_for(any_due=bool((queued.due_s <= now.timestamp()).any()))
    with sent_ahead():
        parties = ask_parties(segment=Shard.named(segment).family, buyers=set(queued.buyer.tolist()), now=now)
        asked = ask_shelf(segment=segment, now=now, hours=hours, mark=waiting.mark)
    overs, shelf = overs_of(parties), shelf_of(asked)
    greedy = mode == GREEDY  # which looks at no price
    warm = {} if greedy else kept_prices(segment=segment, offers=shelf.offers, now=now, hours=hours)
    victims = () if mode == INSTANT else victims_on(shelf, now)
    asks = asks_of(queued, overs=overs, p_mid=reference.p_mid, now=now)
    return shelf, take_snapshot(
        shelf=shelf, asks=asks, reference=as_core(reference), now=now, mode=mode, hours=hours, warm=warm,
        victims=victims,
    )  # fmt: skip


def _decide(snapshot: Snapshot, queued: Queue) -> tuple[Plan, Ahead | None]:
    """The plan; where it takes no time to speak of the jobs are locked meanwhile."""
    if snapshot.mode not in QUICK:
        return matching.match(snapshot), None
    with sent_ahead():
        ahead = ask_ahead(queued)
        return matching.match(snapshot), ahead


@contextmanager
def nothing_collected() -> Iterator[None]:
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


@contextmanager
def held(segment: str, wait_s: int = 0) -> Iterator[bool]:
    """Whether the segment is ours alone until the end; who has it already is waited for up to `wait_s`.

    A session lock, taken before anything is read.
    """
    key = [LOCK_SPACE, Shard.named(segment).lock]
    ours = _try_lock(key) or (wait_s > 0 and _wait_for_lock(key, wait_s))
    try:
        yield ours
    finally:
        if ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def _try_lock(key: Sequence[int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        row = cursor.fetchone()
    return bool(row and row[0])


def _wait_for_lock(key: Sequence[int], wait_s: int) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{wait_s}s"])
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", key)
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            return False
        raise
    return True
