"""Two offers on the same machines: a firm one and an interruptible one that sells what the first has not sold."""

from datetime import datetime

from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import Offer
from tests.market import make_cpu, make_offer
from tests.scheduler.scene import make_cpu_offer


def make_pair(*, now: datetime, units: int = 4, notice_s: int = 120) -> tuple[Offer, Offer]:
    """(firm, interruptible) with `units` vCPU."""
    firm = make_cpu_offer(now=now, units=units)
    loose = make_offer(
        firm.site, hardware=make_cpu(), units=units, now=now, rate_mm=2_000, tier="interruptible", twin=firm,
        notice_s=notice_s,
    )  # fmt: skip
    return firm, loose


def units_at(offer: Offer, moment: datetime) -> tuple[int, int]:
    """(existing, promised) units in the hour of `moment`."""
    day = CapacityDay.objects.get(offer=offer, day=moment.date())
    return day.units_total[moment.hour], day.units_promised[moment.hour]
