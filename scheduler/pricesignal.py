"""The price signal of an offer: by the hour what is asked, what one more unit is worth, what could be asked and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from marketplace.booking.contracts import watts_with_overhead
from marketplace.booking.hours import hour_of_week
from marketplace.booking.pricing import compute_rate_mm, electricity_rate_mm
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor
from scheduler.core.types import GREEDY, Ask
from scheduler.keptprices import kept_prices, last_priced
from scheduler.models import Job, MatchRound
from scheduler.money import CEILING
from scheduler.moving import LOOK_AGAIN
from scheduler.queue import asks_of, read_queue
from scheduler.references import as_core, reference_of
from scheduler.shards import Shard, group_of, groups
from scheduler.snapshot import read_all, take_snapshot
from scheduler.suggesting import Code, Suggestion, one_more, refused_buyers, suggest

HOURS = 168
READ, LOOKED_AT = 1000, 100  # of the jobs that wait, and of those that ask differently
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class HourSignal:
    """One hour: `rate_mm` is the provider's own rate, the other prices are what buyers pay; mm per unit-hour."""

    start: datetime
    units: int
    free: int
    rate_mm: int
    asked_mm: int
    shadow_mm: int
    code: Code
    suggested_rate_mm: int | None = None
    suggested_mm: int | None = None


@dataclass(frozen=True, slots=True)
class PriceSignal:
    """The next hours of a live offer; `as_of` is when its segment last priced hours, None when it never did."""

    as_of: datetime | None
    hours: Sequence[HourSignal]


def sentence_of(code: Code) -> str:
    """Why the suggestion is what it is, in the reader's language."""
    return {
        "scarce": _(
            "More buyers want this hour than it has units: at this price as many would take it as can have it."
        ),
        "unsold": _("Units stay unsold here: this is the most that the best buyer who was refused could have paid."),
        "enough": _(
            "There are units for everybody who wants this hour, and another price would bring in nobody who waits."
        ),
        "sold": _("The hour is sold, and nobody who waits would pay more for it."),
    }[code]


def price_signal(*, offer: Offer, now: datetime, hours: int = HOURS) -> PriceSignal:
    """The signal for `hours` from the running one; no hours where the offer is not live or nothing was priced yet."""
    shard = Shard(offer.hardware.family, group_of(offer.site.country))
    as_of = MatchRound.objects.filter(pk=last_priced(shard.name) or 0).values_list("now", flat=True).first()
    shelf = read_all(now=now, of=Q(pk=offer.pk), hours=HOURS).shelf
    if as_of is None or not shelf.facts:
        return PriceSignal(as_of, ())
    reference = as_core(reference_of(shard.family, now))
    snapshot = take_snapshot(shelf=shelf, asks=(), reference=reference, now=now, mode=GREEDY, hours=HOURS)
    refused = refused_buyers(snapshot, _refused(shard.family, reference.p_mid, now))
    shadows = kept_prices(segment=shard.name, offers=[offer], now=now, hours=HOURS).get(offer.public_id, ())
    [facts], first = shelf.facts, hour_floor(now)
    told = []
    for number in range(min(hours, HOURS)):
        asked, free, kept = facts.price[number], facts.free[number], shadows[number] if number < len(shadows) else 0
        shadow = one_more(kept=kept, asked=asked, free=free, refused=refused[number])
        start = first + number * HOUR
        rate = offer.rate_mm[hour_of_week(start)]
        plain = HourSignal(start, facts.units_total[number], free, rate, asked, shadow, "sold")
        told.append(_with(plain, suggest(asked=asked, shadow=shadow, free=free, refused=refused[number]), offer))
    return PriceSignal(as_of, told)


def _with(hour: HourSignal, found: Suggestion, offer: Offer) -> HourSignal:
    """`hour` with what is suggested as the provider's own rate; what is no other rate is no suggestion."""
    rate = None if found.price is None else _own_rate(offer, found.price)
    if rate is None or rate == hour.rate_mm:
        return replace(hour, code="enough" if hour.free else "sold")
    return replace(hour, code=found.code, suggested_rate_mm=rate, suggested_mm=found.price)


def _own_rate(offer: Offer, all_in_mm: int) -> int | None:
    electricity = electricity_rate_mm(offer.electricity_mm_per_kwh, watts_with_overhead(offer))
    return compute_rate_mm(all_in_mm, electricity, settings.ADDED_FEE_BP, settings.TAX_BP)


def _refused(family: str, p_mid: int, now: datetime) -> list[Ask]:
    """The jobs that wait because no round could place them, in whichever group, those that ask alike once."""
    asks: list[Ask] = []
    for group in groups():
        queue = read_queue(segment=Shard(family, group).name, now=now + LOOK_AGAIN, most=READ)
        columns = asks_of(queue, overs=dict.fromkeys(queue.buyer.tolist(), 0), p_mid=p_mid, now=now)
        differing = {int(queue.form[place]): place for place in sorted(queue.told, reverse=True)}
        places = sorted(differing.values())
        stated = _with_a_budget(queue.pk[places].tolist())
        asks += [
            columns[place] if int(queue.pk[place]) in stated else _without_ceiling(columns[place]) for place in places
        ]
    return asks[:LOOKED_AT]


def _with_a_budget(jobs: list[int]) -> set[int]:
    """Those of the jobs (keys) whose buyers stated what they may cost; of the others that is only what is held."""
    return set(Job.objects.filter(pk__in=jobs, budget_stated=True).values_list("pk", flat=True))


def _without_ceiling(ask: Ask) -> Ask:
    return replace(ask, limits={name: limit for name, limit in ask.limits.items() if name != CEILING})
