"""What a buyer can do with a job: submit, cancel, relax, retry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_datetime

from accounts.models import ApiKey, Organization, User
from marketplace.common.errors import FieldProblem, IllegalState, NotFound, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import record
from scheduler.admission import check_inside, reservation_of
from scheduler.asks import seconds
from scheduler.attempts import end_attempt, move_job
from scheduler.core.fairness import patience_s
from scheduler.core.types import START_MARGIN_S
from scheduler.errors import NeverFits
from scheduler.fairness import enter, read_overs
from scheduler.files import check_path
from scheduler.gangs import complete, join
from scheduler.hints import wake, wake_inside
from scheduler.inside import place_inside
from scheduler.jobfile import JobFile, parse_tree
from scheduler.jobview import job_as_json
from scheduler.models import Gang, Job, JobInput, Upload
from scheduler.money import CEILING, hold_anew, hold_ceiling, may_cost, settle_job, tested
from scheduler.planning import Prospect, plan_of, prospect_of
from scheduler.requests import StoredAsk, ask_from_file, spec_from_file
from scheduler.shards import start_of
from scheduler.states import JOB

PLANNED = (
    "object", "name", "units", "time_limit_s", "currency", "limits", "budget_stop", "weights", "when", "near",
    "reservation", "unplaced", "cost",
)  # fmt: skip
OWN_LIMITS = frozenset({"units", "start_after", "finish_by"})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the organization, and the person or key that acts for it."""

    organization: Organization
    user: User | None = None
    api_key: ApiKey | None = None


@transaction.atomic
def submit_job(
    *,
    actor: Actor,
    file: JobFile,
    now: datetime,
    inputs: Sequence[tuple[str, Upload]] = (),
) -> Job:
    """Queue a job and wake the matcher; one that names a reservation is placed inside it at once, if it can be.

    Raises ValidationFailed, NotFound for a reservation that is not the buyer's, NeverFits when no offer could ever take
    the job, InsufficientFunds, BudgetExceeded and WalletFrozen when the most that it may cost cannot be held; nothing
    is written then.
    """
    ask = ask_from_file(file, currency=actor.organization.currency)
    _check_inputs(file, inputs)
    _check_window(file, now)
    place = (_place_inside if file.ask.reservation else _place_in_market)(actor.organization, file, ask, now)
    job = Job.objects.create(
        public_id=new_id("job"), buyer=actor.organization, created_by=actor.user, api_key=actor.api_key,
        name=file.name, file=dict(file.tree), spec=spec_from_file(file), units=ask.units,
        time_limit_s=ask.run_s, retries=file.ask.retries, start_after=file.ask.start_after,
        finish_by=file.ask.finish_by, next_attempt_at=now, created_at=now, **place,
    )  # fmt: skip
    if job.gang is not None:
        complete(job.gang, now)
    hold_ceiling(job=job, now=now)
    JobInput.objects.bulk_create(JobInput(job=job, upload=upload, path=path) for path, upload in inputs)
    record("job.queued", object_id=job.public_id, seq=job.version, now=now, state="queued", buyer=job.buyer)
    if job.reservation is None:
        wake(job.shard.name)
    else:
        place_inside(reservation=job.reservation.public_id, now=now)
        job.refresh_from_db()
    return job


def _place_in_market(buyer: Organization, file: JobFile, ask: StoredAsk, now: datetime) -> dict[str, Any]:
    """Where a job waits for a round, in columns of its row. Raises NeverFits, ValidationFailed."""
    gang = _gang_of(buyer, file, ask.segment, now)
    prospect = prospect_of(ask=ask, now=now, start_after=file.ask.start_after, finish_by=file.ask.finish_by)
    if prospect.never is not None:
        raise NeverFits(rejected=prospect.never["rejected"], relax=prospect.never["relax"])
    ceiling = file.ask.max_total_minor if file.ask.max_total_minor is not None else prospect.dearest_minor
    due_at = _due_at(buyer, ask.segment, start_after=file.ask.start_after, now=now)
    return {
        "segment": ask.segment, "gang": gang, "due_at": due_at, "ceiling_minor": ceiling,
        "budget_stated": file.ask.max_total_minor is not None, "budget_stop": file.ask.budget_stop,
        "ask": ask.relaxed({CEILING: tested(ceiling, stop=file.ask.budget_stop)}).as_json(),
        **start_of(prospect.groups),
    }  # fmt: skip


def _place_inside(buyer: Organization, file: JobFile, ask: StoredAsk, now: datetime) -> dict[str, Any]:
    """The same of a job inside a reservation, where who comes first goes first; its hours are paid for."""
    held = reservation_of(buyer=buyer, file=file, ask=ask, now=now)
    return {"segment": held.offer.hardware.family, "reservation": held, "due_at": now, "ask": ask.as_json()}


def _gang_of(buyer: Organization, file: JobFile, segment: str, now: datetime) -> Gang | None:
    name, size = file.ask.gang_id, file.ask.gang_size
    return join(buyer=buyer, name=name, size=size, segment=segment, now=now) if name else None


def _due_at(buyer: Organization, segment: str, *, start_after: datetime | None, now: datetime) -> datetime:
    """When a job submitted now goes before every bid; it stays so however often the job is queued again."""
    enter(segment=segment, organization=buyer.pk, now=now)
    over = read_overs(segment=segment, buyers=[buyer.pk], now=now)[buyer.pk]
    return max(now, start_after or now) + timedelta(seconds=patience_s(over))


def _check_inputs(file: JobFile, inputs: Sequence[tuple[str, Upload]]) -> None:
    for number, (path, _) in enumerate(inputs):
        check_path(path, f"/inputs/{number}/path")
    if file.workdir and not inputs:
        detail = "a workdir names files on your machine, which the API cannot read"
        hint = "submit with the joulemart command, which uploads them, or send `inputs`"
        raise ValidationFailed([FieldProblem("/workdir", "job_field_unsupported", detail, hint)])


def _check_window(file: JobFile, now: datetime) -> None:
    ask = file.ask
    if ask.finish_by is None:
        return
    start = max(now, ask.start_after or now)
    if seconds(ask.finish_by) - START_MARGIN_S - ask.time_limit_s < seconds(start):
        detail = f"the window ends before a run of {ask.time_limit_s} s could finish"
        hint = f"at least {ask.time_limit_s + START_MARGIN_S} s after the start, or a smaller time_limit_s"
        raise ValidationFailed([FieldProblem("/config/joulemart/finish_by", "bad_value", detail, hint)])


def plan_job(*, actor: Actor, file: JobFile, now: datetime) -> dict[str, Any]:
    """What submitting the file now would come to, with no trace left; its `workdir` need not have been sent yet.

    Raises as a submission would, but for NeverFits, which is told.
    """
    if not file.ask.reservation:
        return plan_of(file=file, organization=actor.organization, now=now)
    with transaction.atomic():
        job = submit_job(actor=actor, file=replace(file, workdir=None), now=now)
        view = job_as_json(Job.objects.with_story().get(pk=job.pk), now)
        transaction.set_rollback(True)
    allocation = view["allocation"] and view["allocation"] | {"id": None, "why": None, "in_pieces": None}
    planned = {"id": None, "state": "planned", "allocation": allocation, "report": file.report_as_json()}
    return {name: view[name] for name in PLANNED} | planned


@transaction.atomic
def cancel_job(*, job: Job, now: datetime) -> Job:
    """Stop a job. What has not started ends at once; what runs is told at its agent's next heartbeat.

    A second cancellation changes nothing. Raises IllegalState when the job has ended otherwise.
    """
    job = _locked(job)
    if job.state == "cancelled" or (job.cancel_requested_at and job.state in JOB.open):
        return job
    if job.state in JOB.final:
        raise IllegalState(f"this job has already ended: {job.state}", state=job.state)
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=now)
    job.cancel_requested_at = now
    if job.state == "queued":
        move_job(job, "cancelled", now=now, reason="cancelled")
        settle_job(job=job, now=now)
    elif job.state == "allocated":
        attempt = job.attempts.select_related("allocation__offer__site__provider", "job__buyer").get(ended_at=None)
        attempt.job = job
        end_attempt(attempt=attempt, reason="cancelled", now=now, message="cancelled before it started")
    return job


@transaction.atomic
def relax_job(*, job: Job, limits: Mapping[str, Any], now: datetime) -> Job:
    """Change limits of a waiting job (None drops one) and let the matcher look again.

    Raises IllegalState, ValidationFailed.
    """
    job = _locked(job)
    if job.state != "queued":
        raise IllegalState(f"only a waiting job can be relaxed; this one is {job.state}", state=job.state)
    own, rest = _own_limits(limits), {name: value for name, value in limits.items() if name not in OWN_LIMITS}
    check_inside(job, limits=rest, units=own.get("units", job.units), start_after=own.get("start_after"))
    stored = StoredAsk.from_json(job.ask).relaxed(rest)
    stored = replace(stored, units=own.get("units", stored.units))
    window = {"start_after": own.get("start_after", job.start_after), "finish_by": own.get("finish_by", job.finish_by)}
    way: dict[str, Any] = {}
    if job.reservation is None:
        prospect = prospect_of(ask=stored.relaxed({CEILING: None}), now=now, **window)
        way = start_of(prospect.groups) if job.region_group and not job.gang_id else {}
        way |= _new_budget(job, limits, prospect)
        stored = stored.relaxed({CEILING: tested(way["ceiling_minor"], stop=way["budget_stop"])})
    changed = Job.objects.filter(pk=job.pk, version=job.version)
    changed.update(ask=stored.as_json(), unplaced=None, next_attempt_at=now, version=job.version + 1, **own, **way)
    job.refresh_from_db()
    record(
        "job.relaxed", object_id=job.public_id, seq=job.version, now=now, state=job.state,
        buyer=job.buyer, facts={"limits": dict(limits)},
    )  # fmt: skip
    if job.reservation is None:
        hold_anew(job=job, ceiling=may_cost(job), now=now)
        wake(job.shard.name)
    else:
        wake_inside(job.reservation.public_id)
    return job


def _new_budget(job: Job, limits: Mapping[str, Any], prospect: Prospect) -> dict[str, Any]:
    """What the job may cost with these limits, in columns of its row. Raises ValidationFailed."""
    stated = limits[CEILING] is not None if CEILING in limits else job.budget_stated
    ceiling = _new_ceiling(job, limits, prospect)
    if job.budget_stop and stated and not ceiling:
        detail = "a job that stops by its budget needs one"
        raise ValidationFailed([FieldProblem(f"/limits/{CEILING}", "bad_value", detail, "null")])
    return {"ceiling_minor": ceiling, "budget_stated": stated, "budget_stop": job.budget_stop and stated}


def _new_ceiling(job: Job, limits: Mapping[str, Any], prospect: Prospect) -> int:
    """What the job may cost with these limits: what its buyer says, else the most that an offer that fits now costs."""
    if limits.get(CEILING) is not None:
        return int(limits[CEILING])
    if CEILING in limits:
        return prospect.dearest_minor
    if job.budget_stop:
        return job.ceiling_minor or 0
    kept: int = job.ask["limits"].get(CEILING, 0)
    return kept if job.budget_stated else max(kept, prospect.dearest_minor)


def _own_limits(limits: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that are columns of the job: its units and its window. Raises ValidationFailed."""
    found: dict[str, Any] = {}
    for name in OWN_LIMITS & set(limits):
        value, pointer = limits[name], f"/limits/{name}"
        if name == "units":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValidationFailed([FieldProblem(pointer, "bad_value", "must be a whole number from 1", "1")])
            found[name] = value
        elif value is None:
            found[name] = None
        else:
            moment = parse_datetime(str(value))
            if moment is None or moment.tzinfo is None:
                detail = "must be a time with its offset from UTC"
                raise ValidationFailed([FieldProblem(pointer, "bad_value", detail, "2026-11-24T18:00:00Z")])
            found[name] = moment
    return found


@transaction.atomic
def retry_job(*, job: Job, actor: Actor, now: datetime) -> Job:
    """Submit an ended job again as a new job. Raises IllegalState while it is open."""
    if job.state in JOB.open:
        raise IllegalState(f"this job has not ended: {job.state}", state=job.state)
    inputs = [(each.path, each.upload) for each in job.inputs.select_related("upload")]
    return submit_job(actor=actor, file=parse_tree(job.file), now=now, inputs=inputs)


def expire_jobs(*, now: datetime) -> int:
    """End queued jobs whose window has passed; the number ended."""
    ended = 0
    for key in list(Job.objects.window_over(now).values_list("pk", flat=True)):
        with transaction.atomic():
            job = Job.objects.window_over(now).select_for_update(skip_locked=True, of=("self",)).filter(pk=key).first()
            if job is not None:
                move_job(job, "expired", now=now, reason="")
                settle_job(job=job, now=now)
                ended += 1
    return ended


def uploads_of(*, organization: Organization, named: Sequence[Mapping[str, str]]) -> list[tuple[str, Upload]]:
    """[(path, upload)] of `[{path, upload}]`. Raises NotFound for another's upload, ValidationFailed for a repeat."""
    found = {
        each.public_id: each
        for each in Upload.objects.filter(owner=organization, public_id__in=[n["upload"] for n in named])
    }
    paths: set[str] = set()
    result = []
    for number, each in enumerate(named):
        if each["upload"] not in found:
            raise NotFound(f"no upload {each['upload']}", hint="send the file to /api/v1/uploads first")
        if each["path"] in paths:
            raise ValidationFailed([FieldProblem(f"/inputs/{number}/path", "bad_value", f"{each['path']} comes twice")])
        paths.add(each["path"])
        result.append((each["path"], found[each["upload"]]))
    return result


def _locked(job: Job) -> Job:
    return (
        Job.objects.select_for_update(of=("self",))
        .select_related("buyer", "reservation__offer__hardware")
        .get(pk=job.pk)
    )
