"""Which sources serve a metering point, in the words that buyers filter by, and how finely their energy is known."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from marketplace.energy.models import Issuance, Resolution, SourceKind, SourceShare, Technology
from marketplace.energy.models.sources import MEASURED_KINDS

WORDS = tuple(dict.fromkeys([*SourceKind.values, *Technology.values]))
FINEST_FIRST = tuple(Resolution.values)
CLAIMS = ("metered", "audited")  # evidence from which on metered hours back claims


class Behind(NamedTuple):
    """What serves a point: kinds and technologies, sorted, and the finest time at which any of it is known."""

    words: tuple[str, ...] = ()
    resolution: str = ""


NOTHING = Behind()


def sources_behind(*, points: Collection[int], at: datetime) -> dict[int, Behind]:
    """By point (key) the sources with a share of it at that moment, those whose certificates are sold aside.

    Hours of a plant that is metered here and verified are known by the hour; of other sources the time is known as
    finely as their certificates say. Two queries at most.
    """
    rows = SourceShare.objects.serving(points, at).filter(source__certificates_sold=False).order_by()
    found: dict[int, set[tuple[int, str, str, str]]] = defaultdict(set)
    for point, source, kind, technology, evidence in rows.values_list(
        "point_id", "source_id", "source__kind", "source__technology", "source__evidence"
    ):
        found[point].add((source, kind, technology, evidence))
    metered = {key for each in found.values() for key, kind, _, evidence in each if _is_metered(kind, evidence)}
    others = {key for each in found.values() for key, *_ in each} - metered
    known = _certified(others) | dict.fromkeys(metered, Resolution.HOUR.value)
    return {
        point: Behind(
            tuple(sorted({word for _, kind, technology, _ in each for word in (kind, technology)})),
            _finest({known[key] for key, *_ in each if key in known}),
        )
        for point, each in found.items()
    }


def _is_metered(kind: str, evidence: str) -> bool:
    return kind in MEASURED_KINDS and evidence in CLAIMS


def _certified(sources: Collection[int]) -> dict[int, str]:
    """By source (key) the finest resolution of its certificates."""
    if not sources:
        return {}
    issued = Issuance.objects.filter(source__in=sources).exclude(scheme="METER").order_by()
    found: dict[int, set[str]] = defaultdict(set)
    for source, resolution in issued.values_list("source_id", "temporal_resolution").distinct():
        found[source or 0].add(resolution)
    return {source: _finest(each) for source, each in found.items()}


def _finest(resolutions: Collection[str]) -> str:
    return next((each for each in FINEST_FIRST if each in resolutions), "")
