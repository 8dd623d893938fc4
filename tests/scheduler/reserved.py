"""Reservations for tests of the work inside them."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Organization
from marketplace.booking.models import CapacityDay, Reservation, ReservationDay
from marketplace.booking.services import advance_reservations, confirm, hold_units
from marketplace.catalog.models import Offer
from scheduler.attempts import end_attempt
from scheduler.jobfile import parse
from scheduler.models import Attempt, Job
from scheduler.services import Actor, submit_job
from tests.market import MONDAY

FILE = """\
name: {name}
run: echo hello
resources: {{cpus: {units}}}
config:
  joulemart:
    time_limit_s: {run_s}
    reservation: {reservation}
"""


def reserve(
    offer: Offer, buyer: Organization, *, units: int = 2, start: datetime, hours: int = 4, now: datetime = MONDAY,
    firm: bool = True,
) -> Reservation:  # fmt: skip
    """Units of `offer` from `start` on, confirmed, and active where they have begun."""
    held = hold_units(buyer=buyer, offer=offer, units=units, start=start, end=start + timedelta(hours=hours), now=now)
    if firm:
        confirm(reservation=held, now=now)
        advance_reservations(now=now)
    return Reservation.objects.with_terms().get(pk=held.pk)


def file_of(reservation: Reservation, *, name: str = "hello", units: int = 1, run_s: int = 600, more: str = "") -> str:
    return FILE.format(name=name, units=units, run_s=run_s, reservation=reservation.public_id) + more


def submit_inside(reservation: Reservation, *, now: datetime, buyer: Organization | None = None, **asked: Any) -> Job:
    """A job inside `reservation`, through the door that buyers use."""
    actor = Actor(organization=buyer or reservation.buyer)
    return submit_job(actor=actor, file=parse(file_of(reservation, **asked)), now=now)


def attempt_of(job: Job) -> Attempt:
    """Its last attempt with what an end needs."""
    return (
        Attempt.objects.with_terms()
        .select_related("allocation__reservation", "job__gang")
        .filter(job=job)
        .latest("number")
    )


def inside(reservation: Reservation, hour: datetime) -> tuple[int, int]:
    """(units held, units promised to work inside) in an hour."""
    row = ReservationDay.objects.get(reservation=reservation, day=hour.date())
    return row.units_total[hour.hour], row.units_promised[hour.hour]


def promised(offer: Offer, hour: datetime) -> int:
    """Units of the offer promised in an hour."""
    return CapacityDay.objects.get(offer=offer, day=hour.date()).units_promised[hour.hour]


def days_of(offer: Offer) -> list[list[int]]:
    """What is promised of the offer, day by day."""
    return list(CapacityDay.objects.filter(offer=offer).order_by("day").values_list("units_promised", flat=True))


def begin(job: Job, now: datetime) -> None:
    """As if an agent had claimed it and it ran."""
    attempt = attempt_of(job)
    Attempt.objects.filter(pk=attempt.pk).update(state="starting")
    Attempt.objects.filter(pk=attempt.pk).update(state="running", started_at=now)
    Job.objects.filter(pk=job.pk).update(state="starting", attempts_made=1)
    Job.objects.filter(pk=job.pk).update(state="running", started_at=now)


def end(job: Job, now: datetime, reason: str = "succeeded") -> Job:
    """Its attempt ends for `reason`."""
    return end_attempt(attempt=attempt_of(job), reason=reason, now=now)
