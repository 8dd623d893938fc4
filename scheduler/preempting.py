"""Interruptible work makes room: who is told to end, until when, and what becomes of who does not.

Notice withdraws the promise at once: its hours are given back, so that whoever it makes room for can be promised them
in the same transaction. The work itself runs on until its notice is over; `room_for` keeps the next lease waiting for
its end, so machines never carry more than they have. The agent hears of it at its next heartbeat.

Lock order: leases, attempts, jobs, then capacity. Rows that somebody else has locked are changing: they are left out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import Offer
from marketplace.common.clock import rfc3339
from marketplace.events.services import record
from scheduler.attempts import end_attempt, lose_pieces, withdraw
from scheduler.models import Attempt, Job, Lease, Piece
from scheduler.querysets import AttemptQuerySet

FIRM_WORK, PROVIDER, GANG = "firm_work", "provider", "gang"
MESSAGES = {
    FIRM_WORK: "it made room for firm work", PROVIDER: "the provider took the capacity back",
    GANG: "its gang is queued again",
}  # fmt: skip


def lock_open(allocations: Iterable[str]) -> dict[str, Attempt]:
    """{public id of the allocation: its attempt}, locked, of those that may be told to end."""
    found = lock_live(Attempt.objects.interruptible().filter(allocation__public_id__in=list(allocations)))
    return {each.allocation.public_id: each for each in found}


def lock_live(live: AttemptQuerySet) -> list[Attempt]:
    """Those of the open attempts `live` that run or wait, locked with their leases and jobs.

    To be called in a transaction.
    """
    leases = (
        Lease.objects.live().filter(attempt__in=live).order_by("pk").select_for_update(skip_locked=True, of=("self",))
    )
    held = set(leases.values_list("attempt", flat=True))
    ours = live.filter(Q(state="pending") | Q(pk__in=held)).order_by("pk")
    keys = list(ours.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
    jobs = Job.objects.filter(attempts__in=keys).order_by("pk").select_for_update(skip_locked=True, of=("self",))
    return list(live.filter(pk__in=keys, job__in=list(jobs.values_list("pk", flat=True))).with_terms())


def lock_pieces(public_ids: Iterable[str]) -> list[Piece]:
    """Those of the pieces that are still only promised, with their jobs' rows locked. To be called in a transaction."""
    waiting = Piece.objects.waiting().filter(public_id__in=list(public_ids))
    jobs = Job.objects.filter(pieces__in=waiting).order_by("pk").select_for_update(skip_locked=True, of=("self",))
    return list(waiting.filter(job__in=list(jobs.values_list("pk", flat=True))).with_terms().order_by("pk"))


def lose_from(*, piece: Piece, now: datetime) -> None:
    """Give a piece that `lock_pieces` has locked back, with those behind it, which count on what it would have done.

    What runs or waits before it stays; when that is over, the rest of the work is planned anew.
    """
    behind = Piece.objects.waiting().filter(job=piece.job_id, number__gte=piece.number)
    lose_pieces(pieces=behind.with_terms().order_by("number"), now=now)


def give_notice(*, attempt: Attempt, cause: str, now: datetime) -> None:
    """Take the promise of an attempt that `lock_live` has locked back; what runs ends within the offer's notice."""
    if attempt.state == "pending":
        attempt.preempt_cause = cause
        attempt.save(update_fields=["preempt_cause"])
        end_attempt(attempt=attempt, reason="preempted", now=now, message=MESSAGES[cause])
        return
    until = now + timedelta(seconds=attempt.allocation.offer.notice_s)
    attempt.preempt_by, attempt.preempt_cause, attempt.version = until, cause, attempt.version + 1
    attempt.save(update_fields=["preempt_by", "preempt_cause", "version"])
    record(
        "attempt.preempting", object_id=attempt.public_id, seq=attempt.version, now=now, state=attempt.state,
        reason=cause, buyer=attempt.job.buyer, provider=attempt.allocation.offer.site.provider,
        facts={"job": attempt.job.public_id, "until": rfc3339(until)},
    )  # fmt: skip
    withdraw(attempt.allocation, now)


def end_overdue(*, now: datetime) -> int:
    """End what did not end within its notice, a lease's length later, in which it hears and hands its files over."""
    late = now - timedelta(seconds=settings.LEASE_SECONDS)
    overdue = Attempt.objects.open().filter(preempt_by__lte=late)
    ended = 0
    for key in list(overdue.values_list("pk", flat=True)):
        with transaction.atomic():
            lease = Lease.objects.live().filter(attempt=key).select_for_update(skip_locked=True, of=("self",)).first()
            attempt = overdue.with_terms().filter(pk=key).first() if lease else None
            if attempt is not None:
                end_attempt(attempt=attempt, reason="preempted", now=now, message="it did not end within its notice")
                ended += 1
    return ended


def room_for(attempt: Attempt, now: datetime) -> bool:
    """Whether the machines can carry a waiting attempt now; not while others on them are still to end for it."""
    offer = attempt.allocation.offer
    machines = [offer, *Offer.objects.sharing_with(offer)]
    on_them = Attempt.objects.open().filter(allocation__offer__in=machines)
    if not on_them.filter(preempt_by__isnull=False).exists():
        return True
    running = on_them.exclude(state="pending").aggregate(units=Sum("allocation__units"))["units"] or 0
    whole = next(each for each in machines if each.twin_id is None)
    day = CapacityDay.objects.filter(offer=whole, day=now.date()).first()
    return day is not None and running + attempt.allocation.units <= day.units_total[now.hour]
