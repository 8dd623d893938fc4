"""Plan → database: each placement re-checked against what is true now, each all or nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction

from marketplace.booking.contracts import freeze_terms
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from marketplace.common.ids import new_id
from marketplace.events.hints import publish
from scheduler.attempts import move_job
from scheduler.core.types import Placement, Plan, Unplaced
from scheduler.explaining import refusal_as_json
from scheduler.models import Allocation, Attempt, Job, MatchRound
from scheduler.snapshot import Shelf

LOOK_AGAIN = timedelta(seconds=15)
Explain = Callable[[Placement], dict[str, Any]]


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    placed: int = 0
    conflicts: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def commit_plan(
    *, plan: Plan, jobs: dict[str, Job], shelf: Shelf, round_: MatchRound, explain: Explain, now: datetime
) -> Outcome:
    """Write allocations and refusals. A job that changed meanwhile, or hours that went, are conflicts and wait."""
    outcome = Outcome()
    for placement in plan.placed:
        try:
            placed = allocate(
                job=jobs[placement.ask], placement=placement, shelf=shelf, round_=round_,
                why=explain(placement), now=now,
            )  # fmt: skip
        except CapacityTaken:
            placed = False
        outcome.placed += placed
        outcome.conflicts += not placed
    for refusal in plan.unplaced:
        refuse(job=jobs[refusal.ask], refusal=refusal, now=now)
        outcome.reasons[refusal.code] = outcome.reasons.get(refusal.code, 0) + 1
    return outcome


@transaction.atomic
def allocate(
    *, job: Job, placement: Placement, shelf: Shelf, round_: MatchRound, why: dict[str, Any], now: datetime
) -> bool:
    """Give `job` its hours and its next attempt; False when it is no longer the queued job the round saw.

    Raises CapacityTaken when an hour went meanwhile; nothing is written then.
    """
    current = Job.objects.select_for_update(of=("self",)).select_related("buyer").get(pk=job.pk)
    if (current.state, current.version) != ("queued", job.version):
        return False
    offer = shelf.offer(placement.offer)
    start = datetime.fromtimestamp(placement.start_s, UTC)
    end = datetime.fromtimestamp(placement.end_s, UTC)
    take_hours(offer=offer, wanted=hours_by_day(start, end, placement.units), units=placement.units)
    public_id = new_id("alc")
    contract = freeze_terms(
        subject=public_id, buyer=current.buyer, offer=offer, units=placement.units, start=start, end=end, now=now
    )
    allocation = Allocation.objects.create(
        public_id=public_id, job=current, offer=offer, contract=contract, round=round_, units=placement.units,
        start=start, end=end, why=why, created_at=now,
    )  # fmt: skip
    number = current.attempts.count() + 1
    Attempt.objects.create(job=current, allocation=allocation, number=number, created_at=now)
    move_job(current, "allocated", now=now, unplaced=None, next_attempt_at=None)
    transaction.on_commit(partial(publish, offer.site.public_id, "work"))
    return True


def nothing_new(plan: Plan, jobs: Mapping[str, Job]) -> bool:
    """Whether the plan only repeats what every job was told before."""
    return not plan.placed and all(
        jobs[each.ask].unplaced == refusal_as_json(each) and not jobs[each.ask].excluded_sites for each in plan.unplaced
    )


def postpone(jobs: Iterable[Job], now: datetime) -> None:
    """Look at these waiting jobs again a little later; units given back bring them forward."""
    told = Job.objects.filter(pk__in=[job.pk for job in jobs], state="queued", unplaced__isnull=False)
    told.filter(next_attempt_at__lte=now).update(next_attempt_at=now + LOOK_AGAIN)


def refuse(*, job: Job, refusal: Unplaced, now: datetime) -> None:
    """Keep the job queued and say why. Sites it was kept away from are allowed again when nothing else fits."""
    changes: dict[str, Any] = {"unplaced": refusal_as_json(refusal), "next_attempt_at": now + LOOK_AGAIN}
    if refusal.code in {"no_offer_fits", "never_fits"} and job.excluded_sites:
        changes["excluded_sites"] = []
        changes["next_attempt_at"] = now
    unchanged = Job.objects.filter(pk=job.pk, state="queued", version=job.version, next_attempt_at__lte=now)
    unchanged.update(**changes)  # units given back meanwhile have set a later turn, which stays
