"""How an attempt ends, and what that means for its job. The reason alone decides."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.booking.reserved import give_inside_back
from marketplace.booking.services import give_hours_back
from marketplace.events.services import move
from scheduler.fairness import give_work_back
from scheduler.hints import wake, wake_gang, wake_inside
from scheduler.models import Allocation, Attempt, Job, Lease, Piece
from scheduler.money import settle_end
from scheduler.moving import call
from scheduler.pieces import begin, give_back, in_pieces, is_saved, next_of, note_saved, rest_of
from scheduler.shards import Shard, Trip, group_of, start_of
from scheduler.states import ATTEMPT, BUDGET_LIMIT, JOB, PIECE_OVER, REPLANNED, RETRIED, SITE_FAILED
from scheduler.stopping import uses_up


def move_job(
    job: Job, to: str, *, now: datetime, reason: str = "", provider: Organization | None = None, **fields: Any
) -> None:
    """The one way a job changes state; `provider` is who hears of it while it waits."""
    if to in JOB.final:
        fields |= {"finished_at": now, "reason": reason, "next_attempt_at": None}
    if job.state != "queued":
        last = job.attempts.select_related("allocation__offer__site__provider").order_by("-number")[0]
        provider = last.allocation.offer.site.provider
    move(job, to, table=JOB, now=now, reason=reason, buyer=job.buyer, provider=provider, fields=fields)
    if job.gang is not None and (to == "queued" or to in JOB.final):
        wake_gang(job.gang.public_id)


def move_attempt(attempt: Attempt, to: str, *, now: datetime, reason: str = "", **fields: object) -> None:
    """The one way an attempt changes state."""
    if to == "ended":
        fields["reason"] = reason
    move(
        attempt, to, table=ATTEMPT, now=now, reason=reason, buyer=attempt.job.buyer,
        provider=attempt.allocation.offer.site.provider, facts={"job": attempt.job.public_id}, fields=fields,
    )  # fmt: skip


@transaction.atomic
def end_attempt(
    *, attempt: Attempt, reason: str, now: datetime, message: str = "", exit_code: int | None = None
) -> Job:
    """End `attempt` for `reason`, give its hours back, move its job on and settle its money, all together."""
    job = attempt.job
    if reason == "succeeded":
        mark_running(attempt=attempt, now=now)
    Lease.objects.filter(attempt=attempt, ended_at=None).update(ended_at=now)
    note_saved(attempt=attempt, reason=reason, now=now)
    move_attempt(attempt, "ended", now=now, reason=reason, message=message[:400], exit_code=exit_code, ended_at=now)
    _move_on(job, attempt, reason, now)
    withdraw(attempt.allocation, now)
    if attempt.allocation.reservation_id is None:
        give_work_back(attempt=attempt, now=now)
    if in_pieces(job):
        _go_on(job, attempt, reason, now)
    settle_end(attempt=attempt, reason=reason, now=now)
    return job


def _go_on(job: Job, attempt: Attempt, reason: str, now: datetime) -> None:
    """The next piece begins where this one stopped, if its checkpoint came; else what is still promised goes back."""
    piece = next_of(job)
    if piece is not None and reason == PIECE_OVER and job.state == "queued" and is_saved(attempt):
        piece.job = job
        begin(piece=piece, before=attempt.allocation, attempts=attempt.number, now=now)
        provider = piece.contract.offer.site.provider
        move_job(job, "allocated", now=now, provider=provider, unplaced=None, next_attempt_at=None)
    elif piece is not None:
        lose_pieces(pieces=Piece.objects.waiting().filter(job=job).with_terms().order_by("number"), now=now)


def lose_pieces(*, pieces: Iterable[Piece], now: datetime) -> None:
    """Give promised pieces back; whoever waits for their hours is looked at now."""
    found = list(pieces)
    if give_back(pieces=found, now=now):
        offer = found[0].contract.offer
        bring_forward(Shard(offer.hardware.family, group_of(offer.site.country)), now)


def mark_running(*, attempt: Attempt, now: datetime, since: datetime | None = None) -> None:
    """The program runs, `since` then or now: attempt and job say so. Nothing changes when they do already."""
    if attempt.state != "starting":
        return
    started = since or now
    move_attempt(attempt, "running", now=now, started_at=started)
    if attempt.job.state == "starting":
        move_job(attempt.job, "running", now=now, started_at=attempt.job.started_at or started)


def withdraw(allocation: Allocation, now: datetime) -> None:
    """Give the rest of a promise's hours back, once: at the attempt's end, or when it is told to make room.

    What was promised inside a reservation goes back to that.
    """
    if Allocation.objects.filter(pk=allocation.pk, live=True).update(live=False, released_at=now) != 1:
        return
    start, end, units = allocation.start, allocation.end, allocation.units
    if allocation.reservation is not None:
        give_inside_back(reservation=allocation.reservation, start=start, end=end, units=units, now=now)
        wake_inside(allocation.reservation.public_id)
        return
    give_hours_back(offer=allocation.offer, start=start, end=end, units=units, now=now)
    bring_forward(Shard(allocation.offer.hardware.family, group_of(allocation.offer.site.country)), now)


def bring_forward(shard: Shard, now: datetime) -> None:
    """Units are free again: jobs that were refused are looked at now. Those that wait out a grace keep it.

    Hours are locked here, and a round locks its jobs before hours: to wait for such a job would be a deadlock.
    """
    if shard.group:
        call(shard=shard, now=now)
        return
    refused = Job.objects.waiting().filter(entry__segment=shard.family, unplaced__isnull=False)
    if refused.unless_locked().update(next_attempt_at=now) or refused.exists():
        wake(shard.name)


def _move_on(job: Job, attempt: Attempt, reason: str, now: datetime) -> None:
    if reason == "succeeded":
        move_job(job, "succeeded", now=now, reason=reason)
    elif reason == "cancelled" or job.cancel_requested_at is not None:
        move_job(job, "cancelled", now=now, reason="cancelled")
    elif reason in RETRIED and uses_up(attempt=attempt, reason=reason, now=now):
        move_job(job, "failed", now=now, reason=BUDGET_LIMIT)
    elif job.state != "allocated" and (_made_room(attempt, reason) or reason == PIECE_OVER):
        _queue_again(job, attempt, reason, now, retries=job.retries + 1)
    elif job.state == "allocated" or (reason in RETRIED and job.attempts_made <= job.retries):
        _queue_again(job, attempt, reason, now)
    else:
        move_job(job, "failed", now=now, reason=reason)


def _made_room(attempt: Attempt, reason: str) -> bool:
    """Whether it ended because the market asked it to make room, which is no try of the job's."""
    return reason == "preempted" and attempt.preempt_cause != ""


def _queue_again(job: Job, attempt: Attempt, reason: str, now: datetime, **fields: Any) -> None:
    """Back into the queue, away from a site that failed; after a lost lease one lease later.

    One that is replanned is placed again at once, in the same group of regions. Inside a reservation there is one site.
    """
    site = attempt.allocation.offer.site.public_id
    stays = site in job.excluded_sites or reason not in SITE_FAILED or job.reservation_id is not None
    excluded = job.excluded_sites if stays else [*job.excluded_sites, site]
    wait = timedelta(seconds=settings.LEASE_SECONDS if reason == "lease_lost" else 0)
    onward = job.region_group and reason not in {REPLANNED, PIECE_OVER}
    way = (start_of(Trip.from_json(job.trip).groups) if onward else {}) | rest_of(job, reason)
    move_job(
        job, "queued", now=now, reason=reason, excluded_sites=excluded, next_attempt_at=now + wait, **way, **fields
    )
