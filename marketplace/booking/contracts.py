"""The terms of a promise, frozen when it is made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import Organization
from marketplace.booking.hours import hour_of_week, seconds_touched
from marketplace.booking.models import Contract
from marketplace.booking.pricing import PriceLine, Rates, electricity_rate_mm, price_lines, total_minor
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.common.clock import hour_floor
from marketplace.common.units import PPM


def watts_with_overhead(offer: Offer) -> int:
    """What one unit draws at the site's meter, in W, rounded up."""
    return -(-offer.hardware.max_w * offer.site.pue_ppm // PPM)


def rates_for(offer: Offer, start: datetime, end: datetime) -> tuple[Rates, list[int]]:
    """The rates of every hour [start, end) touches, and the seconds used of each."""
    seconds = seconds_touched(start, end)
    first = hour_of_week(hour_floor(start))
    weeks = -(-(first + len(seconds)) // HOURS_OF_WEEK)
    rates = Rates(
        compute_mm=tuple((offer.rate_mm * weeks)[first : first + len(seconds)]),
        electricity_mm=electricity_rate_mm(offer.electricity_mm_per_kwh, watts_with_overhead(offer)),
        fee_bp=settings.ADDED_FEE_BP,
        tax_bp=settings.TAX_BP,
    )
    return rates, seconds


def price_of(offer: Offer, units: int, start: datetime, end: datetime) -> tuple[list[PriceLine], int]:
    """The lines and the all-in total of `units` over [start, end), in minor units."""
    rates, seconds = rates_for(offer, start, end)
    lines = price_lines(rates, seconds, units)
    return lines, total_minor(lines)


def terms_of(offer: Offer) -> dict[str, Any]:
    """What else is promised: tier, notice, start-up time, network, and how money moves when something goes wrong."""
    return {
        "tier": offer.tier, "term": offer.term, "notice_s": offer.notice_s,
        "boot_s": offer.boot_s, "egress": offer.egress, "sample": offer.sample,
        "fee_mode": settings.FEE_MODE, "idle_bp": offer.idle_bp, "free_cancel_s": offer.free_cancel_s,
        "sla_credit_bp": settings.SLA_CREDIT_BP, "maturity_days": settings.MATURITY_DAYS,
    }  # fmt: skip


def freeze_terms(
    *,
    subject: str,
    buyer: Organization,
    offer: Offer,
    units: int,
    start: datetime,
    end: datetime,
    now: datetime,
    quoted: Sequence[PriceLine] = (),
) -> Contract:
    """Write the contract of `subject` (a reservation's or allocation's public id).

    `quoted` lines keep their price whatever the offer costs now; use is charged as a part of their total.
    """
    rates, seconds = rates_for(offer, start, end)
    lines = list(quoted) or price_lines(rates, seconds, units)
    return Contract.objects.create(
        subject=subject, buyer=buyer, provider=offer.site.provider, offer=offer, units=units, start=start, end=end,
        currency=offer.currency, rate_mm=list(rates.compute_mm), seconds=seconds,
        electricity_mm=rates.electricity_mm, fee_bp=settings.FEE_BP, tax_bp=rates.tax_bp,
        price_lines=[line.as_dict() for line in lines], total_minor=total_minor(lines),
        terms=terms_of(offer), created_at=now,
    )  # fmt: skip
