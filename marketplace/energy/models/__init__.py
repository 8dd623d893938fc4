"""The grid, the sources and uses of energy, what is certified of it, promised and receipted, and what was read."""

from marketplace.energy.models.feeds import MarginalHour, SignalFeed
from marketplace.energy.models.grid import SIGNAL_COLUMNS, ForecastSignal, GridForecast, GridHour, GridZone
from marketplace.energy.models.imports import ImportFile, ImportState
from marketplace.energy.models.outlooks import ShareOutlook
from marketplace.energy.models.points import HourMethod, MeterPoint, PointHour, PueMethod, UseHour, UseMethod
from marketplace.energy.models.promises import GreenPromise, PromiseHour, PromiseMiss
from marketplace.energy.models.receipts import GreenReceipt, ReceiptKey, ReceiptStatus, ReceiptStep
from marketplace.energy.models.rules import OnTheHour
from marketplace.energy.models.scores import ForecastScore
from marketplace.energy.models.sources import (
    EnergySource,
    Evidence,
    GenerationHour,
    GenerationQuality,
    ShareHour,
    SourceKind,
    SourceShare,
    Technology,
)
from marketplace.energy.models.supply import (
    CertificateLot,
    CertificateSpan,
    Issuance,
    MatchLine,
    Release,
    Resolution,
    Scheme,
    StorageDraw,
    SupplyEntry,
)
from marketplace.energy.models.years import GridYear

__all__ = [
    "SIGNAL_COLUMNS", "CertificateLot", "CertificateSpan", "EnergySource", "Evidence", "ForecastScore",
    "ForecastSignal", "GenerationHour", "GenerationQuality", "GreenPromise", "GreenReceipt", "GridForecast", "GridHour",
    "GridYear",
    "GridZone", "HourMethod", "ImportFile", "ImportState", "Issuance", "MarginalHour", "MatchLine", "MeterPoint",
    "OnTheHour", "PointHour", "PromiseHour", "PromiseMiss", "PueMethod", "ReceiptKey", "ReceiptStatus", "ReceiptStep",
    "Release", "Resolution", "Scheme", "ShareHour", "ShareOutlook", "SignalFeed", "SourceKind", "SourceShare",
    "StorageDraw", "SupplyEntry",
    "Technology", "UseHour", "UseMethod",
]  # fmt: skip
