"""What the console shows of certificates: lots, whom their energy is for, statements that are due, and two checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Organization
from frontend.components.energywords import lot_state_name
from frontend.components.formats import clock, zone_of
from frontend.components.supplybar import supply_bar, supply_parts
from marketplace.common.clock import hour_floor
from marketplace.energy.balance import settled_at
from marketplace.energy.models import (
    CertificateLot,
    CertificateSpan,
    GenerationHour,
    Issuance,
    MatchLine,
    MeterPoint,
    ReceiptStep,
    Resolution,
    Scheme,
)
from marketplace.energy.models.receipts import Step
from marketplace.energy.models.supply import RangeLength
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.receipts.words import scheme_name, technology_name
from marketplace.energy.states import OWNED, SUPPLY

MATCH_DAYS = 30
SHOWN = 20  # subjects
TONES = {"pending": "warn", "active": "good", "refused": "bad"}
SETTLED = ("used", "matched", "volume")


@dataclass(frozen=True, slots=True)
class LotRow:
    """A lot in words. `interval` is in the time of its zone; of a month or year it never looks like hours."""

    lot: CertificateLot
    what: str
    technology: str
    device: str
    interval: str
    range: tuple[int, int]
    bar: SafeString
    parts: list[dict[str, str]]
    hourly: bool
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class Due:
    """A range of a lot that is to be cancelled at the registry for a job or reservation.

    `by` is when it is given back instead; None while the hours of its subject are not settled: then it is not due.
    """

    lot: CertificateLot
    lower: int
    upper: int
    subject: str
    by: datetime | None


def lots_of(organization: Organization) -> CertificateLotQuerySet:
    """The organization's lots with what their rows show."""
    rows: CertificateLotQuerySet = CertificateLot.objects.of([organization])
    return rows.select_related("issuance__zone", "issuance__source", "point")


def lot_row(lot: CertificateLot) -> LotRow:
    """One lot in words."""
    issued, wh = lot.issuance, {state: getattr(lot, f"{state}_wh") for state in SUPPLY}
    return LotRow(
        lot, scheme_name(issued.scheme, issued.temporal_resolution), technology_name(issued.technology),
        issued.device_name or issued.device_id, interval_of(issued), (lot.wh_range.lower, lot.wh_range.upper),
        supply_bar(wh), supply_parts(wh), issued.temporal_resolution == Resolution.HOUR,
        lot_state_name(lot.state), TONES.get(lot.state, ""),
    )  # fmt: skip


def interval_of(issued: Issuance) -> str:
    """`2026-11-23 08:00–09:00` in the zone's time; of a day or more its days: `2026-03-01 – 2026-03-31`."""
    where = zone_of(issued.zone.timezone)
    start, end = issued.start.astimezone(where), issued.end.astimezone(where)
    if issued.temporal_resolution == Resolution.HOUR:
        return f"{start:%Y-%m-%d} {clock(start, where)}–{clock(end, where)}"
    last = end - timedelta(microseconds=1)
    return f"{start:%Y-%m-%d}" if start.date() == last.date() else f"{start:%Y-%m-%d} – {last:%Y-%m-%d}"


def dues_of(organization: Organization, lot: CertificateLot | None = None) -> list[Due]:
    """Ranges that wait for a registry's statement, what is due first by its deadline, then what is not settled yet.

    On-site records are no registry's: they are cancelled here.
    """
    spans = CertificateSpan.objects.filter(lot__holder=organization, state="reserved")
    spans = spans.exclude(lot__issuance__scheme=Scheme.METER).select_related("lot__issuance", "lot__point")
    if lot is not None:
        spans = spans.filter(lot=lot)
    found = list(spans.order_by("lot", "wh_range"))
    steps = ReceiptStep.objects.filter(subject__in={span.subject for span in found}, step=Step.FINAL)
    deadlines = dict(steps.values_list("subject", "due_at"))
    dues = [
        Due(span.lot, span.wh_range.lower, span.wh_range.upper, span.subject, deadlines.get(span.subject))
        for span in found
    ]
    return sorted(dues, key=lambda due: (due.by is None, due.by.timestamp() if due.by else 0, due.lot.pk, due.lower))


def subjects_of(organization: Organization) -> tuple[list[dict[str, Any]], int]:
    """For whom energy of the organization's lots is reserved or cancelled, the latest first, and how many they are."""
    spans = CertificateSpan.objects.filter(lot__holder=organization, state__in=OWNED).order_by()
    length = RangeLength("wh_range")
    rows = spans.values("subject").annotate(
        reserved=Coalesce(Sum(length, filter=Q(state="reserved")), 0),
        cancelled=Coalesce(Sum(length, filter=Q(state="cancelled")), 0),
        lots=Count("lot", distinct=True), latest=Max("pk"),
    )  # fmt: skip
    listed: list[dict[str, Any]] = [{**row} for row in rows.order_by("-latest")[:SHOWN]]
    lines = MatchLine.objects.filter(lot__holder=organization, live=True).order_by()
    matched = lines.filter(use_hour__subject__in=[row["subject"] for row in listed]).values_list("use_hour__subject")
    sums = dict(matched.annotate(wh=Sum(length)))
    for row in listed:
        row["matched"] = sums.get(row["subject"], 0)
    return listed, spans.values("subject").distinct().count()


def match_of(points: Sequence[MeterPoint], now: datetime) -> dict[str, int]:
    """What was settled at the points in the last 30 days, in Wh."""
    end = hour_floor(now)
    hours = settled_at(points=[point.pk for point in points], start=end - timedelta(days=MATCH_DAYS), end=end)
    used, matched, volume = (sum(getattr(each, name) for each in hours.values()) for name in SETTLED)
    return {"hours": len(hours), "used": used, "matched": matched, "volume": volume}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is counted twice over, by two records that must agree."""

    name: str
    words: str
    left: int
    right: int
    holds: bool


def checks_of(organization: Organization) -> list[Check]:
    """Whether any Wh is counted twice: recounted from the rows themselves whenever it is asked."""
    lots = CertificateLot.objects.of([organization]).exclude(state="refused")
    length = RangeLength("wh_range")
    spans = CertificateSpan.objects.filter(lot__in=lots)
    issued = lots.aggregate(wh=Coalesce(Sum(length), 0))["wh"]
    tiled = spans.aggregate(wh=Coalesce(Sum(length), 0))["wh"]
    owned = spans.filter(state__in=OWNED).aggregate(wh=Coalesce(Sum(length), 0))["wh"]
    lines = MatchLine.objects.filter(lot__in=lots, live=True).aggregate(wh=Coalesce(Sum(length), 0))["wh"]
    made = GenerationHour.objects.filter(source__organization=organization, quality="metered")
    sums = made.aggregate(wh=Coalesce(Sum("wh"), 0), claimed=Coalesce(Sum("claimed_wh"), 0))
    return [
        Check(
            _("Each Wh is in one state"),
            _("All that was issued, against the states of every Wh."), issued, tiled, issued == tiled,
        ),
        Check(
            _("A match rests on energy of its own"),
            _("Matched now, against reserved and cancelled."), lines, owned, lines <= owned,
        ),
        Check(
            _("No plant is claimed beyond its meter"),
            _("Claimed of your plants, against what their meters saw."), int(sums["claimed"]), int(sums["wh"]),
            sums["claimed"] <= sums["wh"],
        ),
    ]  # fmt: skip
