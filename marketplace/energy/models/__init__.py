"""What is known of the grid, and the files that it was read from."""

from marketplace.energy.models.grid import SIGNAL_COLUMNS, ForecastSignal, GridForecast, GridHour, GridZone
from marketplace.energy.models.imports import ImportFile, ImportState
from marketplace.energy.models.rules import OnTheHour
from marketplace.energy.models.scores import ForecastScore

__all__ = [
    "SIGNAL_COLUMNS",
    "ForecastScore",
    "ForecastSignal",
    "GridForecast",
    "GridHour",
    "GridZone",
    "ImportFile",
    "ImportState",
    "OnTheHour",
]
