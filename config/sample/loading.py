"""Builds the sample market; running it again changes nothing that is there."""

import csv
import os
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange

from accounts.models import Organization, User
from config.sample.accounts import email_of
from config.sample.shapes import UTC_OFFSET, units_on_shelf, weekly_rates
from marketplace.booking.greenhours import load_watts, refresh_listings
from marketplace.booking.models import CapacityDay
from marketplace.booking.services import ensure_capacity
from marketplace.catalog.latency import estimated_ms
from marketplace.catalog.models import HardwareClass, Latency, Offer, Place, Site
from marketplace.catalog.services import publish_offer
from marketplace.catalog.sites import add_site
from marketplace.common.clock import hour_floor
from marketplace.common.units import PPM
from marketplace.energy.models import EnergySource, GridZone, SourceShare
from marketplace.energy.sampleplants import refresh_sample_generation
from marketplace.energy.services import refresh_sample_hours

HERE = Path(__file__).parent
DAYS = 16
ELECTRICITY_MM_PER_KWH = {"CN": 5_500, "SE": 4_500, "DE": 14_000, "US": 6_500, "SG": 16_000}


def rows(name: str) -> Iterator[dict[str, str]]:
    """The lines of one of the CSV files here."""
    with (HERE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@transaction.atomic
def load_market(*, now: datetime, owner: Organization) -> None:
    """Places, hardware, zones with their hours, sites, offers, capacity and plants.

    `owner` owns this machine's site; the sample accounts are there.
    """
    refresh_sample_hours(now=now)
    _load_places()
    _load_hardware()
    sites = _load_sites(now)
    sites["this-machine"] = _load_this_machine(owner, now)
    _load_latencies(sites)
    for row in rows("offers"):
        _load_offer(row, sites[row["site"]], now)
    _load_own_offer(sites["this-machine"], now)
    _load_plants(sites, now)
    refresh_listings(now=now)


def _load_places() -> None:
    for row in rows("places"):
        point = {"latitude": float(row.pop("latitude")), "longitude": float(row.pop("longitude"))}
        Place.objects.get_or_create(slug=row.pop("slug"), defaults=row | point)


def _load_hardware() -> None:
    HardwareClass.objects.bulk_create((HardwareClass(**row) for row in rows("hardware")), ignore_conflicts=True)


def _load_sites(now: datetime) -> dict[str, Site]:
    zones = {zone.code: zone for zone in GridZone.objects.all()}
    sites = {}
    for row in rows("sites"):
        point = {"latitude": float(row.pop("latitude")), "longitude": float(row.pop("longitude"))}
        slug, provider, zone = row.pop("slug"), row.pop("provider"), zones[row.pop("zone")]
        organization, _ = Organization.objects.get_or_create(
            name=provider, sample=True, defaults={"country": row["country"], "created_at": now}
        )
        there = Site.objects.filter(name=row["name"], provider=organization).first()
        sites[slug] = there or add_site(
            **(row | point), provider=organization, zone=zone, sample=True, created_at=now
        )  # fmt: skip
    return sites


def _load_this_machine(owner: Organization, now: datetime) -> Site:
    return Site.objects.filter(this_machine=True, sample=True).first() or add_site(
        this_machine=True, sample=True, provider=owner, name="This machine", name_zh="本机",
        locality="where Joulemart runs", locality_zh="Joulemart 所在的机器", kind="edge", country="DE",
        region="eu-central", latitude=52.52, longitude=13.40, zone=GridZone.objects.get(code="DE"), pue_ppm=1_000_000,
        created_at=now,
    )  # fmt: skip


def _load_latencies(sites: dict[str, Site]) -> None:
    """Great-circle estimates; this machine's place is not known, so its latencies are not either."""
    Latency.objects.bulk_create(
        (
            Latency(
                place=place,
                site=site,
                p95_ms=estimated_ms((place.latitude, place.longitude), (site.latitude, site.longitude)),
            )
            for place in Place.objects.all()
            for site in sites.values()
            if not site.this_machine
        ),
        ignore_conflicts=True,
    )


def _load_offer(row: dict[str, str], site: Site, now: datetime) -> None:
    hardware = HardwareClass.objects.get(slug=row["hardware"])
    title = f"{site.name} · {hardware.accelerator}" + (" · interruptible" if row["tier"] == "interruptible" else "")
    offset = UTC_OFFSET[site.country]
    offer, fresh = Offer.objects.get_or_create(
        site=site, title=title, sample=True,
        defaults={
            "hardware": hardware, "units": int(row["units"]), "tier": row["tier"], "term": row["term"],
            "rate_mm": weekly_rates(int(row["rate_mm"]), int(row["solar_dip"]), offset),
            "electricity_mm_per_kwh": ELECTRICITY_MM_PER_KWH[site.country], "notice_s": int(row["notice_s"]),
            "boot_s": int(row["boot_s"]), "egress": row["egress"] == "1", "evidence": row["evidence"],
            "reliability_ppm": int(row["reliability_ppm"]), "created_at": now,
        },
    )  # fmt: skip
    if fresh:
        publish_offer(offer=offer, now=now)
    extend_capacity(offer, now)


def _load_own_offer(site: Site, now: datetime) -> None:
    offer, fresh = Offer.objects.get_or_create(
        site=site, title="This machine · vCPU", sample=True,
        defaults={
            "hardware": HardwareClass.objects.get(slug="vcpu"), "units": os.cpu_count() or 1,
            "rate_mm": weekly_rates(1_500, 0, 0), "electricity_mm_per_kwh": 14_000, "egress": True, "boot_s": 1,
            "created_at": now,
        },
    )  # fmt: skip
    if fresh:
        publish_offer(offer=offer, now=now)
    ensure_capacity(offer=offer, first=now.date(), days=DAYS)


def _load_plants(sites: dict[str, Site], now: datetime) -> None:
    """A plant on some sites, `percent` of what all their offers draw, verified by the sample operator."""
    operator, watts = User.objects.get(email=email_of("operator")), load_watts(served=False)
    for row in rows("plants"):
        site = sites[row["site"]]
        plant, fresh = EnergySource.objects.get_or_create(
            device_id=f"sample-{row['site']}-{row['technology']}",
            defaults={
                "organization": site.provider, "name": row["name"], "kind": "onsite", "technology": row["technology"],
                "capacity_w": max(1, watts[site.point_id] * int(row["percent"]) // 100), "zone": site.zone,
                "commissioned_on": date(2024, 5, 1), "evidence": "audited", "verified_by": operator, "verified_at": now,
                "sample": True, "created_at": now,
            },
        )  # fmt: skip
        if fresh:
            whole, valid = NumericRange(0, PPM), DateTimeTZRange(hour_floor(now), None)
            SourceShare.objects.create(source=plant, point=site.point, slice=whole, valid=valid)
    refresh_sample_generation(now=now)


def extend_capacity(offer: Offer, now: datetime) -> None:
    """Days that are new get the offer's sample shape; days that exist keep what they have."""
    known = set(CapacityDay.objects.filter(offer=offer).values_list("day", flat=True))
    ensure_capacity(offer=offer, first=now.date(), days=DAYS)
    fresh = [day for day in CapacityDay.objects.filter(offer=offer) if day.day not in known]
    for day in fresh:
        day.units_total = units_on_shelf(offer.title, offer.units, day.day.isoformat())
    CapacityDay.objects.bulk_update(fresh, ["units_total"])
