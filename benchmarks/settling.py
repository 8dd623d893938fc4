"""Jobs settled against hours of generation; prints one JSON document.

. the environment of `make services`, then
.venv/bin/python -m benchmarks.settling --jobs 10000 --generation-hours 100000

Makes a database of its own beside the one DATABASE_URL names, and drops it. Every point has one plant, verified, and a
meter; each gives an hour of generation for a thousand hours. The jobs, of 1 to 8 hours, ran at random points. First
everything is told (generation with the lots it becomes, readings, uses, provisional receipts), then every hour is
settled and every receipt written anew, signed and final; a tenth of all before the whole, to see how it grows. Exit
status 3 when a use is left unsettled or a receipt unwritten.
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


def tell_grid() -> None:
    """The zone's hours, as the grid publishes them."""
    from marketplace.energy.models import GridHour, GridZone  # noqa: PLC0415

    zone = GridZone.objects.create(code="DE", name="Germany", country="DE")
    GridHour.objects.bulk_create(
        GridHour(
            zone=zone, start=START + n * HOUR, direct_mg_per_kwh=350_000 + n, lifecycle_mg_per_kwh=400_000 + n,
            renewable_ppm=500_000, carbon_free_ppm=500_000, source="benchmark", vintage="1", estimated=False,
            published_at=START + n * HOUR,
        )
        for n in range(PER_POINT)
    )  # fmt: skip


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


def work_at(subject: str, point: Any, buyer: Any, start: datetime, end: datetime) -> Any:
    """What the market knows of a job: one place, eight units, a contract with a metered line for each hour."""
    from marketplace.energy.receipts.payload import Work  # noqa: PLC0415

    provider = {"id": point.organization.public_id, "name": point.organization.name}
    lines = [
        {
            "attempt": "att_1", "start": (start + n * HOUR).isoformat(), "end": (start + (n + 1) * HOUR).isoformat(),
            "units": 8, "energy_wh": 3_000, "line_sha256": "0" * 64,
        }
        for n in range((end - start) // HOUR)
    ]  # fmt: skip
    return Work(
        subject=subject, kind="job", buyer=buyer, start=start, end=end, sample=False,
        places=[{
            "point": point.code, "provider": provider, "site": {"id": "sit_1", "name": "Hall", "locality": "Kassel"},
            "country": "DE", "zone": "DE", "boundary": "DE", "water_ml_per_kwh": None,
        }],
        equipment=[{
            "hardware": "h100", "unit_seconds": 8 * 3_600 * len(lines), "embodied_kg": 1_000, "lifetime_h": 43_800,
            "units_per_node": 8,
        }],
        record={"contracts": [{"id": "con_1", "metered": lines, "lines": []}]},
    )  # fmt: skip


def tell_work(first: int, jobs: int, points: list[tuple[Any, Any, Any]]) -> int:
    """The provisional receipts of the jobs, as they are issued when a job ends."""
    from django.db.models import Max, Min  # noqa: PLC0415

    from accounts.models import Organization  # noqa: PLC0415
    from marketplace.energy.models import UseHour  # noqa: PLC0415
    from marketplace.energy.receipts.issuing import call_receipts, issue_provisional  # noqa: PLC0415

    buyer = Organization.objects.get_or_create(name="Buyer", defaults={"country": "DE", "created_at": START})[0]
    by_key = {point.pk: point for point, _, _ in points}
    subjects = [f"job_{number}" for number in range(first, first + jobs)]
    call_receipts(subjects=subjects, now=START)
    spans = UseHour.objects.filter(subject__in=subjects).order_by().values_list("subject", "point")
    told = 0
    for subject, key, begin, last in spans.annotate(begin=Min("start"), last=Max("start")):
        work = work_at(subject, by_key[key], buyer, begin, last + HOUR)
        told += issue_provisional(work=work, now=last + HOUR).version
    return told


def settle_all() -> int:
    from marketplace.energy.settling import settle_due  # noqa: PLC0415

    now, settled = START + (PER_POINT + 100) * HOUR, 0
    while found := settle_due(now=now):
        settled += found
    return settled


def receipts_all() -> int:
    from marketplace.energy.receipts.issuing import advance_receipts  # noqa: PLC0415

    return advance_receipts(now=START + (PER_POINT + 100) * HOUR)


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
    provisional, _ = timed(lambda: tell_work(first * 1_000_000, jobs, points))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    seconds, settled = timed(settle_all)
    receipts, issued = timed(receipts_all)
    return {
        "jobs": jobs, "generation_hours": hours, "lots": lots, "use_hours": told, "settled": settled,
        "receipts": issued, "settle_s": round(seconds, 2), "receipts_s": round(receipts, 2),
        "tell_work_s": round(provisional, 2), "tell_generation_s": round(generation, 2),
        "tell_readings_s": round(readings, 2), "tell_uses_s": round(uses, 2), **counts(),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Settle jobs against hours of generation.")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--generation-hours", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with own_database():
        tell_grid()
        small = run(asked.jobs // 10, asked.generation_hours // 10, 1, asked.seed)
        whole = run(asked.jobs, asked.generation_hours, 1_000_000, asked.seed)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    sys.stdout.write(json.dumps({"tenth": small, "whole": whole, **machine}, indent=1) + "\n")
    done = whole["settled"] == whole["use_hours"] and whole["receipts"] == whole["jobs"]
    return 0 if done else 3


if __name__ == "__main__":
    sys.exit(main())
