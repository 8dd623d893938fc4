"""What a reviewer wants to know of certificates before deciding on them, each check with its figures.

Answered for many lots at once, in a constant number of queries, and changing nothing. What would count energy twice
comes first.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from marketplace.common.clock import hour_floor
from marketplace.common.units import ceil_div
from marketplace.energy.claiming import SourceHour
from marketplace.energy.models import CertificateLot, EnergySource, GenerationHour, Resolution, Scheme
from marketplace.energy.reviewing import kept_by_their_owners

GOOD, NOTE, BAD = "good", "note", "bad"
SECONDS = 3600


class Check(NamedTuple):
    """One thing that was looked at: `good`, a `note` to weigh, or `bad`: it speaks against accepting."""

    code: str
    tone: str
    facts: dict[str, Any]


class Interval(NamedTuple):
    """The time in which a device made what was certified."""

    start: datetime
    end: datetime


@dataclass
class _Around:
    """What the checks of some lots compare them with."""

    now: datetime
    kept: set[int]
    owners: dict[str, EnergySource]  # by device
    hours: dict[SourceHour, tuple[int, int]]  # Wh generated and claimed
    held: dict[str, dict[Interval, int]]  # Wh per device and interval, of all lots that are not refused
    meeting: dict[str, dict[Interval, list[Interval]]] = field(default_factory=dict)  # other intervals, by device
    alive: set[str] = field(default_factory=set)  # numbers of certificates that are still alive
    remade: set[str] = field(default_factory=set)  # of which others that are alive were made


def checks_of(lots: Sequence[CertificateLot], *, now: datetime) -> dict[int, list[Check]]:
    """By lot (key) every check, in one order. `lots` come with issuance, its zone and source, point and its zone."""
    around = _around(lots, now)
    return {lot.pk: list(_checks(lot, around)) for lot in lots}


def _around(lots: Sequence[CertificateLot], now: datetime) -> _Around:
    devices = {lot.issuance.device_id for lot in lots}
    owners = EnergySource.objects.filter(device_id__in=devices).select_related("organization")
    hours = {SourceHour(lot.issuance.source_id or 0, hour_floor(lot.issuance.start)) for lot in lots}
    metered = GenerationHour.objects.filter(
        source__in={hour.source for hour in hours}, start__in={hour.start for hour in hours}, quality="metered"
    ).values_list("source_id", "start", "wh", "claimed_wh")
    held = _held(lots)
    alive, remade = _underlying(lots)
    return _Around(
        now, kept_by_their_owners(lots), {owner.device_id: owner for owner in owners},
        {SourceHour(source, start): (wh, claimed) for source, start, wh, claimed in metered},
        held, {device: overlaps(list(intervals)) for device, intervals in held.items()}, alive, remade,
    )  # fmt: skip


def _held(lots: Sequence[CertificateLot]) -> dict[str, dict[Interval, int]]:
    """Wh that are held of the devices of `lots` in each interval that meets their time, refused ones aside."""
    found: dict[str, dict[Interval, int]] = defaultdict(lambda: defaultdict(int))
    if not lots:
        return found
    rows = CertificateLot.objects.exclude(state="refused").filter(
        issuance__device_id__in={lot.issuance.device_id for lot in lots},
        issuance__start__lt=max(lot.issuance.end for lot in lots),
        issuance__end__gt=min(lot.issuance.start for lot in lots),
    )
    for device, start, end, wh in rows.values_list(
        "issuance__device_id", "issuance__start", "issuance__end", "wh_range"
    ):
        found[device][Interval(start, end)] += wh.upper - wh.lower
    return found


def overlaps(intervals: Sequence[Interval]) -> dict[Interval, list[Interval]]:
    """For each of `intervals`, all different, the others that share some time with it."""
    found: dict[Interval, list[Interval]] = {each: [] for each in intervals}
    open_: list[Interval] = []
    for each in sorted(intervals):
        open_ = [other for other in open_ if other.end > each.start]
        for other in open_:
            found[each].append(other)
            found[other].append(each)
        open_.append(each)
    return found


def _underlying(lots: Sequence[CertificateLot]) -> tuple[set[str], set[str]]:
    made_of = {lot.issuance.underlying_serial for lot in lots if lot.issuance.underlying_serial}
    numbers = {lot.issuance.issuance_id for lot in lots}
    living = CertificateLot.objects.alive()
    alive = living.filter(issuance__issuance_id__in=made_of).values_list("issuance__issuance_id", flat=True)
    remade = living.filter(issuance__underlying_serial__in=numbers)
    serials = remade.values_list("issuance__underlying_serial", flat=True)
    return set(alive), {serial for serial in serials if serial}


def _checks(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    yield from _of_ownership(lot, around)
    yield from _of_time(lot, around)
    yield from _of_production(lot, around)
    yield from _of_underlying(lot, around)
    yield from _of_use(lot, around)


def _of_ownership(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    """Whose the energy of the plant is."""
    owner = around.owners.get(lot.issuance.device_id)
    if owner is None:
        yield Check("plant_unknown", NOTE, {"device": lot.issuance.device_id})
    elif lot.pk in around.kept:
        yield Check("plant_keeps", BAD, {"owner": owner.organization.name})
    elif owner.organization_id != lot.holder_id:
        yield Check("plant_sold", GOOD, {"owner": owner.organization.name})
    elif owner.certificates_sold:
        yield Check("own_sold", BAD, {"device": owner.device_id})
    else:
        yield Check("own_plant", GOOD, {"evidence": owner.evidence})


def _of_time(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    """Whether more is certified of the device and its time than it can make, or the same time twice."""
    issued = lot.issuance
    interval, device = Interval(issued.start, issued.end), issued.device_id
    own = lot.wh_range.upper - lot.wh_range.lower
    held = around.held[device].get(interval, own)  # a refused one is not among what is held
    facts = {"held_wh": held, "own_wh": own}
    if issued.capacity_w is None:
        yield Check("no_capacity", NOTE, facts)
    else:
        most = ceil_div(issued.capacity_w * ((issued.end - issued.start) // timedelta(seconds=1)), SECONDS)
        yield Check("capacity", BAD if held > most else GOOD, facts | {"most_wh": most})
    others = around.meeting[device].get(interval, []) if device in around.meeting else []
    wh = sum(around.held[device][each] for each in others)
    yield Check("same_time", NOTE if others else GOOD, {"intervals": len(others), "wh": wh})


def _of_production(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    """What the plant's own meter saw of the hour, where it is metered here."""
    source = lot.issuance.source
    if source is None or not source.is_measured:
        return
    made = around.hours.get(SourceHour(source.pk, hour_floor(lot.issuance.start)))
    if made is None:
        yield Check("not_metered", BAD, {})
    else:
        yield Check("production", GOOD if made[1] <= made[0] else BAD, {"wh": made[0], "claimed_wh": made[1]})


def _of_underlying(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    issued = lot.issuance
    if issued.underlying_serial:
        tone = BAD if issued.underlying_serial in around.alive else GOOD
        yield Check("underlying", tone, {"serial": issued.underlying_serial})
    if issued.issuance_id in around.remade:
        yield Check("remade", BAD, {"serial": issued.issuance_id})


def _of_use(lot: CertificateLot, around: _Around) -> Iterator[Check]:
    """Whether and for what it can be used."""
    issued, point = lot.issuance, lot.point
    if point is not None:
        here, there = (zone.market_boundary or zone.code for zone in (point.zone, issued.zone))
        yield Check("market", GOOD if here == there else BAD, {"here": here, "there": there})
    coarse = issued.temporal_resolution != Resolution.HOUR
    yield Check("resolution", NOTE if coarse else GOOD, {"resolution": issued.temporal_resolution})
    if not issued.tradable and issued.scheme != Scheme.METER:
        yield Check("not_tradable", NOTE, {})
    if issued.expires_at is not None:
        yield Check("expiry", BAD if issued.expires_at <= around.now else GOOD, {"at": issued.expires_at})


def worst(checks: Sequence[Check]) -> str:
    """The tone that matters most among `checks`."""
    tones = {check.tone for check in checks}
    return next((tone for tone in (BAD, NOTE) if tone in tones), GOOD)


def counted(checks: Mapping[int, Sequence[Check]]) -> dict[tuple[str, str], int]:
    """Of many lots: how often each check ended in each tone."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in checks.values():
        for check in row:
            found[check.code, check.tone] += 1
    return dict(found)
