"""Plan → database, the whole plan in one transaction and a constant number of statements.

Every placement is checked again under the locks of its job and its hours. Lock order: jobs, then capacity, both by key.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from marketplace.booking.taking import Claims, take_many
from marketplace.common.copying import FEW, keys_of, numbers, write_rows
from marketplace.common.sending import Answer, ask, sent_ahead
from marketplace.events.hints import publish_many
from marketplace.events.services import Movers, Sent, move_many
from scheduler.core.asks import NEVER
from scheduler.core.types import HOUR_S, Placement, Plan, Preemption, Unplaced
from scheduler.explaining import refusal_as_json
from scheduler.fairness import count_promises
from scheduler.granting import Beside, Grants, Outcome, WriteRound, ask_keys_of_rows, rows_beside
from scheduler.hints import wake_explaining
from scheduler.makingroom import MakingRoom
from scheduler.models import Job, MatchRound
from scheduler.moving import LOOK_AGAIN, Refused, move_on, said_before
from scheduler.pieces import promise_later
from scheduler.queue import Queue
from scheduler.shards import Shard
from scheduler.snapshot import Shelf
from scheduler.states import JOB

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
EXPLAINED_AT_ONCE = 32
CHANGED = -1
Explain = Callable[[Placement | Preemption], dict[str, Any]]  # called in the order of the plan
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
    SELECT string_agg(int8send(id) || int8send(coalesce(times, 0)), '') FROM standing LEFT JOIN tried ON job_id = id
"""
LEAVE_QUEUE = "DELETE FROM scheduler_queueentry WHERE job_id = ANY(%s::bigint[])"
REFUSE = """
    UPDATE scheduler_job AS job
    SET unplaced = refused.told::jsonb, next_attempt_at = refused.turn,
        excluded_sites = CASE WHEN refused.forgiven THEN '{}' ELSE job.excluded_sites END
    FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::timestamptz[], %s::boolean[])
         AS refused(id, version, told, turn, forgiven)
    WHERE job.id = refused.id AND job.state = 'queued' AND job.version = refused.version AND job.next_attempt_at <= %s
"""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was asked before the plan was known: which jobs stand, and keys for as many as could be placed."""

    standing: Answer
    keys: Answer | None


def commit_plan(
    *,
    plan: Plan,
    queue: Queue,
    shelf: Shelf,
    round_: MatchRound,
    explain: Callable[[], Explain],
    prepare_round: Callable[[], WriteRound],
    now: datetime,
    ahead: Ahead | None = None,
) -> Outcome:
    """Write allocations and refusals, all or nothing.

    A job that changed meanwhile or is being changed, or hours that went, are conflicts: nothing of them is written and
    they wait. `explain` makes what explains the placements; the reasons of more than 32 are written later, by
    `explain_round`. `prepare_round` puts the round's row together beside the database; what it returns writes it, for
    the allocations to refer to, once it is known what becomes of the plan. `ahead` is what was asked in this
    transaction already.
    """
    at_once = len(plan.placed) <= EXPLAINED_AT_ONCE
    told = _reasons(plan, explain, at_once)
    with transaction.atomic(savepoint=False):
        placed, refused = (queue.places(each.ask for each in part) for part in (plan.allocated, plan.unplaced))
        ahead = ahead or Ahead(_ask_which_stand(queue, np.concatenate([placed, refused])), None)
        tried = _tried(ahead.standing, queue)
        stand = (tried[refused] != CHANGED).tolist()
        _refuse(list(compress(plan.unplaced, stand)), queue, round_.shard, now)
        with _sent(plan):
            grants = _granted(plan, placed, queue.gang[placed], tried, shelf, now)
            outcome = Outcome(len(grants), len(plan.allocated) - len(grants), explained=at_once or not grants)
            if grants:
                keys = keys_of(ahead.keys or ask_keys_of_rows(len(grants)))
                with rows_beside(grants, queue, round_, keys, told, prepare_round, now) as rows:
                    _carry_out(grants, queue, rows, outcome, round_, now)
            else:
                prepare_round()(outcome)
        if not (outcome.explained or queue.full):  # while more wait nothing is explained
            wake_explaining(round_.public_id)
    return outcome


def _carry_out(
    grants: Grants, queue: Queue, rows: Beside, outcome: Outcome, round_: MatchRound, now: datetime
) -> None:  # fmt: skip
    """Contracts, the round, allocations and attempts: each refers to those before. Nobody waits until all are sent.

    What counts for fair shares comes last: its rows are those of all shards of a family, which wait for each other from
    here to the end of the transaction.
    """
    moved = _move(grants, queue, now)
    contracts, prepared, allocations, attempts = rows
    write_rows(contracts.result())
    prepared.result()(outcome)
    write_rows(allocations.result())
    write_rows(attempts.result())
    if grants.pieces:
        _promise_later(grants, queue, round_, now)
    _count(grants, queue, round_.segment, now)
    moved.check()


def _promise_later(grants: Grants, queue: Queue, round_: MatchRound, now: datetime) -> None:
    """The later pieces of jobs in pieces, of which there are few."""
    rows = zip(grants.placed, queue.pk[grants.place].tolist(), grants.offer.tolist(), strict=True)
    cut = [row for row in rows if row[0].ask in grants.pieces]
    jobs = Job.objects.select_related("buyer").in_bulk([key for _, key, _ in cut])
    for placement, key, offer in cut:
        promise_later(
            job=jobs[key], offer=grants.offers[offer], units=placement.units, round_=round_, now=now,
            spans=grants.pieces[placement.ask][1:],
        )  # fmt: skip


def _reasons(plan: Plan, explain: Callable[[], Explain], at_once: bool) -> dict[str, str]:
    """Why, by ask: of the placements if they are explained at once, of those for which others end in any case."""
    placed = plan.placed if at_once else ()
    if not placed and not plan.preempting:
        return {}
    tell = explain()
    told = {each.ask: json.dumps(tell(each)) for each in placed}
    return told | {each.placement.ask: json.dumps(tell(each)) for each in plan.preempting}


def ask_ahead(queue: Queue) -> Ahead:
    """Lock all jobs of `queue` that are still what was read, until the end of the transaction; few get their keys."""
    return Ahead(
        _ask_which_stand(queue, np.arange(len(queue))), ask_keys_of_rows(len(queue)) if len(queue) < FEW else None
    )


def _ask_which_stand(queue: Queue, places: Ints) -> Answer:
    return ask(LOCK_JOBS, [numbers(queue.pk[places].tolist()), numbers(queue.version[places].tolist())])


def _tried(standing: Answer, queue: Queue) -> Ints:
    """By place, how many attempts were made of a job that stands; CHANGED of the others."""
    with standing:
        [(content,)] = standing.fetchall()
    found = np.frombuffer(content or b"", dtype=">i8").reshape(-1, 2)
    tried = np.full(len(queue), CHANGED)
    order = np.argsort(queue.pk)
    tried[order[np.searchsorted(queue.pk, found[:, 0], sorter=order)]] = found[:, 1]
    return tried


def _granted(plan: Plan, places: Ints, gang: Ints, tried: Ints, shelf: Shelf, now: datetime) -> Grants:
    """The placements whose job, or whole gang, stands and whose hours could be promised; the hours are promised now."""
    placed = plan.allocated
    facts = [(shelf.place[each.offer], each.units, each.start_s, each.end_s, each.u) for each in placed]
    offer, units, start_s, end_s, worth = np.array(facts, dtype=np.int64).reshape(-1, 5).T
    stands = _whole(gang, tried[places] != CHANGED)
    claims = Claims(shelf.keys[offer], start_s // HOUR_S, -(-end_s // HOUR_S), units, worth, _bundles(plan, gang))
    later = _later(plan, claims)
    making = MakingRoom(plan.preempting, claims.and_also(later)) if plan.preempting else None
    clear = stands & (np.arange(len(placed)) < len(plan.placed))
    theirs = later.only(np.isin(later.bundle, claims.bundle[clear]))
    stands[clear] = take_many(claims.only(clear).and_also(theirs), shelf.twins)[: int(clear.sum())]
    if making is not None:
        stands[len(plan.placed) :] &= making.carry_out(stands[len(plan.placed) :], shelf, now)
    used, row = np.unique(offer[stands], return_inverse=True)
    return Grants(
        list(compress(placed, stands.tolist())),
        places[stands], tried[places[stands]], [shelf.offers[each] for each in used.tolist()], row,
        units[stands], start_s[stands], end_s[stands], plan.pieces,
    )  # fmt: skip


def _bundles(plan: Plan, gang: Ints) -> Ints:
    """Which placements stand or fall together: those of a gang, and every one in pieces with its own later ones."""
    if not plan.pieces:
        return gang
    own = -2 - np.arange(gang.size)  # gangs have positive keys
    return np.where([each.ask in plan.pieces for each in plan.allocated], own, gang)


def _later(plan: Plan, claims: Claims) -> Claims:
    """What placements in pieces claim besides: their later pieces, which stand and fall with the first."""
    if not plan.pieces:
        return claims.only(np.zeros(0, dtype=np.int64))
    owner = [row for row, each in enumerate(plan.allocated) for _ in plan.pieces.get(each.ask, ())[1:]]
    spans = [span for each in plan.allocated for span in plan.pieces.get(each.ask, ())[1:]]
    begin, end = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    same = claims.only(np.array(owner, dtype=np.int64))
    return Claims(same.offer, begin // HOUR_S, -(-end // HOUR_S), same.units, same.worth, same.bundle)


def _whole(gang: Ints, stands: Bools) -> Bools:
    """`stands` without the members of gangs of which one does not stand."""
    return stands & ~np.isin(gang, gang[~stands & (gang != NEVER)])


def _sent(plan: Plan) -> AbstractContextManager[None]:
    """Few rows are put together while the database writes those before. Who makes room or comes again later waits for
    answers."""
    waits = plan.preempting or plan.pieces
    return sent_ahead() if len(plan.allocated) < FEW and not waits else nullcontext()


def _move(grants: Grants, queue: Queue, now: datetime) -> Sent:
    """The jobs are allocated, with their events; hints to the sites once it is committed."""
    buyer = queue.buyer[grants.place]
    provider = grants.of_offers([each.site.provider_id for each in grants.offers])
    sent = move_many(
        Movers(queue.pk[grants.place], queue.public_id[grants.place], queue.version[grants.place], buyer, provider),
        old="queued", to="allocated", model=Job, table=JOB, now=now,
        fields={"unplaced": None, "next_attempt_at": None},
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(LEAVE_QUEUE, [numbers(queue.pk[grants.place].tolist())])
    sites = sorted({each.site.public_id for each in grants.offers})
    transaction.on_commit(lambda: publish_many([(site, "work") for site in sites]))
    return sent


def _count(grants: Grants, queue: Queue, segment: str, now: datetime) -> None:
    """What is kept from others counts as used by its buyer."""
    speed = grants.of_offers([each.hardware.pf_milli for each in grants.offers])
    work, buyer = grants.units * (grants.end_s - grants.start_s) * speed, queue.buyer[grants.place]
    count_promises(segment=segment, promised=zip(buyer.tolist(), work.tolist(), strict=True), now=now)


def nothing_new(plan: Plan, queue: Queue, shard: Shard, now: datetime) -> bool:
    """Whether the plan only repeats what every job was told in this shard before."""
    if plan.allocated:
        return False
    if shard.group:
        return said_before(shard=shard, refused=_refused(plan.unplaced, queue), now=now)
    places = (queue.place[each.ask] for each in plan.unplaced)
    return all(
        queue.told.get(place) == refusal_as_json(each) and not queue.forms[queue.form[place]].excluded_sites
        for place, each in zip(places, plan.unplaced, strict=True)
    )


def put_off(plan: Plan, queue: Queue, shard: Shard, now: datetime) -> None:
    """Look at these waiting jobs again a little later, where families are split in the other regions first."""
    if shard.group:
        move_on(shard=shard, refused=_refused(plan.unplaced, queue), now=now)
    else:
        postpone(queue, now)


def postpone(queue: Queue, now: datetime) -> None:
    """Look at these waiting jobs again a little later; units given back bring them forward."""
    told = Job.objects.filter(pk__in=queue.pk.tolist(), state="queued", unplaced__isnull=False)
    with transaction.atomic():
        told.filter(next_attempt_at__lte=now).unless_locked().update(next_attempt_at=now + LOOK_AGAIN)


def _refused(unplaced: Sequence[Unplaced], queue: Queue) -> list[Refused]:
    places = queue.places(each.ask for each in unplaced)
    keys = queue.pk[places].tolist(), queue.version[places].tolist()
    return list(map(Refused, *keys, unplaced))


def _refuse(refused: Sequence[Unplaced], queue: Queue, shard: Shard, now: datetime) -> None:
    """Keep the jobs queued and say why. Sites they were kept away from are allowed again when nothing else fits.

    Units given back meanwhile have set a later turn, which stays.
    """
    if not refused:
        return
    if shard.group:
        move_on(shard=shard, refused=_refused(refused, queue), now=now)
        return
    places = queue.places(each.ask for each in refused)
    forgiven = [
        each.code in {"no_offer_fits", "never_fits"} and bool(queue.forms[form].excluded_sites)
        for each, form in zip(refused, queue.form[places].tolist(), strict=True)
    ]
    told = [json.dumps(refusal_as_json(each)) for each in refused]
    turns = [now if free else now + LOOK_AGAIN for free in forgiven]
    keys, versions = numbers(queue.pk[places].tolist()), numbers(queue.version[places].tolist())
    with connection.cursor() as cursor:
        cursor.execute(REFUSE, [keys, versions, told, turns, forgiven, now])
