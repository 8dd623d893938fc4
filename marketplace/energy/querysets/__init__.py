"""Questions about energy."""

from marketplace.energy.querysets.evidence import (
    EnergySourceQuerySet,
    GenerationHourQuerySet,
    PointHourQuerySet,
    SourceShareQuerySet,
    UseHourQuerySet,
)
from marketplace.energy.querysets.feeds import MarginalHourQuerySet, SignalFeedQuerySet
from marketplace.energy.querysets.grid import ForecastScoreQuerySet, GridForecastQuerySet, GridHourQuerySet
from marketplace.energy.querysets.receipts import GreenReceiptQuerySet
from marketplace.energy.querysets.supply import CertificateLotQuerySet, MatchLineQuerySet, SupplyEntryQuerySet
from marketplace.energy.querysets.years import GridYearQuerySet

__all__ = [
    "CertificateLotQuerySet", "EnergySourceQuerySet", "ForecastScoreQuerySet", "GenerationHourQuerySet",
    "GreenReceiptQuerySet", "GridForecastQuerySet", "GridHourQuerySet",
    "GridYearQuerySet", "MarginalHourQuerySet", "MatchLineQuerySet",
    "PointHourQuerySet", "SignalFeedQuerySet", "SourceShareQuerySet", "SupplyEntryQuerySet", "UseHourQuerySet",
]  # fmt: skip
