"""Plan → database, the whole plan in one transaction and a constant number of statements.

Every placement is checked again under the locks of its job and its hours. Lock order: jobs, then capacity, both by key.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from marketplace.booking.contracts import Booked, freeze_many
from marketplace.booking.taking import Claim, take_many
from marketplace.catalog.models import Offer
from marketplace.common.copying import copy_lines, escaped, numbers, reserve_keys
from marketplace.common.ids import new_ids
from marketplace.events.hints import publish_many
from marketplace.events.services import Mover, move_many
from scheduler.asks import QueuedJob, moment
from scheduler.core.types import HOUR_S, Placement, Plan, Unplaced
from scheduler.explaining import pending_reasons, refusal_as_json
from scheduler.fairness import count_promises
from scheduler.hints import wake_explaining
from scheduler.models import Allocation, Attempt, Job, MatchRound
from scheduler.snapshot import Shelf
from scheduler.states import JOB

LOOK_AGAIN = timedelta(seconds=15)
EXPLAINED_AT_ONCE = 32
Explain = Callable[[Placement], dict[str, Any]]  # called in the order of the plan
LOCK_JOBS = """
    WITH standing AS (
        SELECT job.id, job.version FROM scheduler_job AS job
        JOIN unnest(%s::bigint[], %s::int[]) AS seen(id, version) ON seen.id = job.id
        WHERE job.state = 'queued' AND job.version = seen.version
        ORDER BY job.id FOR UPDATE OF job SKIP LOCKED
    ), tried AS (
        SELECT job_id, count(*) AS times FROM scheduler_attempt
        WHERE job_id IN (SELECT id FROM standing WHERE version > 1) GROUP BY job_id
    )
    SELECT string_agg(id::text, ','), string_agg(coalesce(times, 0)::text, ',')
    FROM standing LEFT JOIN tried ON job_id = id
"""
REFUSE = """
    UPDATE scheduler_job AS job
    SET unplaced = refused.told::jsonb, next_attempt_at = refused.turn,
        excluded_sites = CASE WHEN refused.forgiven THEN '{}' ELSE job.excluded_sites END
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::timestamptz[], %s::boolean[])
         AS refused(id, version, told, turn, forgiven)
    WHERE job.id = refused.id AND job.state = 'queued' AND job.version = refused.version AND job.next_attempt_at <= %s
"""


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    placed: int = 0
    conflicts: int = 0
    explained: bool = True  # False: the allocations wait for their reasons
    reasons: dict[str, int] = field(default_factory=dict)


class Grant(NamedTuple):
    """One placement that still stands, with the rows it is about; `tried` counts the attempts before."""

    placement: Placement
    job: QueuedJob
    tried: int
    offer: Offer
    start: datetime
    end: datetime
    public_id: str


def commit_plan(
    *,
    plan: Plan,
    jobs: Mapping[str, QueuedJob],
    shelf: Shelf,
    round_: MatchRound,
    explain: Callable[[], Explain],
    now: datetime,
) -> Outcome:
    """Write allocations and refusals, all or nothing.

    A job that changed meanwhile or is being changed, or hours that went, are conflicts: nothing of them is written and
    they wait. `explain` makes what explains the placements; the reasons of more than 32 are written later, by
    `explain_round`.
    """
    at_once = len(plan.placed) <= EXPLAINED_AT_ONCE
    told = _reasons(plan.placed, explain()) if at_once and plan.placed else {}
    with transaction.atomic():
        standing = _lock([jobs[each.ask] for each in plan.placed] + [jobs[each.ask] for each in plan.unplaced])
        _refuse([each for each in plan.unplaced if jobs[each.ask].pk in standing], jobs, now)
        grants = _granted(plan.placed, jobs, standing, shelf)
        if grants:
            _write(grants, round_, told, now)
        if grants and not at_once:
            wake_explaining(round_.public_id)
    outcome = Outcome(len(grants), len(plan.placed) - len(grants), explained=at_once or not grants)
    for refusal in plan.unplaced:
        outcome.reasons[refusal.code] = outcome.reasons.get(refusal.code, 0) + 1
    return outcome


def _reasons(placed: Sequence[Placement], explain: Explain) -> dict[str, dict[str, Any]]:
    return {each.ask: explain(each) for each in placed}


def _lock(jobs: Iterable[QueuedJob]) -> dict[int, int]:
    """{key: attempts made before} of the jobs that are still what the round saw; they are ours until the end."""
    seen = [(job.pk, job.version) for job in jobs]
    with connection.cursor() as cursor:
        cursor.execute(LOCK_JOBS, [numbers(key for key, _ in seen), numbers(version for _, version in seen)])
        keys, tried = cursor.fetchone()
    return dict(zip(map(int, keys.split(",")), map(int, tried.split(",")), strict=True)) if keys else {}


def _granted(
    placed: Sequence[Placement], jobs: Mapping[str, QueuedJob], standing: Mapping[int, int], shelf: Shelf
) -> list[Grant]:
    """The placements whose job stands and whose hours could be promised; the hours are promised now."""
    moments: dict[int, datetime] = {}
    for each in placed:
        for second in (each.start_s, each.end_s):
            moments.setdefault(second, moment(second))
    grants = [
        Grant(
            each, jobs[each.ask], standing[jobs[each.ask].pk], shelf.offer(each.offer),
            moments[each.start_s], moments[each.end_s], public_id,
        )
        for each, public_id in zip(placed, new_ids("alc", len(placed)), strict=True)
        if jobs[each.ask].pk in standing
    ]  # fmt: skip
    taken = take_many(
        [
            Claim(each.offer.pk, chosen.start_s // HOUR_S, -(-chosen.end_s // HOUR_S), chosen.units, chosen.u)
            for each in grants
            for chosen in (each.placement,)
        ]
    )
    return [grant for grant, got in zip(grants, taken, strict=True) if got]


def _write(grants: Sequence[Grant], round_: MatchRound, told: Mapping[str, dict[str, Any]], now: datetime) -> None:
    """Contracts, allocations, attempts, the moves of the jobs with their events; hints once it is committed."""
    contracts = freeze_many(
        booked=[
            Booked(each.public_id, each.job.buyer_id, each.offer, each.placement.units, each.start, each.end)
            for each in grants
        ],
        now=now,
    )
    keys = reserve_keys(Allocation, len(grants))
    copy_lines(Allocation, ALLOCATED, _allocations(grants, keys, contracts, round_, told, now))
    copy_lines(Attempt, ATTEMPTED, _attempts(grants, keys, now))
    move_many(
        [
            Mover(each.job.pk, each.job.public_id, each.job.version, each.job.buyer_id, each.offer.site.provider_id)
            for each in grants
        ],
        old="queued", to="allocated", model=Job, table=JOB, now=now,
        fields={"unplaced": None, "next_attempt_at": None},
    )  # fmt: skip
    count_promises(segment=round_.segment, promised=map(_promised_work, grants), now=now)
    sites = sorted({each.offer.site.public_id for each in grants})
    transaction.on_commit(lambda: publish_many([(site, "work") for site in sites]))


def _promised_work(grant: Grant) -> tuple[int, int]:
    """(buyer's key, work) that a grant keeps from others."""
    chosen = grant.placement
    return grant.job.buyer_id, chosen.units * (chosen.end_s - chosen.start_s) * grant.offer.hardware.pf_milli


ALLOCATED = (
    "id", "public_id", "job", "offer", "contract", "round", "units", "start", "end", "why", "live", "created_at",
)  # fmt: skip
ATTEMPTED = (
    "public_id", "job", "allocation", "number", "state", "reason", "message", "cpu_ms", "peak_memory_bytes",
    "log_bytes", "version", "created_at",
)  # fmt: skip


def _allocations(
    grants: Sequence[Grant],
    keys: Sequence[int],
    contracts: Sequence[int],
    round_: MatchRound,
    told: Mapping[str, dict[str, Any]],
    now: datetime,
) -> Iterator[str]:
    made, times = now.isoformat(), {each: each.isoformat() for grant in grants for each in (grant.start, grant.end)}
    pending = pending_reasons(round_)
    for key, contract, each in zip(keys, contracts, grants, strict=True):
        chosen = each.placement
        why = json.dumps(told[chosen.ask]) if told else pending(chosen, each.offer.title)
        yield (
            f"{key}\t{each.public_id}\t{each.job.pk}\t{each.offer.pk}\t{contract}\t{round_.pk}\t{chosen.units}"
            f"\t{times[each.start]}\t{times[each.end]}\t{escaped(why)}\tt\t{made}\n"
        )


def _attempts(grants: Sequence[Grant], allocations: Sequence[int], now: datetime) -> Iterator[str]:
    rest = f"pending\t\t\t0\t0\t0\t1\t{now.isoformat()}\n"
    for allocation, public_id, each in zip(allocations, new_ids("att", len(grants)), grants, strict=True):
        yield f"{public_id}\t{each.job.pk}\t{allocation}\t{each.tried + 1}\t{rest}"


def nothing_new(plan: Plan, jobs: Mapping[str, QueuedJob]) -> bool:
    """Whether the plan only repeats what every job was told before."""
    return not plan.placed and all(
        jobs[each.ask].unplaced == refusal_as_json(each) and not jobs[each.ask].excluded_sites for each in plan.unplaced
    )


def postpone(jobs: Iterable[QueuedJob], now: datetime) -> None:
    """Look at these waiting jobs again a little later; units given back bring them forward."""
    told = Job.objects.filter(pk__in=[job.pk for job in jobs], state="queued", unplaced__isnull=False)
    with transaction.atomic():
        told.filter(next_attempt_at__lte=now).unless_locked().update(next_attempt_at=now + LOOK_AGAIN)


def _refuse(refused: Sequence[Unplaced], jobs: Mapping[str, QueuedJob], now: datetime) -> None:
    """Keep the jobs queued and say why. Sites they were kept away from are allowed again when nothing else fits.

    Units given back meanwhile have set a later turn, which stays.
    """
    if not refused:
        return
    rows = [jobs[each.ask] for each in refused]
    forgiven = [
        each.code in {"no_offer_fits", "never_fits"} and bool(job.excluded_sites)
        for each, job in zip(refused, rows, strict=True)
    ]
    told = [json.dumps(refusal_as_json(each)) for each in refused]
    turns = [now if free else now + LOOK_AGAIN for free in forgiven]
    with connection.cursor() as cursor:
        cursor.execute(
            REFUSE, [numbers(job.pk for job in rows), numbers(job.version for job in rows), told, turns, forgiven, now]
        )
