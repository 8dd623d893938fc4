"""Labels of a site for a calendar year, volume-matched and never by the hour: the renewable energy factor (REF, ISO/IEC
30134-3) and the rule for data centres at China's hub nodes (plan of July 2024).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Sum

from marketplace.common.units import PPM, ceil_div
from marketplace.energy.models import CertificateLot, MeterPoint, PointHour

HUB_GREEN_PPM = 800_000  # more than this must be green
HUB_PUE_PPM = 1_500_000  # and the average overhead below this
MET, NOT_MET, UNKNOWN = "met", "not_met", "unknown"


@dataclass(frozen=True, slots=True)
class SiteLabel:
    """What a point's meters and the ledger say of one year, in Wh and ppm; None where nothing was metered."""

    year: int
    total_wh: int
    retired_wh: int
    metered_hours: int
    ref_ppm: int | None
    pue_ppm: int | None
    hub: str | None


def ref_of(retired_wh: int, total_wh: int) -> int | None:
    """Renewable energy retired for a site over all that it used, at most 1, in ppm rounded down."""
    return min(PPM, retired_wh * PPM // total_wh) if total_wh else None


def hub_rule(green_ppm: int | None, pue_ppm: int | None) -> str:
    """`met` with more than 80 % green and an average PUE under 1.5; `unknown` where either is."""
    if green_ppm is None or pue_ppm is None:
        return UNKNOWN
    return MET if green_ppm > HUB_GREEN_PPM and pue_ppm < HUB_PUE_PPM else NOT_MET


def label_of(*, point: MeterPoint, year: int) -> SiteLabel:
    """The labels of one point, as `labels_of` gives them."""
    return labels_of(points=[point], year=year)[point.pk]


def labels_of(*, points: Collection[MeterPoint], year: int) -> dict[int, SiteLabel]:
    """By point (key) the labels for a calendar year (UTC): of its metered hours, and of what was cancelled of lots for
    it whose energy was made in that year. The hub rule is for points at hub nodes alone. Two queries."""
    first, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    hours = PointHour.objects.filter(point__in=points, method="metered").within(first, end).order_by()
    told = {key: sums for key, *sums in hours.values_list("point").annotate(Sum("it_wh"), Sum("total_wh"), Count("pk"))}
    made = CertificateLot.objects.filter(point__in=points, issuance__start__gte=first, issuance__start__lt=end)
    retired = dict(made.order_by().values_list("point").annotate(Sum("cancelled_wh")))
    return {
        point.pk: _label(point, year, told.get(point.pk, (0, 0, 0)), retired.get(point.pk, 0)) for point in points
    }  # fmt: skip


def _label(point: MeterPoint, year: int, told: Sequence[int], retired: int) -> SiteLabel:
    it, total, hours = told
    ref, pue = ref_of(retired, total), ceil_div(total * PPM, it) if it else None
    hub = hub_rule(ref, pue) if point.hub_node else None
    return SiteLabel(year, total, retired, hours, ref, pue, hub)
