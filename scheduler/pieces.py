"""Work in pieces as it runs: later pieces are promised, begin where the one before stopped, or are given back.

One piece is an allocation with its attempt, as of any job; those to come are rows of `Piece` with contracts and hours
of their own. A piece that is over ends with the reason `piece_over`: what it used is paid, and if its checkpoint came
the next piece takes its place in the same transaction. In every other case what is still promised goes back, and the
job waits for a round that plans the rest of its work anew, with all that the rounds' latest start demands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from marketplace.booking.contracts import freeze_terms
from marketplace.booking.services import give_hours_back
from marketplace.catalog.models import Offer
from marketplace.common.ids import new_id
from scheduler.asks import moment
from scheduler.core.cutting import Span
from scheduler.core.types import MIN_RUN_S
from scheduler.fairness import count_promises
from scheduler.models import Allocation, Artifact, Attempt, Job, MatchRound, Piece, QueueEntry
from scheduler.requests import StoredAsk
from scheduler.states import PIECE_OVER, TIME_LIMIT

SECOND = timedelta(seconds=1)
SAVED_BY = frozenset({PIECE_OVER, "preempted"})  # ends before which the agent was told to save
OVER = "The piece is over; the work goes on from its checkpoint."
USUAL_GRACE_S = 30


def promise_later(
    *, job: Job, offer: Offer, units: int, spans: Sequence[Span], round_: MatchRound, now: datetime
) -> list[Piece]:
    """Write what was promised for later: [start, end) of each piece behind the first. Its hours have been taken."""
    found = []
    for number, (start_s, end_s) in enumerate(spans, start=2):
        public_id = new_id("alc")
        contract = freeze_terms(
            subject=public_id, buyer=job.buyer, offer=offer, units=units, start=moment(start_s), end=moment(end_s),
            now=now,
        )  # fmt: skip
        found.append(
            Piece.objects.create(
                public_id=public_id, job=job, contract=contract, round=round_, number=number,
                is_last=number == len(spans) + 1, created_at=now,
            )
        )  # fmt: skip
    return found


def stop_of(attempt: Attempt, now: datetime) -> int | None:
    """In how many seconds the work must have stopped, once it is time to save it: its piece ends; None before."""
    if not attempt.allocation.goes_on:
        return None
    checkpoint = attempt.job.spec.get("checkpoint") or {}
    grace_s = checkpoint.get("grace_s", USUAL_GRACE_S)
    left_s = (attempt.allocation.end - now) // SECOND
    return max(1, min(grace_s, left_s)) if left_s <= grace_s + 2 * settings.HEARTBEAT_SECONDS else None


def over_as(attempt: Attempt, reason: str, message: str) -> tuple[str, str]:
    """Reason and message of an end as the agent tells it: it was told to save and stop, and does not know for whom."""
    stopped = reason in {"preempted", TIME_LIMIT} and attempt.preempt_by is None
    return (PIECE_OVER, OVER) if stopped and attempt.allocation.goes_on else (reason, message)


def is_saved(attempt: Attempt) -> bool:
    """Whether the attempt handed a checkpoint over that is not the one it began with."""
    return _content(checkpoint_of(attempt)) not in [frozenset(), _content(last_checkpoint(attempt))]


def _content(files: Iterable[Artifact]) -> frozenset[tuple[str, str]]:
    return frozenset((each.path, each.sha256) for each in files)


def checkpoint_of(attempt: Attempt) -> list[Artifact]:
    """The stored files of its checkpoint."""
    checkpoint = attempt.job.spec.get("checkpoint")
    if not checkpoint:
        return []
    path = checkpoint["path"].rstrip("/")
    stored = Artifact.objects.filter(attempt=attempt, stored_at__isnull=False)
    return [each for each in stored if each.path == path or each.path.startswith(f"{path}/")]


def last_checkpoint(attempt: Attempt) -> list[Artifact]:
    """The files that work which goes on begins with: those of the latest attempt before it that saved any."""
    if not attempt.job.saved_s:
        return []
    before = Attempt.objects.filter(job=attempt.job, number__lt=attempt.number).order_by("-number")
    return next((files for each in before.select_related("job") if (files := checkpoint_of(each))), [])


def note_saved(*, attempt: Attempt, reason: str, now: datetime) -> None:
    """Count what the attempt did towards its job's work, if it was told to save and did; a restart is none of it."""
    job = attempt.job
    if not in_pieces(job) or reason not in SAVED_BY or attempt.started_at is None or not is_saved(attempt):
        return
    ran_s = (now - attempt.started_at) // SECOND - (job.ask["restart_s"] if job.saved_s else 0)
    job.saved_s = min(job.time_limit_s, job.saved_s + max(0, ran_s))
    Job.objects.filter(pk=job.pk).update(saved_s=job.saved_s)


def in_pieces(job: Job) -> bool:
    """Whether the job may run in pieces, or did."""
    return "max_pieces" in job.ask


def rest_of(job: Job, reason: str) -> dict[str, Any]:
    """What a job that may run in pieces asks for once an attempt has ended: the rest, in the pieces left."""
    if not in_pieces(job):
        return {}
    stored = StoredAsk.from_json(job.ask)
    run_s = job.time_limit_s - job.saved_s + (stored.restart_s if job.saved_s else 0)
    left = max(1, (stored.max_pieces or 1) - (reason == PIECE_OVER))
    return {"ask": replace(stored, run_s=max(MIN_RUN_S, run_s), max_pieces=left).as_json()}


def next_of(job: Job) -> Piece | None:
    """The piece that comes next, if there is one."""
    return Piece.objects.waiting().filter(job=job).with_terms().order_by("number").first()


def begin(*, piece: Piece, before: Allocation, attempts: int, now: datetime) -> None:
    """Put `piece` in the place of the allocation before it, whose job waits; its hours are promised already."""
    contract, job = piece.contract, piece.job
    allocation = Allocation.objects.create(
        public_id=piece.public_id, job=job, offer=contract.offer, contract=contract, round=piece.round,
        units=contract.units, start=contract.start, end=contract.end, why=before.why, goes_on=not piece.is_last,
        created_at=now,
    )  # fmt: skip
    Attempt.objects.create(public_id=new_id("att"), job=job, allocation=allocation, number=attempts + 1, created_at=now)
    Piece.objects.filter(pk=piece.pk).update(begun_at=now)
    QueueEntry.objects.filter(job=job).delete()
    work = contract.units * ((contract.end - contract.start) // SECOND) * contract.offer.hardware.pf_milli
    count_promises(segment=job.segment, promised=[(job.buyer_id, work)], now=now)


def give_back(*, pieces: Iterable[Piece], now: datetime) -> bool:
    """Give back the hours of pieces that will not begin; whether there were any."""
    found = list(pieces)
    for piece in found:
        contract = piece.contract
        give_hours_back(offer=contract.offer, start=contract.start, end=contract.end, units=contract.units, now=now)
    Piece.objects.filter(pk__in=[piece.pk for piece in found]).update(released_at=now)
    return bool(found)


def told_of(job: Job, attempts: Sequence[Attempt]) -> list[dict[str, Any]]:
    """Its pieces in order, as rows {number, state, allocation or piece's contract}; none of a job that runs as one.

    `state` is over, now (it runs), next (it waits for its hours) or later.
    """
    ran = [each for each in attempts if each.reason == PIECE_OVER]
    waiting = list(Piece.objects.waiting().filter(job=job).with_terms().order_by("number")) if in_pieces(job) else []
    if not ran and not waiting:
        return []
    rows: list[Mapping[str, Any]] = [_row(each.allocation.contract, "over") for each in ran]
    if attempts and attempts[-1].state != "ended":
        rows.append(_row(attempts[-1].allocation.contract, "next" if attempts[-1].state == "pending" else "now"))
    rows += [_row(each.contract, "later") for each in waiting]
    return [{"number": number, **row} for number, row in enumerate(rows, start=1)]


def _row(contract: Any, state: str) -> dict[str, Any]:
    return {"state": state, "start": contract.start, "end": contract.end, "total_minor": contract.total_minor}
