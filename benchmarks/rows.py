"""A market made of random numbers: sites, offers, and as many waiting jobs as asked for, written by COPY.

Twelve regions, six classes of accelerators, 1 to 8 units, 1 to 24 hours (matching.md, section 7). The same seed makes
the same market; public ids are random.
"""

import json
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import Organization
from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Latency, Offer, Place, Site
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.ids import new_id
from marketplace.energy.models import GridHour, GridZone, MeterPoint

REGIONS = ("de", "fr", "es", "it", "pl", "se", "no", "fi", "ie", "nl", "pt", "cz")
CLASSES = (
    ("h100", 989, 80, 700), ("h200", 989, 141, 700), ("a100", 312, 80, 400),
    ("l40s", 362, 48, 350), ("mi300x", 1307, 192, 750), ("a10", 125, 24, 150),
)  # fmt: skip
SITES_PER_REGION = 4
BUYERS = 20
DAYS = 16
HISTORY_DAYS = 9
HOURS_OF_DAY = 24
SPEC = {
    "run": "python train.py", "setup": None, "env": {}, "image": None, "network": "none", "outputs": [],
    "checkpoint": None, "resources": {"cpus": 1, "memory_gb": None, "disk_gb": None},
}  # fmt: skip


def make_market(*, offers: int, now: datetime, seed: int = 0) -> None:
    """Write `offers` live offers of accelerators with 64 to 128 units each, and everything they stand on."""
    dice = random.Random(seed)  # noqa: S311  # a market, not a secret
    sites = _make_sites(now, dice)
    hardware = [_make_class(*each) for each in CLASSES]
    rows = Offer.objects.bulk_create(
        _offer(dice, dice.choice(sites), dice.choice(hardware), now) for _ in range(offers)
    )
    CapacityDay.objects.bulk_create(
        (
            CapacityDay(offer=offer, day=now.date() + timedelta(days=n), units_total=[offer.units] * HOURS_OF_DAY)
            for offer in rows
            for n in range(DAYS)
        ),
        batch_size=2_000,
    )


def _make_sites(now: datetime, dice: random.Random) -> list[Site]:
    zones = [
        GridZone(code=f"B-{region.upper()}", name=region.upper(), country=region.upper(), timezone="UTC")
        for region in REGIONS
    ]
    GridZone.objects.bulk_create(zones)
    GridHour.objects.bulk_create(hour for zone in zones for hour in _hours(zone, now, dice))
    providers = Organization.objects.bulk_create(
        Organization(name=f"Provider {n}", country="DE", created_at=now) for n in range(len(REGIONS))
    )
    points = [
        MeterPoint(
            organization=provider, code=f"{region} {n}", zone=zone, pue_design_ppm=1_200_000, created_at=now
        )
        for region, zone, provider in zip(REGIONS, zones, providers, strict=True)
        for n in range(SITES_PER_REGION)
    ]  # fmt: skip
    MeterPoint.objects.bulk_create(points)
    metered = iter(points)
    sites = Site.objects.bulk_create(
        Site(
            provider=provider, point=next(metered), name=f"{region.upper()} {n}", locality=region.upper(),
            kind="datacenter", zone=zone, country=region.upper(), region=f"{region}-{n}",
            latitude=50, longitude=10, created_at=now,
        )
        for region, zone, provider in zip(REGIONS, zones, providers, strict=True)
        for n in range(SITES_PER_REGION)
    )  # fmt: skip
    places = Place.objects.bulk_create(
        Place(slug=f"place-{region}", name=region, name_zh=region, country=region.upper(), latitude=50, longitude=10)
        for region in REGIONS
    )
    Latency.objects.bulk_create(
        Latency(place=place, site=site, p95_ms=dice.randint(2, 90)) for place in places for site in sites
    )
    return sites


def _hours(zone: GridZone, now: datetime, dice: random.Random) -> Iterable[GridHour]:
    first = hour_floor(now) - timedelta(days=HISTORY_DAYS)
    for n in range(HISTORY_DAYS * HOURS_OF_DAY):
        renewable = dice.randint(200_000, 900_000)
        yield GridHour(
            zone=zone, start=first + n * HOUR, direct_mg_per_kwh=300_000, lifecycle_mg_per_kwh=400_000,
            renewable_ppm=renewable, carbon_free_ppm=renewable + 50_000, source="benchmark", vintage="1",
            published_at=first + n * HOUR,
        )  # fmt: skip


def _make_class(slug: str, pf_milli: int, memory_gb: int, watts: int) -> HardwareClass:
    hardware, _ = HardwareClass.objects.get_or_create(
        slug=f"bench-{slug}",
        defaults={
            "accelerator": slug.upper(), "vendor": "any", "family": "accelerator", "memory_gb": memory_gb,
            "pf_milli": pf_milli, "benchmark": "dense BF16", "vcpus": 16, "ram_gb": 128, "idle_w": 90, "max_w": watts,
        },
    )  # fmt: skip
    return hardware


def _offer(dice: random.Random, site: Site, hardware: HardwareClass, now: datetime) -> Offer:
    base = dice.randint(120, 350) * hardware.pf_milli
    return Offer(
        site=site, hardware=hardware, title=f"{site.name} {hardware.accelerator}", units=dice.randint(64, 128),
        rate_mm=[base + dice.randint(0, base // 4) for _ in range(HOURS_OF_WEEK)], state="live",
        electricity_mm_per_kwh=2_000, created_at=now,
    )  # fmt: skip


def make_buyers(now: datetime) -> list[int]:
    """The keys of the organizations whose jobs wait."""
    rows = Organization.objects.bulk_create(
        Organization(name=f"Buyer {n}", country="DE", created_at=now) for n in range(BUYERS)
    )
    return [row.pk for row in rows]


def ask_kinds(*, kinds: int, seed: int = 0) -> list[dict[str, Any]]:
    """`kinds` different asks of one unit each: place, weights, run time, and for some an accelerator or a price."""
    dice = random.Random(seed)  # noqa: S311  # a market, not a secret
    return [_ask(dice) for _ in range(kinds)]


def _ask(dice: random.Random) -> dict[str, Any]:
    limits: dict[str, Any] = {"family": ["accelerator"], "currency": ["USD"]}
    if dice.random() < 0.5:
        limits["accelerator"] = [name.upper() for name, *_ in dice.sample(CLASSES, 3)]
    if dice.random() < 0.3:
        limits["renewable_share__gte"] = dice.randint(20, 45) * 10_000
    return {
        "units": 1, "run_s": dice.randint(1, 24) * 3600 - dice.randint(0, 1800), "segment": "accelerator",
        "weights": dice.choice([[40, 20, 40], [80, 10, 10], [10, 80, 10], [10, 10, 80], [34, 33, 33]]),
        "when": "balanced", "near": f"place-{dice.choice(REGIONS)}", "limits": limits, "rates": None,
        "reference_pf_milli": None, "time_limit_by_class": {},
    }  # fmt: skip


COPY_JOBS = """
COPY scheduler_job (public_id, buyer_id, name, file, spec, ask, segment, region_group, units, time_limit_s, retries,
                    state, reason, version, attempts_made, excluded_sites, budget_stated, budget_stop, due_at,
                    next_attempt_at, created_at)
FROM STDIN
"""


def copy_jobs(
    *, count: int, kinds: Sequence[dict[str, Any]], buyers: Sequence[int], now: datetime, seed: int = 0,
    groups: Sequence[str] = ("",), most_units: int = 8,
) -> None:  # fmt: skip
    """Queue `count` jobs of 1 to `most_units` units whose turn is now, dealt out to the groups of regions."""
    dice = random.Random(seed)  # noqa: S311  # a market, not a secret
    spec = json.dumps(SPEC)
    with connection.cursor() as cursor, cursor.copy(COPY_JOBS) as copy:  # type: ignore[attr-defined]
        for number in range(count):
            ask = kinds[number % len(kinds)] | {"units": dice.randint(1, most_units)}
            copy.write_row(
                (
                    new_id("job"), dice.choice(buyers), f"job {number}", json.dumps({"run": "python train.py"}), spec,
                    json.dumps(ask), ask["segment"], groups[number % len(groups)], ask["units"], ask["run_s"], 2,
                    "queued", "", 1, 0, [], False, False, now + timedelta(hours=6), now, now,
                )
            )  # fmt: skip
