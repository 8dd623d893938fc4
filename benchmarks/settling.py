"""Jobs settled against hours of generation; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.settling --jobs 10000 --generation-hours 100000

Makes a database of its own beside the one DATABASE_URL names, and drops it. Every point has one plant, verified, and a
meter; each gives an hour of generation for a thousand hours. The jobs, of 1 to 8 hours, ran at random points. First
everything is told (generation with the lots it becomes, readings, uses), then every hour is settled; a tenth of all
before the whole, to see how it grows. Exit status 3 when a use is left unsettled.
"""

import argparse
import json
import platform
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.database import own_database

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PER_POINT = 1_000  # hours of generation


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, what it returned)."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def make_points(count: int, first: int) -> list[tuple[Any, Any, Any]]:
    """(point, plant, share) of each, the plant verified."""
    from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange  # noqa: PLC0415

    from accounts.models import Organization, User  # noqa: PLC0415
    from marketplace.energy.models import EnergySource, GridZone, MeterPoint, SourceShare  # noqa: PLC0415

    zone, _ = GridZone.objects.get_or_create(code="DE", defaults={"name": "Germany", "country": "DE"})
    auditor = User.objects.get_or_create(email="auditor@example.com")[0]
    provider = Organization.objects.create(name=f"Provider {first}", country="DE", created_at=START)
    found = []
    for number in range(first, first + count):
        point = MeterPoint.objects.create(
            organization=provider, code=f"point {number}", zone=zone, pue_design_ppm=1_200_000, created_at=START
        )
        source = EnergySource.objects.create(
            organization=provider, zone=zone, device_id=f"plant {number}", name=f"Plant {number}", kind="onsite",
            technology="solar", capacity_w=500_000, commissioned_on=date(2024, 1, 1), evidence="audited",
            verified_by=auditor, verified_at=START, created_at=START,
        )  # fmt: skip
        share = SourceShare.objects.create(
            source=source, point=point, slice=NumericRange(0, 1_000_000), valid=DateTimeTZRange(START, None)
        )
        found.append((point, source, share))
    return found


def tell_generation(points: list[tuple[Any, Any, Any]], dice: random.Random) -> int:
    from marketplace.energy.generation import Made, record_generation  # noqa: PLC0415

    return sum(
        record_generation(
            source=source, made=[Made(START + n * HOUR, dice.randint(1, 400_000)) for n in range(PER_POINT)], now=START
        )
        for _, source, _ in points
    )


def tell_readings(points: list[tuple[Any, Any, Any]]) -> int:
    from marketplace.energy.metering import Reading, record_readings  # noqa: PLC0415

    readings = [Reading(START + n * HOUR, 300_000, 340_000) for n in range(PER_POINT)]
    return sum(record_readings(point=point, readings=readings) for point, _, _ in points)


def tell_uses(points: list[tuple[Any, Any, Any]], jobs: int, first: int, dice: random.Random) -> int:
    from marketplace.energy.metering import UsePart, record_use  # noqa: PLC0415

    told = 0
    for number in range(first, first + jobs):
        hours, begin = dice.randint(1, 8), dice.randrange(PER_POINT - 8)
        parts = [UsePart(START + (begin + n) * HOUR, dice.randint(100, 6_000), 8 * 3600) for n in range(hours)]
        told += record_use(
            subject=f"job_{number}", point=dice.choice(points)[0], parts=parts, method="metered_device"
        )  # fmt: skip
    return told


def settle_all() -> int:
    from marketplace.energy.settling import settle_due  # noqa: PLC0415

    now, settled = START + (PER_POINT + 100) * HOUR, 0
    while found := settle_due(now=now):
        settled += found
    return settled


def counts() -> dict[str, int]:
    from marketplace.energy.models import CertificateSpan, MatchLine, SupplyEntry  # noqa: PLC0415

    return {
        "match_lines": MatchLine.objects.count(), "entries": SupplyEntry.objects.count(),
        "spans": CertificateSpan.objects.count(),
    }  # fmt: skip


def run(jobs: int, hours: int, first: int, seed: int) -> dict[str, Any]:
    """Tell and settle once; seconds and rows."""
    from django.db import connection  # noqa: PLC0415

    dice = random.Random(seed)  # noqa: S311  # a benchmark
    points = make_points(hours // PER_POINT, first)
    generation, lots = timed(lambda: tell_generation(points, dice))
    readings, _ = timed(lambda: tell_readings(points))
    uses, told = timed(lambda: tell_uses(points, jobs, first * 1_000_000, dice))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    seconds, settled = timed(settle_all)
    return {
        "jobs": jobs, "generation_hours": hours, "lots": lots, "use_hours": told, "settled": settled,
        "settle_s": round(seconds, 2), "tell_generation_s": round(generation, 2), "tell_readings_s": round(readings, 2),
        "tell_uses_s": round(uses, 2), **counts(),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Settle jobs against hours of generation.")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--generation-hours", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with own_database():
        small = run(asked.jobs // 10, asked.generation_hours // 10, 1, asked.seed)
        whole = run(asked.jobs, asked.generation_hours, 1_000_000, asked.seed)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    sys.stdout.write(json.dumps({"tenth": small, "whole": whole, **machine}, indent=1) + "\n")
    return 0 if whole["settled"] == whole["use_hours"] else 3


if __name__ == "__main__":
    sys.exit(main())
