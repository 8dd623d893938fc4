"""A provider changes how many units an offer has; interruptible work that they carried makes room, with notice."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction

from marketplace.booking.hours import HOURS_OF_DAY
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import lock_shared
from marketplace.catalog.models import Offer, Tier
from marketplace.catalog.services import MOST_UNITS
from marketplace.catalog.states import OFFER
from marketplace.common.clock import hour_ceil, rfc3339
from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed
from marketplace.events.services import record
from scheduler.asks import seconds
from scheduler.core.preemption import choose
from scheduler.preempting import PROVIDER, give_notice, lock_open, lock_pieces, lose_from
from scheduler.victims import promised_pieces, victims_of


@transaction.atomic
def change_units(*, offer: Offer, units: int, version: int, now: datetime) -> Offer:
    """Give an offer, and the interruptible one on its machines, `units` from a coming hour on.

    That hour is the first that begins once interruptible work has had its notice. What was promised to firm work and
    reservations stays. Raises IllegalState when that is more than `units`, StaleVersion when another change was first,
    ValidationFailed.
    """
    _check(offer, units)
    other = Offer.objects.sharing_with(offer).first()
    notice_s = max((each.notice_s for each in (offer, other) if each and each.tier == Tier.INTERRUPTIBLE), default=0)
    first = hour_ceil(now + timedelta(seconds=notice_s))
    if Offer.objects.filter(pk=offer.pk, version=version).update(units=units, version=version + 1) != 1:
        raise StaleVersion(f"{offer.public_id} was changed meanwhile", id=offer.public_id)
    offer.units, offer.version = units, version + 1
    record(
        "offer.changed", object_id=offer.public_id, seq=offer.version, now=now, state=offer.state,
        provider=offer.site.provider, facts={"fields": ["units"], "from": rfc3339(first)},
    )  # fmt: skip
    loose = other or (offer if offer.tier == Tier.INTERRUPTIBLE else None)
    if loose is not None:
        _make_room(loose, _short(offer, loose, units, first), now)
    if other is not None:
        Offer.objects.filter(pk=other.pk).update(units=units)
    _set_totals(offer, units, first)
    return offer


def _check(offer: Offer, units: int) -> None:
    """Raises ValidationFailed, IllegalState."""
    if offer.state in OFFER.final:
        raise IllegalState(f"a {offer.state} offer stays as it is", state=offer.state)
    if not 1 <= units <= MOST_UNITS:
        detail, hint = f"must be from 1 to {MOST_UNITS}", str(min(max(units, 1), MOST_UNITS))
        raise ValidationFailed([FieldProblem("/units", "bad_value", detail, hint)])
    if offer.twin is not None:
        detail = "it has the machines of its twin; change the units there"
        raise ValidationFailed([FieldProblem("/units", "bad_value", detail, offer.twin.public_id)])


def _short(offer: Offer, loose: Offer, units: int, first: datetime) -> dict[int, int]:
    """{hour: units that interruptible work has beyond what will be left}, from `first` on."""
    left: Counter[int] = Counter()
    for day in CapacityDay.objects.filter(offer__in={offer, loose}, day__gte=first.date()):
        begin = datetime.combine(day.day, datetime.min.time(), UTC)
        left.update({seconds(begin + timedelta(hours=h)): used for h, used in enumerate(day.units_promised)})
    return {hour: used - units for hour, used in left.items() if used > units and hour >= seconds(first)}


def _make_room(loose: Offer, short: Mapping[int, int], now: datetime) -> None:
    """Tell those whose end loses least to end. Raises IllegalState where that does not help, StaleVersion."""
    chosen = choose((*victims_of([loose.pk], now), *promised_pieces([loose.pk])), short, seconds(now))
    if chosen is None:
        hour = datetime.fromtimestamp(min(short), UTC)
        raise IllegalState(
            "more units are promised to work that cannot be interrupted", hour=rfc3339(hour), units=short[min(short)]
        )
    names = [each.id for each in chosen]
    found, pieces = lock_open(names), lock_pieces(names)
    if len(found) + len(pieces) < len(chosen):
        raise StaleVersion("work on these machines is changing just now; try again", id=loose.public_id)
    for attempt in found.values():
        give_notice(attempt=attempt, cause=PROVIDER, now=now)
    for piece in pieces:
        lose_from(piece=piece, now=now)


def _set_totals(offer: Offer, units: int, first: datetime) -> None:
    """From the hour `first` on the offer has `units`; a trigger follows for the interruptible one."""
    days = list(CapacityDay.objects.filter(offer=offer, day__gte=first.date()).order_by("pk"))
    lock_shared(offer=offer, days=[day.day for day in days])
    for day in days:
        begin = first.hour if day.day == first.date() else 0
        day.units_total[begin:] = [units] * (HOURS_OF_DAY - begin)
    try:
        with transaction.atomic():
            for day in days:
                CapacityDay.objects.filter(pk=day.pk).update(units_total=day.units_total)
    except IntegrityError as error:
        raise IllegalState("more units are promised than would be left", units=units) from error
