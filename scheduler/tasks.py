"""What Celery runs: short, safe to run twice, and only a hint away from the truth in PostgreSQL."""

import logging
from datetime import datetime

from celery import shared_task

from marketplace.booking.invoicing import issue_due
from marketplace.booking.services import advance_reservations, settle_reservations
from marketplace.common.clock import utc_now
from marketplace.common.locking import alone
from scheduler import money
from scheduler.billing import orders_of
from scheduler.cycle import MOST, run_round
from scheduler.frozen import stop_disputed
from scheduler.gangs import follow, follow_gangs
from scheduler.hints import wake, wake_carefully, wake_waiting
from scheduler.inside import follow_reservations, place_inside
from scheduler.instant import place_now
from scheduler.keptprices import forget_past_prices
from scheduler.leases import end_expired_leases, withdraw_unstarted
from scheduler.midnight import capture_running
from scheduler.models import Attempt, Job, MatchRound
from scheduler.moving import LOOK_AGAIN, adopt, gather
from scheduler.preempting import end_overdue
from scheduler.reasons import explain_pending, wake_unexplained
from scheduler.receipting import issue_receipts
from scheduler.replanning import AHEAD
from scheduler.services import expire_jobs
from scheduler.shards import Shard, all_shards
from scheduler.standingorders import keep_orders
from scheduler.waitinglist import serve_waiting

log = logging.getLogger(__name__)
SWEEP_LOCK = (7_412, 0)
SURPLUS_LOCK = (7_412, 1)
MIDNIGHT_LOCK = (7_412, 2)
WAITING_LOCK = (7_412, 3)
RECEIPTS_LOCK = (7_412, 4)


@shared_task(name="match_now", time_limit=30)
def match_now(segment: str) -> None:
    """Place what waits in `segment`, woken by a submission or freed capacity; comes on the segment's own queue."""
    for round_ in place_now(segment=segment, now=utc_now()):
        _tell(round_)


@shared_task(name="match_segment", time_limit=30)
def match_segment(segment: str, mode: str | None = None, most: int = MOST) -> None:
    """Run one round of up to `most` jobs of `segment` in `mode`, or in that which its queue calls for.

    None if another worker is at it.
    """
    round_ = run_round(segment=segment, now=utc_now(), most=most, mode=mode)
    if round_ is not None:
        _tell(round_)


@shared_task(name="match_carefully", time_limit=30)
def match_carefully() -> None:
    """Have a quality round run in every shard in which jobs wait or are promised a later start."""
    now = utc_now()
    waiting = _with_jobs(now + LOOK_AGAIN)
    promised = [shard for shard in all_shards() if Attempt.objects.promised_from(shard, now + AHEAD).exists()]
    for shard in sorted({*waiting, *promised}):
        wake_carefully(shard.name)


def _tell(round_: MatchRound) -> None:
    """Say what was placed; where a batch was full, more may wait."""
    if round_.jobs_seen >= MOST and round_.placed:
        wake(round_.shard.name)
    if round_.placed:
        log.info("%s %s: placed %s of %s", round_.public_id, round_.shard.name, round_.placed, round_.jobs_seen)


@shared_task(name="explain_round", time_limit=30)
def explain_round(round_public_id: str) -> None:
    """Write the reasons of a round's allocations that were committed without them."""
    written = explain_pending(public_id=round_public_id)
    log.info("%s: reasons of %s allocations written", round_public_id, written)


@shared_task(name="follow_gang", time_limit=30)
def follow_gang(public_id: str) -> None:
    """Look after the jobs of a gang of which one has moved."""
    follow(public_id=public_id, now=utc_now())


@shared_task(name="release_surplus", time_limit=30)
def release_surplus() -> None:
    """Give back what jobs hold beyond the contracts that they were given."""
    with alone(*SURPLUS_LOCK) as mine:
        if mine:
            money.release_surplus(now=utc_now())


@shared_task(name="capture_midnight", time_limit=300, soft_time_limit=290)
def capture_midnight() -> None:
    """Charge what runs on for what it used up to the last midnight."""
    with alone(*MIDNIGHT_LOCK) as mine:
        captured = capture_running(now=utc_now()) if mine else 0
    if captured:
        log.info("%s attempts that run on were charged up to midnight", captured)


@shared_task(name="place_inside", time_limit=30)
def place_in_reservation(public_id: str) -> None:
    """Place what waits inside a reservation."""
    place_inside(reservation=public_id, now=utc_now())


@shared_task(name="sweep", time_limit=30)
def sweep() -> None:
    """Find what a lost hint missed: lapsed leases and promises, past windows, reasons, jobs whose turn has come."""
    with alone(*SWEEP_LOCK) as mine:
        if not mine:
            return
        now = utc_now()
        end_expired_leases(now=now)
        end_overdue(now=now)
        withdraw_unstarted(now=now)
        expire_jobs(now=now)
        if advance_reservations(now=now):
            wake_waiting()
        follow_reservations(now=now)
        settle_reservations(now=now)
        stop_disputed(now=now)
        wake_unexplained(now=now)
        forget_past_prices(now=now)
        adopt(now=now)
        gather()
        follow_gangs(now=now)
        for shard in _with_jobs(now):
            run_round(segment=shard.name, now=utc_now())


@shared_task(name="keep_standing_orders", time_limit=50)
def keep_standing_orders() -> None:
    """Buy what standing orders lack of the hours ahead."""
    bought = keep_orders(now=utc_now())
    if bought:
        log.info("%s hours bought for standing orders", bought)


@shared_task(name="serve_waiting", time_limit=50)
def serve_waiting_list() -> None:
    """Give those who wait the hours that have come free, in their turn."""
    with alone(*WAITING_LOCK) as mine:
        served = serve_waiting(now=utc_now()) if mine else 0
    if served:
        log.info("%s of the waiting list served", served)


@shared_task(name="issue_receipts", time_limit=60, soft_time_limit=50)
def issue_green_receipts() -> None:
    """Write the provisional receipts of what has ended."""
    with alone(*RECEIPTS_LOCK) as mine:
        issued = issue_receipts(now=utc_now()) if mine else []
    if issued:
        log.info("%s provisional receipts issued", len(issued))


@shared_task(name="issue_invoices", time_limit=300, soft_time_limit=290)
def issue_invoices() -> None:
    """Bill the months that are closed, buyer by buyer; what does not fit in this run comes with the next."""
    issued = issue_due(now=utc_now(), orders=orders_of)
    if issued:
        log.info("%s invoices and credit notes issued", len(issued))


def _with_jobs(now: datetime) -> list[Shard]:
    """The shards in which some job's turn has come."""
    return [shard for shard in all_shards() if Job.objects.queue(shard, now).exists()]
