"""A reservation becomes longer, larger or smaller. What is added has a contract of its own, at the price of that day.

Each change is one transaction: hours taken from the offer, contract, units of the reservation and event, or nothing.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from marketplace.booking import settling
from marketplace.booking.charging import Span
from marketplace.booking.contracts import freeze_terms, price_of
from marketplace.booking.errors import CapacityTaken
from marketplace.booking.greenpromises import promise_of
from marketplace.booking.hours import hours_by_day
from marketplace.booking.models import Contract, Reservation, ReservationChange
from marketplace.booking.reserved import hold_less, hold_more, lock_reservation
from marketplace.booking.services import return_hours, take_hours
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_ceil, rfc3339
from marketplace.common.errors import FieldProblem, IllegalState, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import record
from marketplace.ledger.budgets import DIRECTLY, Through

FIRM = ("confirmed", "active")
MOST_HOURS, MOST_UNITS = 168, 100_000


@transaction.atomic
def extend(
    *, reservation: Reservation, hours: int, now: datetime, shown_minor: int | None = None, through: Through = DIRECTLY
) -> Reservation:
    """Give a reservation the next `hours` on the same offer, with the units it has, at today's price.

    `shown_minor` is the price that was agreed to. Raises ValidationFailed when it is another by now or for hours out of
    range, CapacityTaken when an hour lacks the units, IllegalState for a reservation that is not firm.
    """
    _within(hours, MOST_HOURS, "/hours")
    _lock_firm(reservation, now)
    span = Span(reservation.end, reservation.end + hours * HOUR, reservation.units)
    # The hour that the reservation ends in is its own already.
    contract = _buy(reservation, span, first=hour_ceil(span.start), now=now, shown=shown_minor)
    settling.pay(contract=contract, now=now, through=through)
    _write(reservation, now, "extended", {"hours": hours, "end": rfc3339(span.end)}, end=span.end)
    return reservation


@transaction.atomic
def resize(
    *, reservation: Reservation, units: int, now: datetime, shown_minor: int | None = None, through: Through = DIRECTLY
) -> Reservation:
    """Let a reservation have `units` in every hour that has not begun.

    More are bought at today's price; fewer go back to the offer. Raises as `extend` does, WorkInside when jobs inside
    need what was to go back.
    """
    _within(units, MOST_UNITS, "/units")
    _lock_firm(reservation, now)
    first, more = first_open_hour(reservation, now), units - reservation.units
    if not more:
        raise ValidationFailed([FieldProblem("/units", "bad_value", f"it has {units} units already")])
    if first >= reservation.end:
        raise IllegalState("the last hour of this reservation has begun", end=rfc3339(reservation.end))
    if more > 0:
        _refuse_promised(reservation)
        contract = _buy(reservation, Span(first, reservation.end, more), first=first, now=now, shown=shown_minor)
        settling.pay(contract=contract, now=now, through=through)
    else:
        _give(reservation, units=-more, first=first, now=now)
    _write(reservation, now, "resized", {"units": units, "from": rfc3339(first)}, units=units)
    return reservation


def _refuse_promised(reservation: Reservation) -> None:
    """A green promise is of the units that it was made for. Raises IllegalState."""
    promise = promise_of(reservation)
    if promise is not None:
        raise IllegalState(
            f"{promise.promised_percent} % of this reservation's energy is promised for the units that it has",
            hint="reserve the other units beside it", promise=promise.public_id,
        )  # fmt: skip


def first_open_hour(reservation: Reservation, now: datetime) -> datetime:
    """From when on the number of units may change: the first hour that has not begun."""
    return max(reservation.start, hour_ceil(now))


def _within(number: int, most: int, pointer: str) -> None:
    if not 1 <= number <= most:
        hint = str(min(max(number, 1), most))
        raise ValidationFailed([FieldProblem(pointer, "bad_value", f"must be from 1 to {most}", hint)])


def _lock_firm(reservation: Reservation, now: datetime) -> None:
    """Raises IllegalState for what is only held, or over."""
    lock_reservation(reservation)
    if reservation.state not in FIRM or reservation.end <= now:
        raise IllegalState(f"only a firm reservation changes; this one is {reservation.state}", state=reservation.state)


def _buy(reservation: Reservation, span: Span, *, first: datetime, now: datetime, shown: int | None) -> Contract:
    """Take the hours of `span` from `first` on from the offer and freeze the price of the span."""
    offer = Offer.objects.with_shelf().live().filter(pk=reservation.offer_id).first()
    if offer is None:
        raise CapacityTaken(offer=reservation.offer.public_id, units=span.units)
    _, total = price_of(offer, span.units, span.start, span.end)
    if shown is not None and shown != total:
        raise ValidationFailed([FieldProblem("/total_minor", "bad_value", f"the price is {total} by now", str(total))])
    hours = hours_by_day(first, span.end, span.units)
    take_hours(offer=offer, wanted=hours, units=span.units)
    hold_more(reservation=reservation, hours=hours)
    public_id = new_id("rch")
    contract = freeze_terms(
        subject=public_id, buyer=reservation.buyer, offer=offer, units=span.units, start=span.start, end=span.end,
        now=now,
    )  # fmt: skip
    ReservationChange.objects.create(
        public_id=public_id, reservation=reservation, contract=contract, units=span.units, start=first, end=span.end,
        created_at=now,
    )  # fmt: skip
    return contract


def _give(reservation: Reservation, *, units: int, first: datetime, now: datetime) -> None:
    """Return `units` to the offer from `first` on, and what is held for them as far as it is not due."""
    idle_bp = settling.agreed_bp(reservation, settling.sold_share_bp(reservation.offer, now))
    hours = hours_by_day(first, reservation.end, units)
    hold_less(reservation=reservation, hours=hours)
    return_hours(offer=reservation.offer, hours=hours)
    ReservationChange.objects.create(
        reservation=reservation, units=-units, start=first, end=reservation.end, idle_bp=idle_bp, created_at=now
    )
    settling.release_returned(reservation=reservation, now=now)


def _write(reservation: Reservation, now: datetime, what: str, facts: dict[str, Any], **fields: Any) -> None:
    """Say so on the row, whose lock is ours, and in the journal."""
    changes = fields | {"version": reservation.version + 1}
    Reservation.objects.filter(pk=reservation.pk).update(**changes)
    for name, value in changes.items():
        setattr(reservation, name, value)
    record(
        f"reservation.{what}", object_id=reservation.public_id, seq=reservation.version, now=now,
        state=reservation.state, buyer=reservation.buyer, provider=reservation.offer.site.provider, facts=facts,
    )  # fmt: skip
