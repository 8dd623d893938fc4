"""The waiting list: joined, left and served here.

Whose turn it is and which hours it gets is decided above (`scheduler.waitinglist`). Locks: the wait first, then as
reservations are locked (decision 25).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import ApiKey, Organization
from marketplace.booking.models import Reservation, Wait
from marketplace.booking.states import WAIT
from marketplace.common.clock import hour_ceil, hour_floor, rfc3339
from marketplace.common.errors import FieldProblem, IllegalState, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move, record

MOST_WAITS = 20  # of one organization at once
PRICE_LIMIT = "price__lte"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is waited for: `where` are limits as quotes store them, among them the offer or the hardware.

    It starts on a whole hour from `start_after` to `start_by`; `reserve` takes it at once when there is room.
    """

    units: int
    hours: int
    where: Mapping[str, Any]
    start_after: datetime | None = None
    start_by: datetime | None = None
    reserve: bool = False


@transaction.atomic
def join(
    *, buyer: Organization, wanted: Wanted, family: str, now: datetime, api_key: ApiKey | None = None
) -> Wait:  # fmt: skip
    """A new last place on the list. Raises ValidationFailed, IllegalState for too many; then nothing is written."""
    after, by = _window(wanted)
    if problems := [*_problems(wanted, after, by, now)]:
        raise ValidationFailed(problems)
    if Wait.objects.of([buyer]).waiting().count() >= MOST_WAITS:
        raise IllegalState(f"an organization waits for at most {MOST_WAITS} things at once", hint="leave one first")
    public_id = new_id("wai")
    wait = Wait.objects.create(
        public_id=public_id, buyer=buyer, api_key=api_key, family=family, units=wanted.units, hours=wanted.hours,
        where=dict(wanted.where), start_after=after, start_by=by, reserve=wanted.reserve, created_at=now,
    )  # fmt: skip
    record("wait.waiting", object_id=public_id, seq=wait.version, now=now, state="waiting", buyer=buyer)
    return wait


def _window(wanted: Wanted) -> tuple[datetime | None, datetime | None]:
    """The first and the last whole hour on which it may start."""
    after, by = wanted.start_after, wanted.start_by
    return hour_ceil(after) if after else None, hour_floor(by) if by else None


def _problems(
    wanted: Wanted, after: datetime | None, by: datetime | None, now: datetime
) -> Iterable[FieldProblem]:  # fmt: skip
    if not (wanted.where.get("accelerator") or wanted.where.get("offer")):
        yield FieldProblem("/where/accelerator", "required", "say which hardware, or which offer", "H100")
    if by is not None and by < max(hour_ceil(now), after or by):
        yield FieldProblem("/start_by", "bad_value", "no whole hour is left until then")
    if wanted.reserve and wanted.where.get(PRICE_LIMIT) is None:
        yield FieldProblem("/where/price__lte", "required", "to reserve it at once, say the most a unit-hour may cost")


@transaction.atomic
def leave(*, wait: Wait, now: datetime) -> Wait:
    """Give up the place. Raises IllegalState for one that waits no more."""
    lock_wait(wait)
    move(wait, "left", table=WAIT, now=now, buyer=wait.buyer)
    return wait


def is_over(wait: Wait, now: datetime) -> bool:
    """Whether no whole hour is left on which it may start."""
    return wait.start_by is not None and wait.start_by < hour_ceil(now)


@transaction.atomic
def end_over(*, key: int, now: datetime) -> None:
    """End a wait that is over, unless another worker has it."""
    wait = free_wait(key)
    if wait and is_over(wait, now):
        move(wait, "over", table=WAIT, now=now, buyer=wait.buyer)


def lock_wait(wait: Wait) -> None:
    """Read the row again under its lock: who leaves and who is served wait for each other."""
    Wait.objects.select_for_update(of=("self",), no_key=True).get(pk=wait.pk)
    wait.refresh_from_db(fields=["state", "version", "reservation"])


def free_wait(key: int) -> Wait | None:
    """The wait under its lock; None where another worker has it or it waits no more."""
    unlocked = Wait.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
    return unlocked.with_terms().filter(pk=key, state="waiting").first()


def answer_within(start: datetime, now: datetime) -> timedelta:
    """How long hours that begin at `start` are held for an answer."""
    return max(settings.HOLD_FOR, min(settings.WAIT_OFFER_FOR, start - now))


def note_served(*, wait: Wait, reservation: Reservation, now: datetime) -> None:
    """These hours are the wait's; part of the transaction that held them. The database refuses a second time."""
    confirmed = reservation.state == "confirmed"
    facts = {
        "reservation": reservation.public_id, "offer": reservation.offer.public_id, "title": reservation.offer.title,
        "start": rfc3339(reservation.start), "end": rfc3339(reservation.end), "confirmed": confirmed,
        "total_minor": reservation.contract.total_minor, "currency": reservation.contract.currency,
        "answer_by": None if confirmed else rfc3339(reservation.expires_at),
    }  # fmt: skip
    move(
        wait, "served", table=WAIT, now=now, buyer=wait.buyer, facts=facts, fields={"reservation": reservation}
    )  # fmt: skip


def note_place(*, wait: Wait, ahead: int, expected: datetime | None, now: datetime) -> None:
    """How many are ahead and when it is expected to start, as things stand now."""
    waiting = Wait.objects.filter(pk=wait.pk, state="waiting")
    if waiting.update(ahead=ahead, expected_start=expected, looked_at=now):
        wait.ahead, wait.expected_start, wait.looked_at = ahead, expected, now
