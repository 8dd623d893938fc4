"""The fixed scale of a segment's scores: yesterday's firm prices per PFLOP-hour."""

from collections.abc import Sequence
from datetime import date, datetime

from django.conf import settings
from django.db import connection

from marketplace.booking.contracts import watts_with_overhead
from marketplace.booking.pricing import all_in_rate_mm, electricity_rate_mm
from marketplace.catalog.models import Offer
from scheduler.core import types
from scheduler.models import SegmentReference

OF_DAY = "SELECT * FROM scheduler_segmentreference WHERE segment = %s AND day = %s"
FEWEST_OFFERS = 5
DEFAULTS = {"accelerator": (150_000, 230_000, 400_000), "cpu": (2_000_000, 4_000_000, 7_000_000)}
OTHERWISE = (500_000, 2_000_000, 6_000_000)
MOST_KNOWN = 1_000
_known: dict[tuple[str, str, date], SegmentReference] = {}


def reference_of(segment: str, now: datetime) -> SegmentReference:
    """The segment's reference of today, made on first use and never changed: a process reads it once."""
    key = str(connection.settings_dict["NAME"]), segment, now.date()
    if key not in _known:
        reference = _of_day(segment, now)
        if connection.in_atomic_block:  # it may be undone
            return reference
        if len(_known) == MOST_KNOWN:
            _known.clear()
        _known[key] = reference
    return _known[key]


def _of_day(segment: str, now: datetime) -> SegmentReference:
    found = SegmentReference.objects.raw(OF_DAY, [segment, now.date()])
    if len(found):
        return found[0]
    prices = _firm_prices(segment)
    lo, mid, hi = DEFAULTS.get(segment, OTHERWISE)
    if len({offer for offer, _, _ in prices}) >= FEWEST_OFFERS:
        lo, mid, hi = (
            nearest_rank([(price, weight) for _, price, weight in prices], percent) for percent in (10, 50, 90)
        )
    reference, _ = SegmentReference.objects.get_or_create(
        segment=segment, day=now.date(),
        defaults={"p_lo": lo, "p_mid": mid, "p_hi": hi, "offers": len(prices) // 168, "created_at": now},
    )  # fmt: skip
    return reference


def as_core(reference: SegmentReference) -> types.Reference:
    """The reference in the core's type."""
    return types.Reference(p_lo=reference.p_lo, p_mid=reference.p_mid, p_hi=reference.p_hi)


def nearest_rank(weighted: Sequence[tuple[int, int]], percent: int) -> int:
    """The nearest-rank percentile of (value, weight) pairs: the least value that `percent` of the weight reaches."""
    ordered = sorted(weighted)
    threshold = -(-sum(weight for _, weight in ordered) * percent // 100)
    seen = 0
    for value, weight in ordered:
        seen += weight
        if seen >= threshold:
            return value
    raise ValueError("a percentile needs at least one value")


def _firm_prices(segment: str) -> list[tuple[int, int, int]]:
    """(offer, all-in mm per PFLOP-hour, unit-hours) of every hour of the week of the segment's firm offers."""
    prices = []
    for offer in Offer.objects.live().with_shelf().filter(hardware__family=segment, tier="firm"):
        electricity = electricity_rate_mm(offer.electricity_mm_per_kwh, watts_with_overhead(offer))
        for rate in offer.rate_mm:
            price = all_in_rate_mm(rate, electricity, settings.ADDED_FEE_BP, settings.TAX_BP)
            prices.append((offer.pk, price * 1000 // offer.hardware.pf_milli, offer.units))
    return prices
