"""Promises are made, confirmed and given back here, and nowhere else."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.booking import settling
from marketplace.booking.charging import Span
from marketplace.booking.contracts import freeze_terms
from marketplace.booking.errors import CapacityTaken, QuoteExpired, WorkInside
from marketplace.booking.hours import HOURS_OF_DAY, hours_by_day
from marketplace.booking.models import CapacityDay, Quote, Reservation
from marketplace.booking.pricing import PriceLine
from marketplace.booking.reserved import held_from, hold_less, hold_more, lock_reservation
from marketplace.booking.states import GIVE_UP_REASONS, RESERVATION
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor
from marketplace.common.errors import FieldProblem, IllegalState, NotFound, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.energy.promising import withdraw_promise
from marketplace.events.services import move, record
from marketplace.ledger.budgets import DIRECTLY, Through


def take_hours(*, offer: Offer, wanted: Mapping[date, list[int]], units: int) -> None:
    """Promise the hours of `wanted`, rows in key order; raises CapacityTaken (the caller's transaction rolls back).

    Of a twin only what the interruptible offer on its machines has not promised.
    """
    for row in lock_shared(offer=offer, days=wanted):
        left = zip(row.units_total, row.units_promised, wanted[row.day], strict=True)
        if row.offer.twin_id == offer.pk and any(total - promised < hour for total, promised, hour in left):
            raise CapacityTaken(offer=offer.public_id, units=units)
    days = list(CapacityDay.objects.of_offer(offer, wanted).order_by("pk"))
    taken = (CapacityDay.objects.filter(pk=row.pk).take(wanted[row.day]) for row in days)
    if len(days) < len(wanted) or not all(taken):
        raise CapacityTaken(offer=offer.public_id, units=units)


def lock_shared(*, offer: Offer, days: Iterable[date]) -> list[CapacityDay]:
    """Lock the days of an offer that shares its machines and those of the other offer, in key order; all of them.

    A promise of one writes the day of the other (`capacity_follows_twin`). None for an offer that shares nothing.
    """
    if not Offer.objects.sharing_with(offer).exists():
        return []
    rows = CapacityDay.objects.on_machines_of(offer).filter(day__in=list(days)).order_by("pk")
    return list(rows.select_for_update(of=("self",)).select_related("offer"))


def give_hours_back(*, offer: Offer, start: datetime, end: datetime, units: int, now: datetime) -> None:
    """Return the units of every promised hour of [start, end) that has not passed, the running hour included."""
    if end > hour_floor(now):
        return_hours(offer=offer, hours=hours_by_day(max(start, hour_floor(now)), end, units))


def return_hours(*, offer: Offer, hours: Mapping[date, list[int]]) -> None:
    """Return these units of these hours to the offer, rows in key order."""
    lock_shared(offer=offer, days=hours)
    for row in CapacityDay.objects.of_offer(offer, hours).order_by("pk"):
        if not CapacityDay.objects.filter(pk=row.pk).give_back(hours[row.day]):
            raise IllegalState(f"more units of offer {offer.public_id} came back than were promised", day=str(row.day))


@transaction.atomic
def hold_units(
    *,
    buyer: Organization,
    offer: Offer,
    units: int,
    start: datetime,
    end: datetime,
    now: datetime,
    expires_at: datetime | None = None,
    quote: Quote | None = None,
    quoted: Sequence[PriceLine] = (),
) -> Reservation:
    """Promise `units` in every hour of [start, end) to `buyer`, or promise nothing.

    The reservation is `held` until `expires_at` (ten minutes from now). Raises CapacityTaken when an hour lacks them.
    """
    public_id = new_id("rsv")
    hours = hours_by_day(start, end, units)
    take_hours(offer=offer, wanted=hours, units=units)
    contract = freeze_terms(
        subject=public_id, buyer=buyer, offer=offer, units=units, start=start, end=end, now=now, quoted=quoted
    )
    reservation = Reservation.objects.create(
        public_id=public_id, buyer=buyer, offer=offer, quote=quote, contract=contract, units=units,
        start=start, end=end, expires_at=expires_at or now + settings.HOLD_FOR, created_at=now,
    )  # fmt: skip
    hold_more(reservation=reservation, hours=hours)
    record(
        "reservation.held", object_id=public_id, seq=reservation.version, now=now,
        state="held", buyer=buyer, provider=offer.site.provider,
    )  # fmt: skip
    return reservation


@transaction.atomic
def hold_option(*, quote: Quote, option: int, now: datetime) -> Reservation:
    """Hold option `option` (its rank, from 1) of a quote until the quote expires.

    Raises QuoteExpired, NotFound for a rank that the quote lacks, CapacityTaken.
    """
    if quote.expires_at <= now:
        raise QuoteExpired(quote=quote.public_id)
    chosen = next((each for each in quote.options if each["rank"] == option), None)
    if chosen is None:
        raise NotFound(f"quote {quote.public_id} has no option {option}", hint=f"1 to {len(quote.options)}")
    offer = Offer.objects.with_shelf().live().filter(public_id=chosen["offer"]["id"]).first()
    if offer is None:
        raise CapacityTaken(offer=chosen["offer"]["id"], units=chosen["units"])
    return hold_units(
        buyer=quote.buyer, offer=offer, units=chosen["units"], quote=quote, now=now, expires_at=quote.expires_at,
        start=datetime.fromisoformat(chosen["start"]), end=datetime.fromisoformat(chosen["end"]),
        quoted=[PriceLine(**line) for line in chosen["price_lines"]],
    )  # fmt: skip


@transaction.atomic
def confirm(*, reservation: Reservation, now: datetime, through: Through = DIRECTLY) -> Reservation:
    """Make a held reservation firm and hold its whole price.

    Raises QuoteExpired once its time is over, IllegalState for any other state, InsufficientFunds when the wallet
    cannot pay, BudgetExceeded: it stays held then, as long as its quote lasts, so that its buyer may top up.
    """
    lock_reservation(reservation)
    if reservation.state == "held" and reservation.expires_at and reservation.expires_at <= now:
        raise QuoteExpired(quote=reservation.quote.public_id if reservation.quote else reservation.public_id)
    _move(reservation, "confirmed", now=now)
    settling.pay(contract=reservation.contract, now=now, through=through)
    return reservation


@transaction.atomic
def cancel(*, reservation: Reservation, now: datetime, reason: str = "buyer") -> Reservation:
    """End a held or confirmed reservation and return its hours and its money, as the contract says, together.

    Raises WorkInside while jobs inside have units; `scheduler.inside.cancel_reservation` ends them first.
    """
    lock_reservation(reservation)
    _end(reservation, "cancelled", now=now, reason=reason)
    free = now < settling.free_until(reservation.contract)
    settling.settle(reservation=reservation, now=now, free=free)
    return reservation


@transaction.atomic
def fail(
    *, reservation: Reservation, now: datetime, reason: str, lost: Sequence[Span] = ()
) -> Reservation:  # fmt: skip
    """The provider cannot keep a confirmed or running reservation: hours and money go back, and a credit is given.

    `lost` is use inside it until now that came to nothing. Raises ValidationFailed for an unknown reason, WorkInside;
    `scheduler.inside.give_up_reservation` ends the jobs inside first.
    """
    if reason not in GIVE_UP_REASONS:
        hint = ", ".join(GIVE_UP_REASONS)
        raise ValidationFailed([FieldProblem("/reason", "bad_value", f"{reason} is no reason", hint)])
    lock_reservation(reservation)
    _end(reservation, "failed", now=now, reason=reason)
    settling.settle_failed(reservation=reservation, now=now, lost=lost)
    return reservation


def settle_reservations(*, now: datetime) -> int:
    """Settle what has been completed, once no agent has a word left to say; the number settled."""
    rows = Reservation.objects.to_settle(now - settling.LAST_WORDS)
    return sum(_settle(key, now) for key in list(rows.values_list("pk", flat=True)))


@transaction.atomic
def _settle(key: int, now: datetime) -> bool:
    row = Reservation.objects.select_for_update(skip_locked=True, of=("self",)).with_terms().filter(pk=key).first()
    if row is None:
        return False
    settling.settle(reservation=row, now=now)
    return True


def advance_reservations(*, now: datetime) -> int:
    """Expire what lapsed, start what is due, complete what has ended; the number of reservations moved.

    One whose last hour is still in use by work inside it is completed when that has ended.
    """
    moved = 0
    for queryset, to in (
        (Reservation.objects.lapsed(now), "expired"),
        (Reservation.objects.due_to_start(now), "active"),
        (Reservation.objects.due_to_end(now), "completed"),
    ):
        for key in list(queryset.values_list("pk", flat=True)):
            try:
                moved += _advance(key, to, now)
            except WorkInside:
                continue
    return moved


@transaction.atomic
def _advance(key: int, to: str, now: datetime) -> bool:
    """Move one reservation unless another worker was first."""
    unlocked = Reservation.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    reservation = unlocked.with_terms().filter(pk=key).first()
    if reservation is None or to not in RESERVATION.moves[reservation.state]:
        return False
    if to == "active":
        _move(reservation, to, now=now)
    else:
        _end(reservation, to, now=now, reason="not_confirmed" if to == "expired" else "")
    return True


def _end(reservation: Reservation, to: str, *, now: datetime, reason: str) -> None:
    _move(reservation, to, now=now, reason=reason)
    withdraw_promise(subject=reservation.public_id, now=now)
    hours = held_from(reservation=reservation, now=now)
    hold_less(reservation=reservation, hours=hours)
    return_hours(offer=reservation.offer, hours=hours)


def _move(reservation: Reservation, to: str, *, now: datetime, reason: str = "") -> None:
    move(
        reservation, to, table=RESERVATION, now=now, reason=reason, fields={"reason": reason},
        buyer=reservation.buyer, provider=reservation.offer.site.provider,
    )  # fmt: skip


def ensure_capacity(*, offer: Offer, first: date, days: int) -> None:
    """Give `offer` a CapacityDay for each of `days` days from `first`; days that exist stay as they are."""
    rows = [
        CapacityDay(offer=offer, day=first + timedelta(days=n), units_total=[offer.units] * HOURS_OF_DAY)
        for n in range(days)
    ]
    CapacityDay.objects.bulk_create(rows, ignore_conflicts=True)
