"""The row of a round: begun when it is decided, written with what became of it."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from marketplace.common.copying import insert
from marketplace.common.sending import ask
from scheduler.core.types import CORE_VERSION, Plan, Snapshot
from scheduler.granting import Outcome
from scheduler.models import MatchRound, SegmentReference
from scheduler.recording import Base, record
from scheduler.shards import Shard

BASIS = 10_000
WROTE = "UPDATE scheduler_matchround SET ms_write = %s WHERE id = %s"


def begin(segment: str, reference: SegmentReference, snapshot: Snapshot, plan: Plan, now: datetime) -> MatchRound:
    """The row, not yet written: the plan that refers to it is in the same transaction and gives it its key."""
    shard = Shard.named(segment)
    return MatchRound(
        segment=shard.family, region_group=shard.group, mode=snapshot.mode,
        core_version=CORE_VERSION, reference=reference, now=now, seed=snapshot.seed, jobs_seen=len(snapshot.asks),
        utility=plan.utility, bound=plan.bound, ratio_bp=plan.utility * BASIS // plan.bound if plan.bound else None,
        price_steps=plan.price_steps, moves_done=plan.moves,
        unplaced_reasons=dict(Counter(each.code for each in plan.unplaced)),
    )  # fmt: skip


def prepare(round_: MatchRound, snapshot: Snapshot, plan: Plan, base: Base | None) -> Callable[[Outcome], None]:
    """The row with its record, put together without the database; what is returned writes it with what became of the
    plan.
    """
    told = record(snapshot, plan, base)
    round_.base_id, round_.snapshot, round_.snapshot_sha256 = told.base, told.snapshot, told.snapshot_sha256
    round_.result, round_.result_sha256 = told.result, told.result_sha256

    def write(outcome: Outcome) -> None:
        round_.placed, round_.conflicts, round_.explained = outcome.placed, outcome.conflicts, outcome.explained
        if round_.pk:
            insert(round_)
        else:  # nothing was placed that would refer to it
            round_.save(force_insert=True)

    return write


def close(round_: MatchRound, decided: float) -> None:
    """Put down how long writing took: all from the decision (by time.perf_counter()) to here, without the COMMIT."""
    round_.ms_write = round((time.perf_counter() - decided) * 1000)
    ask(WROTE, [round_.ms_write, round_.pk])
