"""Standing orders: placed, paused and ended here; which of their hours lack, and that an hour was bought.

What is bought is chosen above (`scheduler.standingorders`), through the doors that every buyer uses. Locks: the order
first, then as reservations are locked (decision 25).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import ApiKey, Organization
from marketplace.booking.models import Reservation, StandingHour, StandingOrder
from marketplace.booking.models.standing import MOST_AHEAD
from marketplace.booking.states import STANDING_ORDER
from marketplace.common.clock import HOUR, hour_ceil, hour_floor, rfc3339
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move, record
from marketplace.ledger.budgets import Through, end_budget, set_budget

PRICE_LIMIT = "price__lte"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a standing order asks for: `where` are limits as quotes store them, `limit_minor` caps a month."""

    units: int
    where: Mapping[str, Any]
    limit_minor: int
    ahead_hours: int = 24
    block_hours: int = 6
    ends_at: datetime | None = None


@transaction.atomic
def place_order(*, buyer: Organization, wish: Wish, now: datetime, api_key: ApiKey | None = None) -> StandingOrder:
    """A new standing order, looked at as soon as a worker is free. Raises ValidationFailed; then nothing is written."""
    ends_at = hour_floor(wish.ends_at) if wish.ends_at else None
    if problems := [*_problems(wish, ends_at, now)]:
        raise ValidationFailed(problems)
    public_id = new_id("sto")
    budget = set_budget(
        organization=buyer, api_key=None, asset=buyer.currency, livemode=settings.LIVEMODE,
        limit_minor=wish.limit_minor, order=public_id, now=now,
    )  # fmt: skip
    order = StandingOrder.objects.create(
        public_id=public_id, buyer=buyer, api_key=api_key, budget=budget, units=wish.units,
        where={**wish.where, "tier": ["firm"]}, ahead_hours=wish.ahead_hours, block_hours=wish.block_hours,
        ends_at=ends_at, look_at=now, created_at=now,
    )  # fmt: skip
    record("standing_order.active", object_id=public_id, seq=order.version, now=now, state="active", buyer=buyer)
    return order


def _problems(wish: Wish, ends_at: datetime | None, now: datetime) -> Iterable[FieldProblem]:
    if not wish.where.get("accelerator"):
        yield FieldProblem("/where/accelerator", "required", "say which hardware is to be reserved", "H100")
    if wish.where.get(PRICE_LIMIT) is None:
        yield FieldProblem("/where/price__lte", "required", "say the most that a unit-hour may cost, in minor units")
    if (wish.where.get("tier") or ["firm"]) != ["firm"]:
        yield FieldProblem("/where/tier", "bad_value", "only firm hours can be kept", "firm")
    if not 1 <= wish.ahead_hours <= MOST_AHEAD:
        yield FieldProblem("/ahead_hours", "bad_value", f"must be from 1 to {MOST_AHEAD}", "24")
    elif not 1 <= wish.block_hours <= wish.ahead_hours:
        yield FieldProblem("/block_hours", "bad_value", f"must be from 1 to {wish.ahead_hours}", "1")
    if ends_at is not None and ends_at <= now:
        yield FieldProblem("/ends_at", "bad_value", "no whole hour is left until then")


def pause(*, order: StandingOrder, now: datetime) -> StandingOrder:
    """Buy nothing until it is resumed; what is reserved stays. Raises IllegalState."""
    return _move(order, "paused", now=now)


def resume(*, order: StandingOrder, now: datetime) -> StandingOrder:
    """Buy again. Raises IllegalState."""
    return _move(order, "active", now=now, fields={"look_at": now})


def cancel_order(*, order: StandingOrder, now: datetime) -> StandingOrder:
    """Buy nothing any more; what is reserved stays. Raises IllegalState."""
    return _end(order, "cancelled", now=now)


def end_if_over(*, order: StandingOrder, now: datetime) -> bool:
    """End an order of which no whole hour is left."""
    over = order.ends_at is not None and order.ends_at <= hour_ceil(now)
    if over:
        _end(order, "ended", now=now)
    return over


@transaction.atomic
def _end(order: StandingOrder, to: str, *, now: datetime) -> StandingOrder:
    _move(order, to, now=now, fields={"short": ""})
    end_budget(budget=order.budget, now=now)
    return order


@transaction.atomic
def _move(order: StandingOrder, to: str, *, now: datetime, fields: dict[str, Any] | None = None) -> StandingOrder:
    lock_order(order)
    move(order, to, table=STANDING_ORDER, now=now, buyer=order.buyer, fields=fields)
    return order


def lock_order(order: StandingOrder) -> None:
    """Read the row again under its lock: who buys for it and who ends it wait for each other."""
    StandingOrder.objects.select_for_update(of=("self",), no_key=True).get(pk=order.pk)
    order.refresh_from_db(fields=["state", "version", "short", "look_at"])


def free_order(key: int) -> StandingOrder | None:
    """The order under its lock; None where another worker has it or it buys nothing."""
    unlocked = StandingOrder.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    return unlocked.with_terms().filter(pk=key, state="active").first()


def window_of(order: StandingOrder, now: datetime) -> tuple[datetime, datetime]:
    """[first, beyond) of the hours that are to be reserved: the next whole ones, until the order ends."""
    first = hour_ceil(now)
    beyond = first + order.ahead_hours * HOUR
    return first, min(beyond, order.ends_at) if order.ends_at else beyond


def missing_hours(order: StandingOrder, now: datetime) -> list[datetime]:
    """The hours ahead that nothing was reserved for yet. A buyer who cancelled one does not get it again."""
    first, beyond = window_of(order, now)
    known = set(StandingHour.objects.ahead(order, first).values_list("hour", flat=True))
    hours = (first + number * HOUR for number in range(max(0, (beyond - first) // HOUR)))
    return [hour for hour in hours if hour not in known]


def runs_of(hours: Sequence[datetime]) -> list[list[datetime]]:
    """The hours as runs without a gap."""
    runs: list[list[datetime]] = []
    for hour in hours:
        if runs and runs[-1][-1] + HOUR == hour:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


def wanted_runs(order: StandingOrder, now: datetime) -> list[list[datetime]]:
    """The runs of missing hours that are to be bought now.

    The far end waits until it has grown to a block, so that an order buys blocks and not every hour by itself; at the
    end of the order there is nothing to wait for.
    """
    runs, (_, beyond) = runs_of(missing_hours(order, now)), window_of(order, now)
    if runs and runs[-1][-1] + HOUR == beyond and beyond != order.ends_at:
        ripe = len(runs[-1]) // order.block_hours * order.block_hours
        runs[-1] = runs[-1][:ripe]
    return [run for run in runs if run]


@transaction.atomic
def forget_lost(*, order: StandingOrder, now: datetime) -> int:
    """Hours whose reservation its provider or the market ended are missing again; how many."""
    lock_order(order)
    lost = StandingHour.objects.ahead(order, hour_ceil(now)).lost()
    names = sorted(set(lost.values_list("reservation__public_id", flat=True)))
    count, _ = lost.delete()
    if count:
        tell(order=order, kind="lost", now=now, facts={"hours": count, "reservations": names})
    return count


def note_bought(*, order: StandingOrder, reservation: Reservation, hours: Sequence[datetime], now: datetime,
                total_minor: int, longer: bool) -> None:  # fmt: skip
    """These hours of the order are kept by `reservation`; part of the transaction that bought them.

    The database refuses an hour that is kept already and an order that is not active.
    """
    StandingHour.objects.bulk_create(
        [StandingHour(order=order, hour=hour, units=order.units, reservation=reservation) for hour in hours]
    )
    facts = {
        "reservation": reservation.public_id, "offer": reservation.offer.public_id, "title": reservation.offer.title,
        "start": rfc3339(hours[0]), "end": rfc3339(hours[-1] + HOUR), "total_minor": total_minor,
        "currency": reservation.contract.currency, "longer": longer,
    }  # fmt: skip
    tell(order=order, kind="bought", now=now, facts=facts)


@transaction.atomic
def note_look(
    *, order: StandingOrder, short: str, hours: Sequence[datetime], now: datetime, next_look: datetime
) -> None:
    """How a look ended: why `hours` are not reserved, or that all are. Said once, until it changes."""
    lock_order(order)
    if short != order.short:
        facts = {"hours": len(hours), "first": rfc3339(hours[0]) if hours else None}
        tell(order=order, kind="short" if short else "kept", now=now, reason=short, facts=facts)
    StandingOrder.objects.filter(pk=order.pk).update(short=short, looked_at=now, look_at=next_look)
    order.short, order.looked_at, order.look_at = short, now, next_look


def tell(*, order: StandingOrder, kind: str, now: datetime, facts: dict[str, Any], reason: str = "") -> None:
    """Leave an event of the order, whose lock is ours."""
    StandingOrder.objects.filter(pk=order.pk).update(version=F("version") + 1)
    order.version += 1
    record(
        f"standing_order.{kind}", object_id=order.public_id, seq=order.version, now=now, state=order.state,
        reason=reason, buyer=order.buyer, facts=facts,
    )  # fmt: skip


def through(order: StandingOrder) -> Through:
    """Whose budgets count beside the organization's: those of the order and of the key that placed it."""
    return Through(order.api_key, order.public_id)
