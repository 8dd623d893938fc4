"""The outlook of every listing made anew; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.listings --offers 10000

Makes a database of its own beside the one DATABASE_URL names, and drops it. Twenty offers share a point; each point has
a plant of its own, every second one solar, with 102 days of metered hours, each zone as many of its own, and each point
a hundred settled hours of use. A tenth of all before the whole, to see how it grows; each is made anew three times, and
the median counts, database included. Exit status 3 when a listing has no band.
"""

import argparse
import json
import math
import platform
import random
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.database import own_database

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PER_POINT = 20  # offers
ZONES = 12
HISTORY_HOURS = 102 * 24
USES = 100  # settled hours of a point
LOAD_W = PER_POINT * 8 * 980
COPY_GENERATION = "COPY energy_generationhour (source_id, start, quality, wh, claimed_wh) FROM STDIN"
COPY_USES = """
    COPY energy_usehour (subject, point_id, start, it_wh, site_wh, matched_wh, volume_wh, unit_seconds, method,
                         settled_at) FROM STDIN
"""


def make_zones() -> list[Any]:
    """Zones whose hours are known."""
    from marketplace.energy.models import GridHour, GridZone  # noqa: PLC0415

    dice = random.Random(1)  # noqa: S311  # a benchmark
    zones = GridZone.objects.bulk_create(GridZone(code=f"B-{n}", name=f"Zone {n}", country="DE") for n in range(ZONES))
    GridHour.objects.bulk_create(
        GridHour(
            zone=zone, start=NOW - n * HOUR, direct_mg_per_kwh=300_000, lifecycle_mg_per_kwh=400_000,
            renewable_ppm=dice.randint(200_000, 800_000), carbon_free_ppm=900_000, source="benchmark", vintage="1",
            published_at=NOW,
        )
        for zone in zones for n in range(1, HISTORY_HOURS + 1)
    )  # fmt: skip
    return zones


def make_listings(offers: int, first: int, zones: list[Any]) -> None:
    """`offers` live offers, a point for every twenty, and what serves and used it."""
    from accounts.models import Organization  # noqa: PLC0415
    from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Offer  # noqa: PLC0415
    from marketplace.catalog.sites import add_site  # noqa: PLC0415

    dice = random.Random(first)  # noqa: S311  # a benchmark
    provider = Organization.objects.create(name=f"Provider {first}", country="DE", created_at=NOW)
    hardware, _ = HardwareClass.objects.get_or_create(
        slug="bench", accelerator="H100", vendor="any", family="accelerator", memory_gb=80, pf_milli=989, idle_w=90,
        benchmark="dense BF16", vcpus=16, ram_gb=128, max_w=980,
    )  # fmt: skip
    sites = [
        add_site(
            provider=provider, name=f"Site {first + n}", locality="any", kind="datacenter", zone=zones[n % ZONES],
            country="DE", region="any", latitude=50, longitude=10, pue_ppm=1_000_000, created_at=NOW,
        )
        for n in range(offers // PER_POINT)
    ]  # fmt: skip
    Offer.objects.bulk_create(
        Offer(
            site=sites[n % len(sites)], hardware=hardware, title=f"Offer {first + n}", units=8, state="live",
            rate_mm=[200_000] * HOURS_OF_WEEK, created_at=NOW,
        )
        for n in range(offers)
    )  # fmt: skip
    plants = [_make_plant(site.point, number, first) for number, site in enumerate(sites)]
    _copy(COPY_GENERATION, (row for plant in plants for row in _generation(plant, dice)))
    _copy(COPY_USES, (row for site in sites for row in _uses(site.point_id, dice)))


def _make_plant(point: Any, number: int, first: int) -> Any:
    from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from marketplace.energy.models import EnergySource, SourceShare  # noqa: PLC0415

    auditor = User.objects.get_or_create(email="auditor@example.com")[0]
    plant = EnergySource.objects.create(
        organization=point.organization, zone=point.zone, device_id=f"plant {first + number}", name="Plant",
        kind="onsite", technology=("solar", "wind")[number % 2], capacity_w=LOAD_W, commissioned_on=date(2024, 1, 1),
        evidence="audited", verified_by=auditor, verified_at=NOW, created_at=NOW,
    )  # fmt: skip
    valid = DateTimeTZRange(NOW - timedelta(days=900), None)
    SourceShare.objects.create(source=plant, point=point, slice=NumericRange(0, 1_000_000), valid=valid)
    return plant


def _generation(plant: Any, dice: random.Random) -> Iterator[tuple[Any, ...]]:
    for n in range(1, HISTORY_HOURS + 1):
        start = NOW - n * HOUR
        usual = max(0.0, -math.cos(start.hour / 24 * 2 * math.pi)) if plant.technology == "solar" else 0.4
        yield plant.pk, start, "metered", int(2 * LOAD_W * usual * dice.random()), 0


def _uses(point: int, dice: random.Random) -> Iterator[tuple[Any, ...]]:
    for n in range(USES):
        yield (f"job_{point}_{n // 4}", point, NOW - (200 + n) * HOUR, 1000, 1000, 0, 0, dice.randint(1, 9),
               "metered_node", NOW)  # fmt: skip


def _copy(statement: str, rows: Iterator[tuple[Any, ...]]) -> None:
    from marketplace.energy.copying import copy_rows  # noqa: PLC0415

    copy_rows(statement, rows)


def run() -> dict[str, Any]:
    """Make the outlook of all that is on the shelf three times; seconds and rows."""
    from django.db import connection  # noqa: PLC0415

    from marketplace.booking.greenhours import refresh_listings  # noqa: PLC0415
    from marketplace.catalog.models import Offer  # noqa: PLC0415
    from marketplace.energy.models import GenerationHour, MeterPoint, ShareOutlook  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    seconds, rows = [], 0
    for _ in range(3):
        began = time.perf_counter()
        rows = refresh_listings(now=NOW)
        seconds.append(time.perf_counter() - began)
    return {
        "offers": Offer.objects.count(), "points": MeterPoint.objects.count(), "zones": ZONES,
        "generation_hours": GenerationHour.objects.count(), "rows": rows,
        "with_a_band": ShareOutlook.objects.exclude(matched=None).count(),
        "seconds": round(statistics.median(seconds), 2), "each": [round(each, 2) for each in seconds],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the outlook of every listing anew.")
    parser.add_argument("--offers", type=int, default=10_000)
    asked = parser.parse_args()
    with own_database():
        zones = make_zones()
        make_listings(asked.offers // 10, 1, zones)
        tenth = run()
        make_listings(asked.offers - asked.offers // 10, 1_000_000, zones)
        whole = run()
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    sys.stdout.write(json.dumps({"tenth": tenth, "whole": whole, **machine}, indent=1) + "\n")
    return 0 if whole["with_a_band"] == whole["rows"] == 2 * whole["offers"] else 3


if __name__ == "__main__":
    sys.exit(main())
