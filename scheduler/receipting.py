"""What the market knows of a job or reservation whose energy is receipted, gathered once, when it has ended."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from marketplace.booking.models import Contract, Reservation
from marketplace.booking.settling import LAST_WORDS
from marketplace.booking.states import RESERVATION
from marketplace.booking.workrecord import record_of
from marketplace.catalog.models import Offer
from marketplace.common.errors import DomainError
from marketplace.energy.models import GreenReceipt, ReceiptStep, UseHour
from marketplace.energy.models.receipts import Step
from marketplace.energy.receipts.issuing import call_receipts, issue_provisional, put_off, steps_due
from marketplace.energy.receipts.payload import Work
from scheduler.models import Allocation, Attempt, Job
from scheduler.states import JOB


def subject_of(attempt: Attempt) -> str:
    """Under which public id the energy of an attempt is settled."""
    reservation = attempt.allocation.reservation
    return str(reservation.public_id if reservation else attempt.job.public_id)


def issue_receipts(*, now: datetime) -> list[GreenReceipt]:
    """Provisional receipts of what has ended; one that cannot be issued yet is put off."""
    _call_ended(now)
    issued = []
    for subject in steps_due(step=Step.PROVISIONAL, now=now):
        try:
            with transaction.atomic():
                work = work_of(subject)
                if work is not None:
                    issued.append(issue_provisional(work=work, now=now))
        except DomainError as error:
            put_off(subject=subject, error=error, now=now)
    return issued


def _call_ended(now: datetime) -> None:
    """Let the receipts of jobs and reservations that have ended be due; a reservation's agents have a last word."""
    open_steps = ReceiptStep.objects.filter(step=Step.PROVISIONAL, due_at=None).values("subject")
    jobs = Job.objects.filter(public_id__in=open_steps, state__in=JOB.final)
    over = ~Q(state="completed") | Q(end__lte=now - LAST_WORDS)
    reservations = Reservation.objects.filter(over, public_id__in=open_steps, state__in=RESERVATION.final)
    for rows in (jobs, reservations):
        call_receipts(subjects=list(rows.values_list("public_id", flat=True)), now=now)


def work_of(subject: str) -> Work | None:
    """The work behind a subject; None while it goes on."""
    job = Job.objects.filter(public_id=subject).select_related("buyer").first()
    if job is not None:
        return _of_job(job) if job.state in JOB.final else None
    reservation = Reservation.objects.filter(public_id=subject).with_terms().first()
    ended = reservation is not None and reservation.state in RESERVATION.final
    return _of_reservation(reservation) if reservation is not None and ended else None


def _of_job(job: Job) -> Work:
    allocations = list(_with_site(Allocation.objects.filter(job=job, reservation=None)))
    attempts = Attempt.objects.filter(job=job, started_at__isnull=False)
    spans = [(row.started_at, row.ended_at) for row in attempts if row.started_at and row.ended_at]
    return _work(
        job.public_id, "job", job.buyer, allocations,
        start=min((start for start, _ in spans), default=job.created_at),
        end=max((end for _, end in spans), default=job.finished_at or job.created_at),
        record=record_of([each.contract for each in allocations], shared=False, rounds=_rounds(allocations)),
    )  # fmt: skip


def _of_reservation(reservation: Reservation) -> Work:
    inside = list(_with_site(Allocation.objects.filter(reservation=reservation)))
    return _work(
        reservation.public_id, "reservation", reservation.buyer, inside or [reservation],
        start=reservation.start, end=reservation.end, record=record_of(_all_contracts(reservation), shared=True),
    )  # fmt: skip


def _all_contracts(reservation: Reservation) -> list[Contract]:
    return list(reservation.contracts)


def _with_site(allocations: Any) -> Any:
    return allocations.select_related(
        "contract", "round", "offer__hardware", "offer__site__point", "offer__site__zone", "offer__site__provider"
    ).order_by("pk")


def _rounds(allocations: Iterable[Allocation]) -> list[str]:
    return [each.round.public_id for each in allocations if each.round is not None]


def _work(
    subject: str, kind: str, buyer: Any, promised: Sequence[Any], *, start: datetime, end: datetime,
    record: dict[str, Any],
) -> Work:  # fmt: skip
    """`promised` are allocations or the reservation: whatever has an offer; places and equipment follow their order."""
    offers = {each.offer.site.point.code: each.offer for each in promised}
    uses = UseHour.objects.of_subject(subject).select_related("point")
    seconds: dict[str, int] = {}
    for use in uses:
        seconds[use.point.code] = seconds.get(use.point.code, 0) + use.unit_seconds
    return Work(
        subject=subject, kind=kind, buyer=buyer, start=start, end=end,
        places=[_place(offer) for offer in offers.values()],
        equipment=[_equipment(offer, seconds.get(code, 0)) for code, offer in offers.items()],
        record=record, sample=any(offer.sample or offer.site.sample for offer in offers.values()),
    )  # fmt: skip


def _place(offer: Offer) -> dict[str, Any]:
    site = offer.site
    return {
        "point": site.point.code,
        "provider": {"id": site.provider.public_id, "name": site.provider.name},
        "site": {"id": site.public_id, "name": site.name, "locality": site.locality},
        "country": site.country,
        "zone": site.zone.code,
        "boundary": site.zone.market_boundary or site.zone.code,
        "water_ml_per_kwh": site.point.water_ml_per_kwh,
    }


def _equipment(offer: Offer, unit_seconds: int) -> dict[str, Any]:
    hardware = offer.hardware
    return {
        "hardware": hardware.slug,
        "unit_seconds": unit_seconds,
        "embodied_kg": hardware.embodied_kg,
        "lifetime_h": hardware.lifetime_h,
        "units_per_node": hardware.units_per_node,
    }
