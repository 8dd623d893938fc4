"""A shelf of accelerators that differ in everything a buyer may ask for."""

from datetime import timedelta
from typing import Any

from django.http import QueryDict

from marketplace.catalog.filters import OfferFilter
from marketplace.catalog.models import Offer
from marketplace.energy.models import GridHour
from scheduler.search import Need, need_of
from tests.market import MONDAY, make_hardware, make_offer, make_organization, make_place, make_site, make_zone
from tests.scheduler.scene import publish_hours

SHARES = {"GREEN": 900_000, "MIXED": 500_000, "GREY": 100_000}


def publish(code: str, renewable_ppm: int, now: Any, days: int = 9) -> None:
    """Hours of a zone with a constant renewable share."""
    zone = make_zone(code)
    publish_hours(zone, now, days)
    hours = list(GridHour.objects.filter(zone=zone))
    GridHour.objects.bulk_create(
        GridHour(
            zone=zone, start=hour.start, direct_mg_per_kwh=hour.direct_mg_per_kwh,
            lifecycle_mg_per_kwh=1_000_000 - renewable_ppm, renewable_ppm=renewable_ppm, carbon_free_ppm=950_000,
            source="test", vintage="2", published_at=hour.published_at + timedelta(seconds=1),
        ) for hour in hours
    )  # fmt: skip


def make_shelf(now: Any = MONDAY) -> dict[str, Offer]:
    """{name: offer}: near and dear, far and green, cheap and grey, an A100 on the edge, an interruptible one."""
    for code, share in SHARES.items():
        publish(code, share, now + timedelta(days=1))
    provider = make_organization("Nauen Compute")
    a100 = make_hardware("a100", accelerator="A100", pf_milli=312, memory_gb=40, max_w=400, idle_w=50)
    wanted: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "near": ("MIXED", {"country": "DE"}, {"rate_mm": 300_000}),
        "green": ("GREEN", {"country": "NO", "region": "eu-north"}, {"rate_mm": 250_000}),
        "grey": ("GREY", {"country": "PL"}, {"rate_mm": 180_000, "units": 16}),
        "edge": ("MIXED", {"kind": "edge", "country": "FR"}, {"rate_mm": 90_000, "hardware": a100}),
        "loose": ("MIXED", {"country": "SE"}, {"rate_mm": 150_000, "tier": "interruptible", "notice_s": 30}),
    }
    offers = {}
    for name, (zone, site, fields) in wanted.items():
        place = make_site(provider, name=f"{name.title()} Site", zone=make_zone(zone), **site)
        offers[name] = make_offer(place, now=now, **fields)
    milliseconds = {"near": 4, "green": 35, "grey": 20, "edge": 60, "loose": 28}
    make_place(**{offers[name].site.public_id: ms for name, ms in milliseconds.items()})
    return offers


def need(text: str) -> Need:
    """The need that a query string states."""
    return need_of(OfferFilter.read(QueryDict(text)))
