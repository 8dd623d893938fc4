"""Which hours a span touches: pure functions over half-open UTC spans."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from marketplace.common.clock import HOUR, hour_ceil, hour_floor

HOURS_OF_DAY = 24
SECONDS_OF_HOUR = 3600
MILLISECOND = timedelta(milliseconds=1)


def touched_hours(start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    """Each hour that [start, end) touches, with the whole seconds of it that are used (1..3600)."""
    first = hour_floor(start)
    for number, used in enumerate(seconds_touched(start, end)):
        yield first + number * HOUR, used


def seconds_touched(start: datetime, end: datetime) -> list[int]:
    """The whole seconds (1..3600) that [start, end) uses of each hour it touches, from the hour of `start` on."""
    if end <= start:
        return []
    first, beyond = hour_floor(start), hour_ceil(end)
    count = (beyond - first) // HOUR
    if count == 1:
        return [_seconds(end - start)]
    return [_seconds(first + HOUR - start), *[SECONDS_OF_HOUR] * (count - 2), _seconds(end - beyond + HOUR)]


def _seconds(span: timedelta) -> int:
    """Whole seconds, rounded up from whole milliseconds."""
    return -(-(span // MILLISECOND) // 1000)


def hours_by_day(start: datetime, end: datetime, units: int) -> dict[date, list[int]]:
    """`{day: 24 numbers}`: `units` in every hour that [start, end) touches, 0 elsewhere."""
    days: dict[date, list[int]] = {}
    for hour, _ in touched_hours(start, end):
        days.setdefault(hour.date(), [0] * HOURS_OF_DAY)[hour.hour] = units
    return days


def hour_of_week(hour: datetime) -> int:
    """0 is Monday 00:00 UTC, 167 is Sunday 23:00."""
    return hour.weekday() * HOURS_OF_DAY + hour.hour
