"""Plan → database, the whole plan in one transaction and a constant number of statements.

Every placement is checked again under the locks of its job and its hours. Lock order: jobs, then capacity, both by key.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from marketplace.booking.freezing import Promises, contracts_of
from marketplace.booking.models import Contract
from marketplace.booking.taking import Claims, take_many
from marketplace.catalog.models import Offer
from marketplace.common.copying import FEW, Rows, ask_keys, keys_of, numbers, rows_of, write_rows
from marketplace.common.ids import new_ids
from marketplace.common.sending import Answer, ask, sent_ahead
from marketplace.events.hints import publish_many
from marketplace.events.services import Movers, move_many
from scheduler.core.asks import NEVER
from scheduler.core.types import HOUR_S, Placement, Plan, Preemption, Unplaced
from scheduler.explaining import PENDING, refusal_as_json
from scheduler.fairness import count_promises
from scheduler.hints import wake_explaining
from scheduler.makingroom import MakingRoom
from scheduler.models import Allocation, Attempt, Job, MatchRound
from scheduler.moving import LOOK_AGAIN, Refused, move_on, said_before
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


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    placed: int = 0
    conflicts: int = 0
    explained: bool = True  # False: the allocations wait for their reasons


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was asked before the plan was known: which jobs stand, and keys for as many as could be placed."""

    standing: Answer
    keys: Answer | None


WriteRound = Callable[[Outcome], None]
Beside = tuple[Future[Rows], Future[WriteRound], Future[Rows], Future[Rows]]


@dataclass(frozen=True, slots=True)
class Grants:
    """Placements that still stand, as columns: where the job stands in the queue, how many attempts it had, the index
    of its offer in `offers`, times in unix seconds."""

    placed: Sequence[Placement]
    place: Ints
    tried: Ints
    offers: Sequence[Offer]
    offer: Ints
    units: Ints
    start_s: Ints
    end_s: Ints

    def __len__(self) -> int:
        return len(self.placed)

    def of_offers(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """For each grant that of `values`, one for each offer, which is its offer's."""
        return np.array(values)[self.offer]


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
                with _beside(grants, queue, round_, ahead, told, prepare_round, now) as rows:
                    _move(grants, queue, round_.segment, now)
                    _write(rows, outcome)
            else:
                prepare_round()(outcome)
        if not outcome.explained:
            wake_explaining(round_.public_id)
    return outcome


def _write(rows: Beside, outcome: Outcome) -> None:
    """Contracts, the round, allocations and attempts: each refers to those before."""
    contracts, prepared, allocations, attempts = rows
    write_rows(contracts.result())
    prepared.result()(outcome)
    write_rows(allocations.result())
    write_rows(attempts.result())


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
    return Ahead(_ask_which_stand(queue, np.arange(len(queue))), _ask_keys(len(queue)) if len(queue) < FEW else None)


def _ask_which_stand(queue: Queue, places: Ints) -> Answer:
    return ask(LOCK_JOBS, [numbers(queue.pk[places].tolist()), numbers(queue.version[places].tolist())])


def _ask_keys(count: int) -> Answer:
    return ask_keys((MatchRound, 1), (Contract, count), (Allocation, count))


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
    claims = Claims(shelf.keys[offer], start_s // HOUR_S, -(-end_s // HOUR_S), units, worth, gang)
    making = MakingRoom(plan.preempting, claims) if plan.preempting else None
    clear = stands & (np.arange(len(placed)) < len(plan.placed))
    stands[clear] = take_many(claims.only(clear), shelf.twins)
    if making is not None:
        stands[len(plan.placed) :] &= making.carry_out(stands[len(plan.placed) :], shelf, now)
    used, row = np.unique(offer[stands], return_inverse=True)
    return Grants(
        list(compress(placed, stands.tolist())),
        places[stands], tried[places[stands]], [shelf.offers[each] for each in used.tolist()], row,
        units[stands], start_s[stands], end_s[stands],
    )  # fmt: skip


def _whole(gang: Ints, stands: Bools) -> Bools:
    """`stands` without the members of gangs of which one does not stand."""
    return stands & ~np.isin(gang, gang[~stands & (gang != NEVER)])


class Lazily(Executor):
    """Runs what is submitted when its result is asked for, once."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Later(partial(call, *args, **kwargs))


class Later(Future[Any]):
    """What a call will give."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def result(self, timeout: float | None = None) -> Any:
        return self._call()


def _sent(plan: Plan) -> AbstractContextManager[None]:
    """Few rows are put together while the database writes those before. Who makes room waits for answers."""
    return sent_ahead() if len(plan.allocated) < FEW and not plan.preempting else nullcontext()


@contextmanager
def _beside(
    grants: Grants, queue: Queue, round_: MatchRound, ahead: Ahead, told: Mapping[str, str],
    prepare_round: Callable[[], WriteRound], now: datetime,
) -> Iterator[Beside]:  # fmt: skip
    """Rows of contracts, the round's, those of allocations and attempts: a thread puts them together, in the order in
    which they are written, while the database is busy; few rows when they are asked for, since threads wait for each
    other.
    """
    rounds, *keys_of_each = keys_of(ahead.keys or _ask_keys(len(grants)))
    contracts, allocations = (each[: len(grants)] for each in keys_of_each)
    round_.pk = round_.pk or int(rounds[0])
    public_ids = new_ids("alc", len(grants))
    promises = Promises(
        public_ids, queue.buyer[grants.place], grants.offers, grants.offer, grants.units, grants.start_s, grants.end_s
    )
    keys = {"id": allocations, "public_id": public_ids, "contract": contracts}
    with Lazily() if len(grants) < FEW else ThreadPoolExecutor(1) as aside:
        yield (
            aside.submit(contracts_of, promises=promises, keys=contracts, now=now),
            aside.submit(prepare_round),
            aside.submit(_allocations_of, grants, queue, round_, keys, told, now),
            aside.submit(_attempts_of, grants, queue, allocations, now),
        )


def _allocations_of(
    grants: Grants, queue: Queue, round_: MatchRound, keys: Mapping[str, Any], told: Mapping[str, str], now: datetime
) -> Rows:
    pending = json.dumps({PENDING: True})
    columns: dict[str, Any] = {
        "job": queue.pk[grants.place],
        "offer": grants.of_offers([each.pk for each in grants.offers]),
        "round": round_.pk,
        "units": grants.units,
        "start": grants.start_s.astype("datetime64[s]"),
        "end": grants.end_s.astype("datetime64[s]"),
        "why": [told.get(each.ask, pending) for each in grants.placed],
        "live": True,
        "created_at": now,
    }
    return rows_of(Allocation, len(grants), {**keys, **columns})


def _attempts_of(grants: Grants, queue: Queue, allocations: Ints, now: datetime) -> Rows:
    columns: dict[str, Any] = {
        "public_id": new_ids("att", len(grants)), "job": queue.pk[grants.place], "allocation": allocations,
        "number": grants.tried + 1, "state": "pending", "reason": "", "message": "", "cpu_ms": 0,
        "peak_memory_bytes": 0, "log_bytes": 0, "version": 1, "created_at": now,
    }  # fmt: skip
    return rows_of(Attempt, len(grants), columns)


def _move(grants: Grants, queue: Queue, segment: str, now: datetime) -> None:
    """The jobs are allocated, with their events; hints to the sites once it is committed."""
    buyer = queue.buyer[grants.place]
    provider = grants.of_offers([each.site.provider_id for each in grants.offers])
    move_many(
        Movers(queue.pk[grants.place], queue.public_id[grants.place], queue.version[grants.place], buyer, provider),
        old="queued", to="allocated", model=Job, table=JOB, now=now,
        fields={"unplaced": None, "next_attempt_at": None},
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(LEAVE_QUEUE, [numbers(queue.pk[grants.place].tolist())])
    speed = grants.of_offers([each.hardware.pf_milli for each in grants.offers])
    work = grants.units * (grants.end_s - grants.start_s) * speed  # what is kept from others
    count_promises(segment=segment, promised=zip(buyer.tolist(), work.tolist(), strict=True), now=now)
    sites = sorted({each.site.public_id for each in grants.offers})
    transaction.on_commit(lambda: publish_many([(site, "work") for site in sites]))


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
