"""Offers, sites, places and hardware as the API shows them."""

from datetime import datetime
from typing import Any

from marketplace.catalog.models import HardwareClass, Offer, Place, Site


def offer_as_json(offer: Offer, now: datetime) -> dict[str, Any]:
    """One offer; `rate_mm` is the compute rate of the running hour."""
    return {
        "object": "offer",
        "id": offer.public_id,
        "title": offer.title,
        "state": offer.state,
        "paused_reason": offer.paused_reason or None,
        "version": offer.version,
        "sample": offer.sample,
        "tier": offer.tier,
        "term": offer.term,
        "currency": offer.currency,
        "units": offer.units,
        "twin": offer.twin.public_id if offer.twin else None,
        "notice_s": offer.notice_s,
        "boot_s": offer.boot_s,
        "network": offer.egress,
        "evidence": offer.evidence,
        "reliability_ppm": offer.reliability_ppm,
        "rate_mm": offer.rate_mm[now.weekday() * 24 + now.hour],
        "electricity_mm_per_kwh": offer.electricity_mm_per_kwh,
        "provider": {"id": offer.site.provider.public_id, "name": offer.site.provider.name},
        "site": site_summary(offer.site),
        "hardware": hardware_as_json(offer.hardware),
        "match": None,
    }


def site_summary(site: Site) -> dict[str, Any]:
    """A site inside an offer."""
    return {
        "id": site.public_id,
        "name": site.name,
        "name_zh": site.name_zh,
        "locality": site.locality,
        "locality_zh": site.locality_zh,
        "kind": site.kind,
        "country": site.country,
        "region": site.region,
        "lat": site.latitude,
        "lon": site.longitude,
        "zone": site.zone.code,
        "pue_ppm": site.pue_ppm,
        "sample": site.sample,
    }


def site_as_json(site: Site) -> dict[str, Any]:
    """A site by itself."""
    return {"object": "site"} | site_summary(site) | {"provider": site.provider.public_id}


def hardware_as_json(hardware: HardwareClass) -> dict[str, Any]:
    """What one unit is."""
    return {
        "object": "hardware_class",
        "id": hardware.slug,
        "slug": hardware.slug,
        "accelerator": hardware.accelerator,
        "vendor": hardware.vendor,
        "family": hardware.family,
        "memory_gb": hardware.memory_gb,
        "pf_milli": hardware.pf_milli,
        "benchmark": hardware.benchmark,
        "vcpus": hardware.vcpus,
        "ram_gb": hardware.ram_gb,
        "interconnect": hardware.interconnect,
        "idle_w": hardware.idle_w,
        "max_w": hardware.max_w,
    }


def place_as_json(place: Place) -> dict[str, Any]:
    """A place that latency is counted from."""
    return {
        "object": "place",
        "id": place.slug,
        "name": place.name,
        "name_zh": place.name_zh,
        "country": place.country,
        "lat": place.latitude,
        "lon": place.longitude,
    }
