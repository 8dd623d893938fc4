"""Which hours a span touches: pure functions over half-open UTC spans."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from marketplace.common.clock import HOUR, hour_floor

HOURS_OF_DAY = 24


def touched_hours(start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    """Each hour that [start, end) touches, with the whole seconds of it that are used (1..3600)."""
    hour = hour_floor(start)
    while hour < end:
        used = min(end, hour + HOUR) - max(start, hour)
        yield hour, -(-int(used / timedelta(milliseconds=1)) // 1000)
        hour += HOUR


def hours_by_day(start: datetime, end: datetime, units: int) -> dict[date, list[int]]:
    """`{day: 24 numbers}`: `units` in every hour that [start, end) touches, 0 elsewhere."""
    days: dict[date, list[int]] = {}
    for hour, _seconds in touched_hours(start, end):
        days.setdefault(hour.date(), [0] * HOURS_OF_DAY)[hour.hour] = units
    return days


def hour_of_week(hour: datetime) -> int:
    """0 is Monday 00:00 UTC, 167 is Sunday 23:00."""
    return hour.weekday() * HOURS_OF_DAY + hour.hour
