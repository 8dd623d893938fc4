"""What is known of the grid, and the files and sources that it was read from."""

from marketplace.energy.models.feeds import MarginalHour, SignalFeed
from marketplace.energy.models.grid import ForecastSignal, GridForecast, GridHour, GridZone
from marketplace.energy.models.imports import ImportFile, ImportState
from marketplace.energy.models.rules import OnTheHour

__all__ = [
    "ForecastSignal",
    "GridForecast",
    "GridHour",
    "GridZone",
    "ImportFile",
    "ImportState",
    "MarginalHour",
    "OnTheHour",
    "SignalFeed",
]
