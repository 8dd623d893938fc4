"""Green promises of reservations: what of their energy is promised to be matched, and what a missed promise gives back.

Energy keeps the promise and says when it was missed; the credit is given here, once for each version of the receipt, a
later version only for what it adds.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from marketplace.booking.contracts import watts_with_overhead
from marketplace.booking.credits import give_credit
from marketplace.booking.hours import SECONDS_OF_HOUR, seconds_touched
from marketplace.booking.models import ChargeLine, Contract, Reservation, ServiceCredit
from marketplace.booking.querysets import ServiceCreditQuerySet
from marketplace.catalog.models import Offer
from marketplace.common.clock import rfc3339
from marketplace.common.units import ceil_div
from marketplace.energy.models import GreenPromise, PromiseMiss
from marketplace.energy.promised import green_credit
from marketplace.energy.promising import best_promise, promise_green
from marketplace.events.services import record
from marketplace.ledger.services import post_many

KIND = "green"
ACTOR = "market"
LONGEST = timedelta(days=14)  # of a span and its lead together: further ahead nothing is promised


def load_of(offer: Offer, units: int, start: datetime, end: datetime) -> list[int]:
    """The most that `units` can draw at the site's meter in each hour of [start, end), in Wh rounded up."""
    watts = watts_with_overhead(offer) * units
    return [ceil_div(watts * seconds, SECONDS_OF_HOUR) for seconds in seconds_touched(start, end)]


def promisable_percent(*, offer: Offer, units: int, start: datetime, end: datetime, now: datetime) -> int:
    """What share of the energy of such a reservation could be promised now, in whole per cent; 0 far ahead."""
    if end > now + LONGEST:
        return 0
    load = load_of(offer, units, start, end)
    return best_promise(point=offer.site.point, start=start, load_wh=load, asked_percent=100, now=now).percent


def promise_for(
    *, reservation: Reservation, asked_percent: int, now: datetime, least_percent: int = 1
) -> GreenPromise:  # fmt: skip
    """Promise up to `asked_percent` of a fresh reservation; PromiseTooLow is for the end of the transaction."""
    offer = reservation.offer
    promise = promise_green(
        subject=reservation.public_id, point=offer.site.point, start=reservation.start,
        load_wh=load_of(offer, reservation.units, reservation.start, reservation.end), asked_percent=asked_percent,
        least_percent=least_percent, now=now,
    )  # fmt: skip
    record(
        "green_promise.given", object_id=promise.public_id, seq=1, now=now, buyer=reservation.buyer,
        provider=offer.site.provider,
        facts={"reservation": reservation.public_id, "promised_percent": promise.promised_percent},
    )  # fmt: skip
    return promise


def promise_of(reservation: Reservation) -> GreenPromise | None:
    """What was promised of a reservation's energy."""
    found: GreenPromise | None = GreenPromise.objects.filter(subject=reservation.public_id).first()
    return found


def promise_as_json(promise: GreenPromise | None) -> dict[str, Any] | None:
    """A promise with what a shortfall gives back."""
    if promise is None:
        return None
    return {
        "id": promise.public_id,
        "promised_percent": promise.promised_percent,
        "start": rfc3339(promise.start),
        "end": rfc3339(promise.end),
        "credit_rate_ppm": promise.credit_rate_ppm,
        "cap_ppm": promise.cap_ppm,
    }


def answer_misses(*, now: datetime) -> int:
    """Give the credits of promises that were missed and not answered yet; how many misses were answered."""
    keys = PromiseMiss.objects.filter(answered_at=None).order_by("pk").values_list("pk", flat=True)
    return sum(_answer(key, now) for key in list(keys[:200]))


@transaction.atomic
def _answer(key: int, now: datetime) -> bool:
    miss = (
        PromiseMiss.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(pk=key, answered_at=None).select_related("promise").first()
    )  # fmt: skip
    if miss is None:
        return False
    reservation = Reservation.objects.filter(public_id=miss.promise.subject).with_terms().with_changes().first()
    if reservation is not None:
        _credit(miss, reservation.contracts, now)
    PromiseMiss.objects.filter(pk=miss.pk).update(answered_at=now)
    return True


def credits_of(promises: Iterable[str]) -> ServiceCreditQuerySet:
    """The credits that were given for these promises, by their public ids."""
    named = Q(pk=None)
    for promise in promises:
        named |= Q(subject__startswith=f"{promise}:")
    rows: ServiceCreditQuerySet = ServiceCredit.objects.filter(named, kind=KIND)
    return rows


def credit_owed(*, promise: GreenPromise, matched_wh: int, used_wh: int) -> tuple[int, str] | None:
    """What a shortfall would owe beyond what was given, with its currency; None where nothing was bought by a contract.

    An answer for whoever decides on evidence: nothing is locked or given.
    """
    reservation = Reservation.objects.filter(public_id=promise.subject).with_terms().with_changes().first()
    if reservation is None:
        return None
    contracts = reservation.contracts
    lines = ChargeLine.objects.filter(contract__in=[contract.pk for contract in contracts])
    charge = lines.aggregate(sum=Sum("charge_minor"))["sum"] or 0
    return _owed(promise, charge, matched_wh, used_wh), contracts[0].currency


def _owed(promise: GreenPromise, charge: int, matched_wh: int, used_wh: int) -> int:
    owed = green_credit(
        charge_minor=charge, promised_percent=promise.promised_percent, matched_wh=matched_wh, used_wh=used_wh,
        credit_rate_ppm=promise.credit_rate_ppm, cap_ppm=promise.cap_ppm,
    )  # fmt: skip
    return max(0, owed - (credits_of([promise.public_id]).aggregate(sum=Sum("amount_minor"))["sum"] or 0))


def _credit(miss: PromiseMiss, contracts: Sequence[Contract], now: datetime) -> None:
    """What this version of the receipt owes beyond what earlier ones gave."""
    promise = miss.promise
    keys = [contract.pk for contract in contracts]
    lines = list(ChargeLine.objects.filter(contract__in=keys).select_for_update(of=("self",)).order_by("pk"))
    charge = sum(line.charge_minor for line in lines)
    amount = _owed(promise, charge, miss.matched_wh, miss.used_wh)
    facts = give_credit(
        kind=KIND, subject=f"{promise.public_id}:{miss.receipt_version}", contract=contracts[0], lines=lines,
        base=charge, amount=amount, on_charges=amount, livemode=settings.LIVEMODE, now=now,
        promised_percent=promise.promised_percent, matched_wh=miss.matched_wh, used_wh=miss.used_wh,
    )  # fmt: skip
    if facts:
        post_many(facts=facts, now=now, actor=ACTOR)
