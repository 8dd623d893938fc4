"""What a reviewer wants to know of a plant before deciding on it: what was metered, claimed, given away and sold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from marketplace.common.units import PPM
from marketplace.energy.lotchecks import BAD, GOOD, NOTE, Check
from marketplace.energy.models import CertificateLot, EnergySource, GenerationHour, SourceKind
from marketplace.energy.models.supply import RangeLength
from marketplace.energy.querysets import CertificateLotQuerySet


@dataclass(frozen=True, slots=True)
class Made:
    """What a source made by its meter: how many hours in [first, last], their Wh, and how many of them are claimed."""

    hours: int
    wh: int
    claimed_wh: int
    beyond: int  # hours of more than the plant can make
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class HourOfPlant:
    """One metered hour: what was made, what lots hold of it by their own ranges, and what is booked as claimed."""

    start: datetime
    wh: int
    lots_wh: int
    claimed_wh: int

    @property
    def free_wh(self) -> int:
        """What nobody has claimed."""
        return self.wh - self.claimed_wh


def made_by(source: EnergySource) -> Made:
    """The sums over all metered hours of `source`. One query."""
    sums = source.hours.filter(quality="metered").aggregate(
        hours=Count("pk"), made=Coalesce(Sum("wh"), 0), claimed=Coalesce(Sum("claimed_wh"), 0), first=Min("start"),
        last=Max("start"), beyond=Count("pk", filter=Q(wh__gt=source.capacity_w)),
    )  # fmt: skip
    return Made(
        sums["hours"], int(sums["made"]), int(sums["claimed"]), sums["beyond"], sums["first"], sums["last"]
    )  # fmt: skip


def latest_hours(source: EnergySource, *, most: int) -> list[HourOfPlant]:
    """The last metered hours that made anything, the latest first, each against the lots that are made of it."""
    hours = list(GenerationHour.objects.filter(source=source, quality="metered", wh__gt=0).order_by("-start")[:most])
    lots = _lots_of(source).filter(issuance__start__in=[hour.start for hour in hours])
    held = dict(lots.order_by().values_list("issuance__start").annotate(wh=Sum(RangeLength(F("wh_range")))))
    return [HourOfPlant(hour.start, hour.wh, int(held.get(hour.start, 0)), hour.claimed_wh) for hour in hours]


def checks_of_source(source: EnergySource, *, now: datetime) -> list[Check]:
    """Every check, in one order. A constant number of queries."""
    return [*_of_others(source), *_of_output(source), *_of_shares(source, now)]


def _lots_of(source: EnergySource) -> CertificateLotQuerySet:
    """All but refused lots of what it made."""
    return CertificateLot.objects.filter(issuance__source=source).exclude(state="refused")


def _of_others(source: EnergySource) -> Iterator[Check]:
    """Whether anybody else may claim the same energy."""
    yield Check("certificates_sold", BAD if source.certificates_sold else GOOD, {})
    others = CertificateLot.objects.exclude(state="refused").exclude(holder=source.organization_id)
    sums = others.filter(issuance__device_id=source.device_id).aggregate(
        lots=Count("pk"), wh=Coalesce(Sum(RangeLength(F("wh_range"))), 0)
    )
    yield Check("held_by_others", BAD if sums["lots"] else GOOD, sums)


def _of_output(source: EnergySource) -> Iterator[Check]:
    """Whether its meter was heard, saw no more than the plant can make, and covers what was claimed."""
    if not source.is_measured:
        yield Check("registry_alone", NOTE, {})
        return
    made = made_by(source)
    if not made.hours:
        yield Check("no_hours", NOTE, {})
        return
    yield Check("beyond_capacity", BAD if made.beyond else GOOD, {"hours": made.beyond, "of": made.hours})
    if source.kind != SourceKind.STORAGE:
        held = _lots_of(source).aggregate(wh=Coalesce(Sum(RangeLength(F("wh_range"))), 0))["wh"]
        facts = {"wh": made.wh, "claimed_wh": made.claimed_wh, "lots_wh": int(held)}
        yield Check("claimed", BAD if max(int(held), made.claimed_wh) > made.wh else GOOD, facts)


def _of_shares(source: EnergySource, now: datetime) -> Iterator[Check]:
    """How much of it serves points now; slices of one plant never overlap."""
    slices = [share.ppm for share in source.shares.filter(valid__contains=now)]
    facts = {"shares": len(slices), "ppm": sum(slices)}
    yield Check("shares", BAD if sum(slices) > PPM else GOOD if slices else NOTE, facts)
