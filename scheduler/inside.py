"""Work inside reservations: placed first come, first served, on units that are the buyer's already.

No round looks at it: there is one offer, its price is frozen, and nobody else may have the units. Who comes first keeps
the hours it would take now from those behind it, so a large job waits for no endless row of small ones.

Lock order: reservation, jobs, hours of the reservation. An end of work locks its job and then the hours, so a
reservation is never locked by who has a job already: `wake_inside` asks for it, and the sweep finds what is left.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from marketplace.booking import services as booking
from marketplace.booking import settling
from marketplace.booking.changing import FIRM, extend, resize
from marketplace.booking.charging import Span
from marketplace.booking.errors import WorkInside
from marketplace.booking.hours import touched_hours
from marketplace.booking.models import Reservation, ServiceCredit
from marketplace.booking.reserved import free_inside, lock_reservation, take_inside
from marketplace.booking.states import RESERVATION
from marketplace.common.errors import FieldProblem, IllegalState, ValidationFailed
from marketplace.events.hints import publish_many
from marketplace.ledger.budgets import DIRECTLY, Through
from scheduler.admission import run_of
from scheduler.attempts import end_attempt, move_job
from scheduler.hints import wake_inside, wake_waiting
from scheduler.models import Allocation, Attempt, Job
from scheduler.moving import LOOK_AGAIN
from scheduler.preempting import MESSAGES, PROVIDER, lock_live
from scheduler.querysets import START_MARGIN
from scheduler.states import NOT_FIRM, RESERVATION_OVER, is_paid

NO_UNITS = "no_capacity"
SECOND = timedelta(seconds=1)


@transaction.atomic
def place_inside(*, reservation: str, now: datetime) -> int:
    """Give units of the reservation (its public id) to the jobs that wait inside it; how many were placed.

    Those that cannot end by its end any more, or whose reservation is over, expire.
    """
    held = Reservation.objects.with_terms().by_public_id(reservation)
    lock_reservation(held)
    free = free_inside(reservation=held)
    placed = 0
    for job in _in_turn(held, now):
        start, end = _span(job, held, now)
        if held.state not in RESERVATION.open or end > held.end:
            _end_waiting(job, held, now)
        elif job.finish_by is not None and end + START_MARGIN > job.finish_by:
            move_job(job, "expired", now=now)
        elif held.state not in FIRM:
            _put_off(job, NOT_FIRM, now)
        elif _claim(free, start, end, job.units):
            _give(job, held, start, end, now)
            placed += 1
        else:
            _put_off(job, NO_UNITS, now)
    return placed


def _in_turn(held: Reservation, now: datetime) -> list[Job]:
    """The jobs that wait inside, locked, those that came first ahead; who waits out a grace is left alone."""
    ready = Q(next_attempt_at__lte=now) | Q(unplaced__isnull=False)
    waiting = Job.objects.filter(ready, reservation=held, state="queued", cancel_requested_at=None)
    return sorted(waiting.unlocked_in_turn().select_related("buyer", "gang"), key=lambda job: (job.due_at, job.pk))


def _span(job: Job, held: Reservation, now: datetime) -> tuple[datetime, datetime]:
    """[start, end) of the job if it is placed now."""
    start = max(now, held.start, job.start_after or now)
    return start, start + run_of(job.ask, held.offer.hardware)


def _claim(free: dict[tuple[date, int], int], start: datetime, end: datetime, units: int) -> bool:
    """Take the hours out of `free`; whether all of them were there."""
    hours = [(hour.date(), hour.hour) for hour, _ in touched_hours(start, end)]
    for hour in hours:
        free[hour] = free.get(hour, 0) - units
    return all(free[hour] >= 0 for hour in hours)


def _give(job: Job, held: Reservation, start: datetime, end: datetime, now: datetime) -> None:
    take_inside(reservation=held, start=start, end=end, units=job.units)
    allocation = Allocation.objects.create(
        job=job, offer=held.offer, contract=held.contract, reservation=held, units=job.units, start=start, end=end,
        why={"sentence": f"It runs inside reservation {held.public_id}."}, created_at=now,
    )  # fmt: skip
    Attempt.objects.create(job=job, allocation=allocation, number=job.attempts.count() + 1, created_at=now)
    provider, site = held.offer.site.provider, held.offer.site.public_id
    move_job(job, "allocated", now=now, provider=provider, unplaced=None, next_attempt_at=None)
    transaction.on_commit(lambda: publish_many([(site, "work")]))


def _put_off(job: Job, code: str, now: datetime) -> None:
    """Say why it waits, and look again a little later in any case."""
    told = {"code": code, "rejected": {}, "relax": []}
    waiting = Job.objects.filter(pk=job.pk).exclude(unplaced=told, next_attempt_at__gt=now)
    waiting.update(unplaced=told, next_attempt_at=now + LOOK_AGAIN)


def _end_waiting(job: Job, held: Reservation, now: datetime) -> None:
    """Its reservation ended, or will before the job could: it goes as that went."""
    gone = "cancelled" if held.state in {"cancelled", "failed"} else "expired"
    move_job(job, gone, now=now, reason=RESERVATION_OVER)


def follow_reservations(*, now: datetime) -> int:
    """Look after every reservation inside which a job waits; how many were placed."""
    waiting = Job.objects.filter(state="queued", reservation__isnull=False).order_by("reservation_id")
    named = list(waiting.values_list("reservation__public_id", flat=True).distinct())
    return sum(place_inside(reservation=each, now=now) for each in named)


@transaction.atomic
def extend_reservation(
    *, reservation: Reservation, hours: int, now: datetime, shown_minor: int | None = None, through: Through = DIRECTLY
) -> Reservation:
    """Give a reservation the next hours, as `changing.extend` does; jobs inside may use them at once."""
    extend(reservation=reservation, hours=hours, now=now, shown_minor=shown_minor, through=through)
    wake_inside(reservation.public_id)
    return reservation


@transaction.atomic
def resize_reservation(
    *, reservation: Reservation, units: int, now: datetime, shown_minor: int | None = None, through: Through = DIRECTLY
) -> Reservation:
    """Give a reservation more or fewer units, as `changing.resize` does; jobs inside may use them at once."""
    resize(reservation=reservation, units=units, now=now, shown_minor=shown_minor, through=through)
    wake_inside(reservation.public_id)
    wake_waiting()
    return reservation


@transaction.atomic
def cancel_reservation(*, reservation: Reservation, now: datetime) -> Reservation:
    """End a reservation that has not begun with the jobs inside it, and return its hours.

    Raises WorkInside when one of them has begun or is changing right now, IllegalState.
    """
    lock_reservation(reservation)
    RESERVATION.check(reservation.state, "cancelled")
    for attempt in lock_live(Attempt.objects.open().filter(job__reservation=reservation)):
        if attempt.state != "pending":
            raise WorkInside(reservation=reservation.public_id)
        end_attempt(attempt=attempt, reason="cancelled", now=now, message="its reservation was cancelled")
    cancelled = booking.cancel(reservation=reservation, now=now)
    wake_waiting()
    for job in _in_turn(reservation, now):
        _end_waiting(job, cancelled, now)
    return cancelled


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What giving a reservation up comes to, in minor units: back to its buyer, credited, and the provider's part."""

    refund_minor: int
    credit_minor: int
    provider_minor: int
    jobs: int


@transaction.atomic
def give_up_reservation(
    *, reservation: Reservation, reason: str, now: datetime, shown_minor: int | None = None
) -> GivenUp:  # fmt: skip
    """The provider cannot keep a firm reservation: the jobs inside end unpaid, hours and money go back with a credit.

    `shown_minor` is the most that the provider agreed to owe for it. Raises ValidationFailed when it comes to more or
    the reason is unknown, IllegalState, WorkInside when a job inside is changing right now.
    """
    lock_reservation(reservation)
    RESERVATION.check(reservation.state, "failed")
    if reservation.end <= now:
        raise IllegalState("its last hour is over: it was kept", id=reservation.public_id)
    live = lock_live(Attempt.objects.open().filter(job__reservation=reservation))
    for attempt in live:
        attempt.preempt_cause = PROVIDER
        attempt.save(update_fields=["preempt_cause"])
        end_attempt(attempt=attempt, reason="preempted", now=now, message=MESSAGES[PROVIDER])
    left = sum(hold.rest for _, hold in settling.holds_of(reservation))
    failed = booking.fail(reservation=reservation, now=now, reason=reason, lost=_lost(live, now))
    waiting = _in_turn(reservation, now)
    for job in waiting:
        _end_waiting(job, failed, now)
    credits_ = ServiceCredit.objects.filter(contract__in=reservation.contracts, subject__in=_subjects(reservation))
    owed = sum(each.provider_minor for each in credits_)
    if shown_minor is not None and owed > shown_minor:
        raise ValidationFailed([FieldProblem("/provider_minor", "bad_value", f"it is {owed} by now", str(owed))])
    return GivenUp(left, sum(each.amount_minor for each in credits_), owed, len(waiting))


def _subjects(reservation: Reservation) -> list[str]:
    return [each.subject for each in reservation.contracts]


def _lost(attempts: list[Attempt], now: datetime) -> list[Span]:
    """What ran until now and is not paid."""
    ran = [(each, each.started_at) for each in attempts if each.started_at is not None]
    return [
        Span(start, now, each.allocation.units)
        for each, start in ran
        if start < now and not is_paid("preempted", tier=each.allocation.offer.tier, ran_s=(now - start) // SECOND)
    ]
