"""A point whose plants have been metered for a while, and a zone whose hours are known as long."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from accounts.models import User
from marketplace.energy.models import EnergySource, GenerationHour, GridHour, GridZone, MeterPoint
from tests.energy.evidence import HOUR, make_generation, make_share, make_source
from tests.market import MONDAY

DAY = 24
SUN = [0] * 6 + [100, 300, 500, 700, 900, 1000, 1000, 900, 700, 500, 300, 100] + [0] * 6  # Wh


def publish_grid(zone: GridZone, until: datetime, days: int, share: Callable[[int], int] = lambda n: 500_000) -> None:
    """`days` of hours of `zone` before `until`; hour n from the first one on has `share(n)` ppm."""
    first = until - timedelta(days=days)
    GridHour.objects.bulk_create(
        GridHour(
            zone=zone, start=first + n * HOUR, direct_mg_per_kwh=300_000, lifecycle_mg_per_kwh=400_000,
            renewable_ppm=share(n), carbon_free_ppm=min(1_000_000, share(n) + 100_000), source="test", vintage="1",
            published_at=first + n * HOUR,
        )
        for n in range(days * DAY)
    )  # fmt: skip


def make_plant(point: MeterPoint, **fields: Any) -> EnergySource:
    """An audited plant on the site of `point`."""
    auditor, _ = User.objects.get_or_create(email="auditor@example.com")
    verified = {"evidence": "audited", "verified_by": auditor, "verified_at": MONDAY}
    return make_source(point.organization, zone=point.zone, **(verified | fields))


def make_served(
    point: MeterPoint, until: datetime, *, days: int, wh: Sequence[int] = SUN, low: int = 0, high: int = 1_000_000,
    **fields: Any,
) -> EnergySource:  # fmt: skip
    """A plant that made `wh` over and over in the `days` before `until`, and serves `point` with its slice."""
    source = make_plant(point, **fields)
    make_share(source, point, low, high)
    make_generation(source, until - timedelta(days=days), *(wh[n % len(wh)] for n in range(days * DAY)))
    return source


def forget_hours(source: EnergySource, start: datetime, end: datetime) -> None:
    """As if nobody had metered [start, end)."""
    from tests.market import triggers_off

    with triggers_off():
        GenerationHour.objects.filter(source=source, start__gte=start, start__lt=end).delete()
