"""Database → snapshot: the offers of a segment and the asks of its queue, as the core reads them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db.models import Q

from marketplace.booking.capacity import Hours
from marketplace.booking.contracts import watts_with_overhead
from marketplace.booking.greenhours import green_hours
from marketplace.booking.hours import hour_of_week
from marketplace.booking.pricing import all_in_rate_mm, electricity_rate_mm
from marketplace.booking.taking import Twins, twins_of
from marketplace.catalog.models import HOURS_OF_WEEK, Latency, Offer
from marketplace.common.clock import hour_floor
from marketplace.energy.pointhours import PointHours
from marketplace.energy.pointsources import NOTHING, Behind, sources_behind
from scheduler.core.asks import columns_of
from scheduler.core.types import (
    DUE_HORIZON_S,
    FREE_HORIZON_S,
    HOUR_S,
    Ask,
    OfferFacts,
    Placement,
    Reference,
    Snapshot,
    Victim,
)
from scheduler.leases import served_sites

HORIZON_HOURS = FREE_HORIZON_S // HOUR_S + 1  # so that the last day is whole
DUE_HORIZON_HOURS = DUE_HORIZON_S // HOUR_S + 1


@dataclass(frozen=True)
class Reading:
    """A shelf with the units that its facts were made of."""

    shelf: "Shelf"
    units: Hours


@dataclass(frozen=True)
class Shelf:
    """Live offers as rows and as facts, in the same order, and the hours of their metering points (by key)."""

    offers: Sequence[Offer]
    facts: tuple[OfferFacts, ...]
    points: Mapping[int, PointHours] = field(default_factory=dict)

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each offer stands, by its public id."""
        return {offer.public_id: place for place, offer in enumerate(self.offers)}

    @cached_property
    def keys(self) -> npt.NDArray[np.int64]:
        """The primary keys of the offers."""
        return np.array([offer.pk for offer in self.offers], dtype=np.int64)

    @cached_property
    def twins(self) -> Twins:
        """Who sells the same machines, as far as one of them is on the shelf: an offer keeps its twin for ever."""
        return twins_of(self.keys)

    def with_facts(self, facts: tuple[OfferFacts, ...]) -> "Shelf":
        """The same rows with other facts; what was worked out of the rows is kept."""
        shelf = Shelf(self.offers, facts, self.points)
        shelf.__dict__.update(place=self.place, keys=self.keys, twins=self.twins)
        return shelf

    def offer(self, public_id: str) -> Offer:
        """The row behind a fact."""
        return self.offers[self.place[public_id]]


def read_shelf(*, now: datetime, families: Iterable[str] = (), hours: int = HORIZON_HOURS) -> Shelf:
    """Every live offer (of `families`, if given) with its prices, energy and free units for `hours` from now.

    A constant number of queries whatever the number of offers. An offer in a zone whose hours nobody published is left
    out: nothing can be said of its energy.
    """
    wanted = list(families)
    return read_all(now=now, of=Q(hardware__family__in=wanted) if wanted else Q(), hours=hours).shelf


def read_all(*, now: datetime, of: Q, hours: int = HORIZON_HOURS) -> Reading:
    """The shelf of the offers that `of` chooses, and what it was made of."""
    offers = list(Offer.objects.live().with_shelf().filter(of).order_by("pk"))
    first = hour_floor(now)
    window = green_hours(sites=[offer.site for offer in offers], start=first, hours=hours, now=now)
    offers = [offer for offer in offers if window.has(offer.site.point_id)]
    latency = _latency()
    served, behind = served_sites(now), sources_behind(points={offer.site.point_id for offer in offers}, at=now)
    units = Hours(offers=[offer.pk for offer in offers], first=first, hours=hours)
    arrays = zip(
        _shelf_prices(offers, first, hours),
        map(tuple, (units.total - units.promised).tolist()),
        map(tuple, units.total.tolist()),
        strict=True,
    )
    facts = tuple(
        _facts(
            offer,
            window.points[offer.site.point_id],
            latency[offer.site_id],
            offer.site.public_id in served,
            behind.get(offer.site.point_id, NOTHING),
            *hourly,
        )
        for offer, hourly in zip(offers, arrays, strict=True)
    )
    return Reading(Shelf(offers, facts, window.points), units)


def hours_for(*, any_due: bool) -> int:
    """How many hours a round reads: week two as well when a job is due, since only such jobs may run in it."""
    return DUE_HORIZON_HOURS if any_due else HORIZON_HOURS


def take_snapshot(
    *,
    shelf: Shelf,
    asks: Sequence[Ask],
    reference: Reference,
    now: datetime,
    mode: str,
    hours: int = HORIZON_HOURS,
    warm: Mapping[str, tuple[int, ...]] | None = None,
    held: Mapping[str, Placement] | None = None,
    victims: tuple[Victim, ...] = (),
) -> Snapshot:
    """What one round may read; `hours` are those of the shelf, `warm` the prices kept from earlier rounds.

    `held` is what the asks are promised already, where they are replanned; `victims` what may end for them.
    """
    first, seen, now_s = hour_floor(now), columns_of(asks), int(now.timestamp())
    return Snapshot(
        now_s=now_s, first_hour_s=int(first.timestamp()), hours=hours, offers=shelf.facts, asks=seen,
        reference=reference, mode=mode, seed=seed_of(now_s, seen.ids), warm=warm or {},
        held=held or {}, victims=victims,
    )  # fmt: skip


def seed_of(now_s: int, ids: Iterable[str]) -> int:
    """63 bits that nobody chose: the head of the SHA-256 of the moment and of who is looked at."""
    named = "\n".join([str(now_s), *ids])
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:8]) >> 1


def _latency() -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for site, place, milliseconds in Latency.objects.values_list("site_id", "place__slug", "p95_ms"):
        found[site][place] = milliseconds
    return found


def _facts(
    offer: Offer,
    green: PointHours,
    latency: dict[str, int],
    served: bool,
    behind: Behind,
    price: tuple[int, ...],
    free: tuple[int, ...],
    total: tuple[int, ...],
) -> OfferFacts:
    site, hardware = offer.site, offer.hardware
    return OfferFacts(
        id=offer.public_id, title=offer.title, site=site.public_id, site_title=site.name,
        provider=site.provider.public_id, kind=site.kind, country=site.country, region=site.region,
        zone=site.zone.code, family=hardware.family, hardware=hardware.slug, accelerator=hardware.accelerator,
        memory_gb=hardware.memory_gb, interconnect=hardware.interconnect, pf_milli=hardware.pf_milli,
        watts=watts_with_overhead(offer), tier=offer.tier, term=offer.term, currency=offer.currency,
        notice_s=offer.notice_s, boot_s=offer.boot_s, reliability_ppm=offer.reliability_ppm, egress=offer.egress,
        evidence=offer.evidence, sample=offer.sample, price=price, share_ppm=green.renewable_ppm,
        matched_ppm=green.careful_ppm, ci_mg=green.lifecycle_mg, free=free, units_total=total, latency_ms=latency,
        carbon_free_ppm=green.carbon_free_ppm, served=served, energy_sources=behind.words,
        temporal_resolution=behind.resolution,
    )  # fmt: skip


def hourly_prices(offer: Offer, first: datetime, hours: int) -> tuple[int, ...]:
    """All-in mm per unit-hour for `hours` from the whole hour `first`."""
    return _shelf_prices([offer], first, hours)[0]


def _shelf_prices(offers: Sequence[Offer], first: datetime, hours: int) -> list[tuple[int, ...]]:
    """The same of each offer."""
    if not offers:
        return []
    electricity = [electricity_rate_mm(each.electricity_mm_per_kwh, watts_with_overhead(each)) for each in offers]
    compute = np.array([offer.rate_mm for offer in offers], dtype=np.int64)
    week = all_in_rate_mm(
        compute, np.array(electricity, dtype=np.int64)[:, None], settings.ADDED_FEE_BP, settings.TAX_BP
    )
    wanted = (hour_of_week(first) + np.arange(hours)) % HOURS_OF_WEEK
    return [tuple(prices) for prices in week[:, wanted].tolist()]
