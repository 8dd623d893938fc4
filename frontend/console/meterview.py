"""What the console shows of metering points and plants: what is known of each, from when, and by whose word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from django.db.models import Count, Max, Sum
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.models import Membership, Organization
from frontend.components.energywords import source_kind_name
from frontend.components.formats import percent_down
from frontend.components.svg import drawing, element, number
from frontend.console.pointnames import names_of, sites_of
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.units import PPM
from marketplace.energy.balance import unmetered
from marketplace.energy.models import EnergySource, GenerationHour, MeterPoint, PointHour, SourceShare
from marketplace.energy.receipts.words import evidence_name, technology_name
from marketplace.energy.reviewing import REVIEWERS
from marketplace.energy.sitelabels import SiteLabel, labels_of

MEASURED_DAYS = 30
PPM_PER_PERCENT = 10_000
EVIDENCE_TONES = {"metered": "good", "audited": "good", "documents": "info"}


@dataclass(frozen=True, slots=True)
class PointRow:
    """A metering point: its PUE by design and as measured over 30 days, and how many of those hours are whose word."""

    point: MeterPoint
    name: str
    sites: str
    pue_design: str
    pue: str
    metered: int
    modelled: int
    last: datetime | None
    ref: str
    hub: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a plant that serves a point while its term lasts."""

    text: str
    point: str
    share: SourceShare
    now: bool


@dataclass(frozen=True, slots=True)
class PlantRow:
    """A plant in words: how it reaches the site, how well it is known and by whose word, and whom it serves."""

    source: EnergySource
    kind: str
    technology: str
    evidence: str
    tone: str
    verifier: str
    bar: SafeString
    slices: list[Slice]
    last: datetime | None


def ref_text(label: SiteLabel) -> str:
    """The renewable energy factor of the year in whole per cent, down; empty where nothing was metered."""
    return "" if label.ref_ppm is None else percent_down(label.ref_ppm)


def hub_text(label: SiteLabel) -> str:
    """Whether the rule for hub nodes is met; empty elsewhere."""
    words = {"met": _("Hub rule met"), "not_met": _("Hub rule not met"), "unknown": _("Hub rule: not known")}
    return words[label.hub] if label.hub else ""


def point_rows(points: Sequence[MeterPoint], now: datetime) -> list[PointRow]:
    """A row for each point; seven queries whatever their number."""
    keys, end = [point.pk for point in points], hour_floor(now)
    start = end - timedelta(days=MEASURED_DAYS)
    hours = PointHour.objects.filter(point__in=keys).order_by().values_list("point")
    told = {
        key: sums for key, *sums in hours.filter(start__gte=start).annotate(Sum("it_wh"), Sum("total_wh"), Count("pk"))
    }
    last = dict(hours.annotate(Max("start")))
    rest = unmetered(points=keys, start=start, end=end).values_list("point")
    modelled = dict(rest.annotate(Count("start", distinct=True)))
    names, sites, labels = names_of(points), sites_of(points), labels_of(points=points, year=now.year)
    rows = []
    for point in points:
        it, total, count = told.get(point.pk, (0, 0, 0))
        latest = last.get(point.pk)
        rows.append(
            PointRow(
                point, names[point.pk], sites.get(point.pk, ""), pue_text(point.pue_design_ppm, PPM),
                pue_text(total, it), count, modelled.get(point.pk, 0), latest + HOUR if latest else None,
                ref_text(labels[point.pk]), hub_text(labels[point.pk]),
            )
        )  # fmt: skip
    return rows


def pue_text(total: int, it: int) -> str:
    """Total over what the machines used, rounded up: `1.14`; empty where nothing was measured."""
    return f"{(Decimal(total) / it).quantize(Decimal('0.01'), ROUND_CEILING)}" if it else ""


def plant_rows(organization: Organization, points: Mapping[int, str], now: datetime) -> list[PlantRow]:
    """A row for each plant, store and contract; five queries whatever their number. `points` are names by key."""
    rows = EnergySource.objects.of([organization]).select_related("zone").prefetch_related("shares__point")
    plants = list(rows.order_by("name", "pk"))
    names = _verifiers([plant.verified_by_id for plant in plants if plant.verified_by_id is not None])
    hours = GenerationHour.objects.filter(source__in=[plant.pk for plant in plants]).order_by()
    last = dict(hours.values_list("source").annotate(Max("start")))
    found = []
    for plant in plants:
        shares = sorted(plant.shares.all(), key=lambda share: (share.slice.lower, share.valid.lower or now))
        latest = last.get(plant.pk)
        found.append(
            PlantRow(
                plant, source_kind_name(plant.kind), technology_name(plant.technology), evidence_name(plant.evidence),
                EVIDENCE_TONES.get(plant.evidence, ""), names.get(plant.verified_by_id or 0, ""),
                slice_bar(shares, now), [_slice(share, points, now) for share in shares],
                latest + HOUR if latest else None,
            )
        )  # fmt: skip
    return found


def _verifiers(users: Sequence[int]) -> dict[int, str]:
    """The organizations for which these people (keys) review."""
    rows = Membership.objects.filter(user__in=set(users), role__in=REVIEWERS).order_by("-pk")
    return dict(rows.values_list("user", "organization__name"))


def _slice(share: SourceShare, points: Mapping[int, str], now: datetime) -> Slice:
    text = f"{percent(share.slice.lower)}–{percent(share.slice.upper)}%"
    return Slice(text, points.get(share.point_id, share.point.code), share, now in share.valid)


def percent(ppm: int) -> str:
    """Millionths as exact per cent: `12.5`."""
    return number(ppm / PPM_PER_PERCENT) if ppm % 100 == 0 else f"{Decimal(ppm) / PPM_PER_PERCENT:f}"


def slice_bar(shares: Sequence[SourceShare], now: datetime) -> SafeString:
    """The whole of a plant as a bar: what is given to points now."""
    given = [share for share in shares if now in share.valid]
    parts = [
        element(
            "rect", x=number(share.slice.lower / PPM_PER_PERCENT), height=8, class_="sw-c2",
            width=number(max(0.6, share.ppm / PPM_PER_PERCENT - 0.4)),
        )
        for share in given
    ]  # fmt: skip
    label = _("%(share)s%% of it serves metering points now") % {"share": percent(sum(share.ppm for share in given))}
    return drawing(*parts, label=label, viewBox="0 0 100 8", preserveAspectRatio="none", class_="bar")
