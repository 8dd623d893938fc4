"""Yearly averages where no hours are known: the same figure for every hour of a year, and never shown as hourly."""

from collections.abc import Sequence
from datetime import datetime

from marketplace.common.clock import HOUR
from marketplace.energy.models import GridYear


def year_for(years: Sequence[GridYear], year: int) -> GridYear:
    """Of at least one year, in order, the one to take for `year`: itself, else the last before it, else the first."""
    return next((each for each in reversed(years) if each.year <= year), years[0])


def years_by_hour(years: Sequence[GridYear], first: datetime, hours: int) -> list[GridYear]:
    """The year to take for each of `hours` hours from `first` on (UTC)."""
    by_year: dict[int, GridYear] = {}
    found = []
    for number in range(hours):
        year = (first + number * HOUR).year
        if year not in by_year:
            by_year[year] = year_for(years, year)
        found.append(by_year[year])
    return found
