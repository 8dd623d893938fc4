"""What is promised for later moves to a better hour or offer as prices, forecasts and free units change.

A move is a new promise in place of the old one, in a transaction of its own: never at a higher price, never past the
window, and the old promise stays until the new one is made.
"""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from marketplace.booking.models import CapacityDay, Contract
from scheduler.asks import ask_fields, moment, seconds
from scheduler.attempts import end_attempt
from scheduler.commit import commit_plan
from scheduler.core import matching
from scheduler.core.types import FREE_HORIZON_S, HOUR_S, REPLAN, Ask, Placement, Plan, Snapshot
from scheduler.explaining import Explainer
from scheduler.granting import Outcome
from scheduler.keeping import kept_shelf
from scheduler.models import Attempt, Job, MatchRound
from scheduler.queue import queue_of
from scheduler.references import as_core, reference_of
from scheduler.roundwriting import begin, close, prepare
from scheduler.shards import Shard
from scheduler.snapshot import Shelf, hours_for, take_snapshot
from scheduler.states import REPLANNED

WEEK = timedelta(seconds=FREE_HORIZON_S)
AHEAD = timedelta(hours=1)  # what starts sooner stays: its inputs may be on their way
MOST = 1_000


class _Withdrawn(Exception):
    """The new promise cannot be made as it was planned: nothing of it is written."""


def replan_round(*, segment: str, now: datetime) -> MatchRound | None:
    """Look again at what a segment that is held has promised for later; the round, None when nothing moved."""
    started = time.perf_counter()
    shelf, attempts, snapshot = _look(segment, now)
    if not attempts:
        return None
    read = time.perf_counter()
    plan = matching.match(snapshot)
    decided = time.perf_counter()
    if not plan.placed:
        return None
    round_ = begin(segment, reference_of(Shard.named(segment).family, now), snapshot, plan, now)
    round_.ms_read, round_.ms_core = round((read - started) * 1000), round((decided - read) * 1000)
    prepare(round_, snapshot, plan, base=None)(Outcome(0, len(plan.placed)))
    explain = Explainer(snapshot=snapshot, plan=plan, round_=round_)
    reasons = {each.ask: explain(each) for each in plan.placed}
    round_.placed = sum(_move(attempts[each.ask], each, round_, shelf, reasons[each.ask], now) for each in plan.placed)
    round_.conflicts = len(plan.placed) - round_.placed
    MatchRound.objects.filter(pk=round_.pk).update(placed=round_.placed, conflicts=round_.conflicts)
    close(round_, decided)
    return round_


def _look(segment: str, now: datetime) -> tuple[Shelf, dict[str, Attempt], Snapshot]:
    """(the shelf, the attempts that may move by their jobs' public ids, the snapshot with what they hold)."""
    promised = list(Attempt.objects.promised_from(Shard.named(segment), now + AHEAD)[:MOST])
    hours = hours_for(any_due=any(each.allocation.end > now + WEEK for each in promised))
    shelf = kept_shelf(segment=segment, now=now, hours=hours)
    attempts = {each.job.public_id: each for each in promised if each.allocation.offer.public_id in shelf.place}
    asks = [_ask(each) for each in attempts.values()]
    reference = as_core(reference_of(Shard.named(segment).family, now))
    held = {ask: _placement(each) for ask, each in attempts.items()}
    snapshot = take_snapshot(
        shelf=shelf, asks=asks, reference=reference, now=now, mode=REPLAN, hours=hours, held=held
    )  # fmt: skip
    return shelf, attempts, snapshot


def _ask(attempt: Attempt) -> Ask:
    """What the job asks for, and a total of no more than it is promised for now."""
    job, most = attempt.job, attempt.allocation.contract.total_minor
    stated = ask_fields(job.ask)
    limits = stated.pop("limits")
    return Ask(
        id=job.public_id, submitted_s=seconds(job.created_at), due_s=seconds(job.due_at),
        start_after_s=seconds(job.start_after) if job.start_after else None,
        finish_by_s=seconds(job.finish_by) if job.finish_by else None, excluded_sites=tuple(job.excluded_sites),
        limits=limits | {"total__lte": min(most, limits.get("total__lte", most))}, **stated,
    )  # fmt: skip


def _placement(attempt: Attempt) -> Placement:
    """What the attempt is promised."""
    allocation = attempt.allocation
    start, end = seconds(allocation.start), seconds(allocation.end)
    hours = tuple(range(start // HOUR_S * HOUR_S, end, HOUR_S))
    offer = allocation.offer.public_id
    return Placement(attempt.job.public_id, offer, start, end, allocation.units, hours, 0, 0, 0)


def _move(
    attempt: Attempt, to: Placement, round_: MatchRound, shelf: Shelf, reasons: dict[str, Any], now: datetime
) -> bool:
    """Promise `to` in place of what the attempt has; False, and nothing changes, when that cannot be done any more."""
    try:
        with transaction.atomic():
            if not Job.objects.as_seen(attempt.job).exists():
                return False
            _lock_hours(attempt, to, shelf)
            end_attempt(attempt=attempt, reason=REPLANNED, now=now, message="a better hour was free")
            plan, queue = Plan((to,), ()), queue_of(attempt.job)
            outcome = commit_plan(
                plan=plan, queue=queue, shelf=shelf, round_=round_, explain=lambda: lambda _: reasons,
                prepare_round=lambda: lambda _: None, now=now,
            )  # fmt: skip
            if not outcome.placed or _dearer(attempt):
                raise _Withdrawn
    except _Withdrawn:
        return False
    return True


def _lock_hours(attempt: Attempt, to: Placement, shelf: Shelf) -> None:
    """All days of the old and of the new promise, in key order, as everybody locks them, and on their machines."""
    old, days = attempt.allocation, {moment(second).date() for second in to.hours}
    there = CapacityDay.objects.on_machines_of(shelf.offer(to.offer)).filter(day__in=days)
    here = CapacityDay.objects.on_machines_of(old.offer).filter(day__range=(old.start.date(), old.end.date()))
    list((here | there).order_by("pk").select_for_update(of=("self",)).values_list("pk"))


def _dearer(attempt: Attempt) -> bool:
    """Whether the contract of the new promise is for more than that of the old one."""
    new = Contract.objects.get(allocations__job=attempt.job, allocations__live=True)
    return new.total_minor > attempt.allocation.contract.total_minor
