"""A job as the API and the pages show it."""

from datetime import datetime
from typing import Any

from marketplace.common.clock import rfc3339
from marketplace.energy.use import carbon_g
from scheduler.costs import Meter, meter_job, price_of_use
from scheduler.explaining import refusal_as_told, sentence_of
from scheduler.files import link
from scheduler.limits import limits_to_api
from scheduler.models import Allocation, Attempt, Job, QueueEntry
from scheduler.money import CEILING
from scheduler.pieces import told_of
from scheduler.states import PIECE_OVER
from scheduler.stopping import most_of, stops_after, with_the_stop
from scheduler.story import attempt_sentence, job_sentence


def job_as_json(job: Job, now: datetime) -> dict[str, Any]:
    """The whole job; `job` comes from `Job.objects.with_story()`, so this adds one query for its metered use."""
    attempts = list(job.attempts.all())
    meter = meter_job(attempts, now)
    pieces = [each | {"start": rfc3339(each["start"]), "end": rfc3339(each["end"])} for each in told_of(job, attempts)]
    later = sum(each["total_minor"] for each in pieces if each["state"] == "later")
    return job_summary(job, attempts) | {
        "retries": job.retries,
        "gang": {"id": job.gang.name, "size": job.gang.size} if job.gang else None,
        "reservation": job.reservation.public_id if job.reservation else None,
        "limits": limits_to_api(stated_limits(job)),
        "weights": dict(zip(("price", "latency", "green"), job.ask["weights"], strict=True)),
        "when": job.ask["when"],
        "near": job.ask["near"],
        "start_after": rfc3339(job.start_after),
        "finish_by": rfc3339(job.finish_by),
        "queue": queue_place(job, now),
        "unplaced": unplaced_as_json(job),
        "budget_stop": job.budget_stop,
        "allocation": _allocation(job, attempts),
        "pieces": pieces,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "usage": _usage(meter),
        "carbon": {"to_date_g": carbon_g(meter.carbon_ug), "cap_g": job.ask["limits"].get("carbon_cap_g")},
        "cost": _cost(job, attempts, meter, later),
        "inputs": [
            {"path": each.path, "size": each.upload.size, "sha256": each.upload.sha256} for each in job.inputs.all()
        ],
        "outputs": outputs_of(attempts),
    }


def job_summary(job: Job, attempts: list[Attempt]) -> dict[str, Any]:
    """What a row of the list shows."""
    last = attempts[-1] if attempts else None
    return {
        "object": "job",
        "id": job.public_id,
        "name": job.name,
        "state": job.state,
        "version": job.version,
        "sentence": job_sentence(job, attempts),
        "reason": job.reason or None,
        "units": job.units,
        "time_limit_s": job.time_limit_s,
        "currency": last.allocation.contract.currency if last else job.buyer.currency,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339(job.started_at),
        "finished_at": rfc3339(job.finished_at),
        "site": {"id": last.allocation.offer.site.public_id, "name": last.allocation.offer.site.name} if last else None,
    }


def stated_limits(job: Job) -> dict[str, Any]:
    """What its buyer asked for: the ceiling on its total only where it was stated, else it is just what is held."""
    limits = {name: limit for name, limit in job.ask["limits"].items() if job.budget_stated or name != CEILING}
    return limits | ({CEILING: job.ceiling_minor} if job.budget_stop else {})


def queue_place(job: Job, now: datetime) -> dict[str, Any] | None:
    """How many go before it, and since when it waits; None once it is allocated."""
    if job.state != "queued":
        return None
    ahead = Job.objects.ahead_inside(job) if job.reservation_id else QueueEntry.objects.before(job)
    return {
        "position": ahead.count() + 1,
        "waiting_s": max(0, int((now - job.created_at).total_seconds())),
    }


def unplaced_as_json(job: Job) -> dict[str, Any] | None:
    """Why the last round could not place it, with what would help."""
    return refusal_as_told(job.unplaced) if job.unplaced and job.state == "queued" else None


def outputs_of(attempts: list[Attempt]) -> list[dict[str, Any]]:
    """The stored outputs of the last attempt that has any, each with a signed link."""
    for attempt in reversed(attempts):
        stored = [artifact for artifact in attempt.artifacts.all() if artifact.stored_at]
        if stored:
            return [
                {
                    "id": each.public_id,
                    "path": each.path,
                    "size": each.size,
                    "sha256": each.sha256,
                    "url": link("get", each.public_id),
                }
                for each in stored
            ]
    return []


def _allocation(job: Job, attempts: list[Attempt]) -> dict[str, Any] | None:
    if not attempts:
        return None
    allocation, stops_after_s = attempts[-1].allocation, stops_after(job, attempts[-1])
    site, inside = allocation.offer.site, allocation.reservation is not None
    return {
        "id": allocation.public_id,
        "offer": {"id": allocation.offer.public_id, "title": allocation.offer.title},
        "site": {"id": site.public_id, "name": site.name, "zone": site.zone.code, "sample": site.sample},
        "start": rfc3339(allocation.start),
        "end": rfc3339(allocation.end),
        "units": allocation.units,
        "total_minor": _ceiling(allocation),
        "price_lines": [] if inside else allocation.contract.price_lines,
        "stops_after_s": stops_after_s,
        "sentence": with_the_stop(sentence_of(allocation), stops_after_s),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    ran = (attempt.ended_at - attempt.started_at).total_seconds() if attempt.started_at and attempt.ended_at else None
    offer = attempt.allocation.offer
    return {
        "id": attempt.public_id,
        "number": attempt.number,
        "state": attempt.state,
        "reason": attempt.reason or None,
        "message": attempt.message or None,
        "exit_code": attempt.exit_code,
        "progress": attempt.progress,
        "site": {"id": offer.site.public_id, "name": offer.site.name},
        "offer": {"id": offer.public_id, "title": offer.title},
        "created_at": rfc3339(attempt.created_at),
        "started_at": rfc3339(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at),
        "seconds": ran,
        "sentence": attempt_sentence(attempt),
    }


def _usage(meter: Meter) -> dict[str, Any]:
    return {
        "seconds": meter.seconds,
        "unit_seconds": meter.unit_seconds,
        "cpu_ms": meter.cpu_ms,
        "peak_memory_bytes": meter.peak_memory_bytes,
        "energy_wh": meter.energy_wh,
        "energy_method": meter.energy_method or None,
        "carbon_ug": meter.carbon_ug,
        "carbon_g": carbon_g(meter.carbon_ug),
        "renewable_share_ppm": meter.renewable_ppm,
        "quality": meter.quality or None,
    }


def _cost(job: Job, attempts: list[Attempt], meter: Meter, later: int) -> dict[str, Any]:
    """`later` is what the pieces that are still to come cost."""
    over = sum(each.allocation.contract.total_minor for each in attempts if each.reason == PIECE_OVER)
    allocation = attempts[-1].allocation if attempts else None
    return {
        "to_date_minor": meter.cost_minor,
        "ceiling_minor": most_of(job, over + _ceiling(allocation) + later) if allocation else None,
        "rate_mm_per_hour": _rate_mm(allocation) if allocation else None,
    }


def _ceiling(allocation: Allocation) -> int:
    """What full use costs: the contract's total, inside a reservation the part of its price."""
    if allocation.reservation is None:
        return allocation.contract.total_minor
    return price_of_use(allocation, allocation.start, allocation.end)


def _rate_mm(allocation: Allocation) -> int:
    contract = allocation.contract
    return (contract.rate_mm[0] + contract.electricity_mm) * allocation.units
