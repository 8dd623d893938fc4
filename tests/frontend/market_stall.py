"""A shelf of accelerators for the tests of the store's pages; times are real, because pages read the clock."""

from typing import Any

from django.test import Client

from marketplace.booking.models import CapacityDay
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from tests.market import make_hardware, make_offer, make_organization, make_place, make_site
from tests.scheduler.scene import publish_hours

NEED = "units=2&hours=3&near=berlin"


def stock(name: str, *, latency_ms: int = 20, rate_mm: int = 200_000, kind: str = "datacenter", **fields: Any) -> Offer:
    """A live accelerator offer called `name`, so many ms from Berlin."""
    now = utc_now()
    site = make_site(make_organization(f"{name} Compute"), name=name, kind=kind)
    offer = make_offer(site, hardware=make_hardware(), now=now, rate_mm=rate_mm, **fields)
    publish_hours(site.zone, hour_floor(now))
    make_place(**{site.public_id: latency_ms})
    return offer


def order(browser: Client, offer: Offer, **fields: str) -> Any:
    """Press a button of the order box."""
    at = f"/offers/{offer.public_id}/?{NEED}"
    form = {"units": "2", "hours": "3", "near": "berlin", "do": "reserve", "request_key": "key_a"} | fields
    return browser.post(at, form)


def promised(offer: Offer, hour: Any) -> int:
    return CapacityDay.objects.get(offer=offer, day=hour.date()).units_promised[hour.hour]
