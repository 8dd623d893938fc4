"""Time at the edges: views, tasks and commands ask here once and hand `now` down."""

from datetime import UTC, datetime, timedelta
from typing import Any

HOUR = timedelta(hours=1)


def utc_now() -> datetime:
    """The present as aware UTC."""
    return datetime.now(UTC)


def moment_of(request: Any) -> datetime:
    """When this request happens: one answer for the whole request, however often it is asked."""
    http = getattr(request, "_request", request)
    if not hasattr(http, "moment"):
        http.moment = utc_now()
    moment: datetime = http.moment
    return moment


def hour_floor(moment: datetime) -> datetime:
    """The start of the UTC hour that `moment` lies in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_ceil(moment: datetime) -> datetime:
    """The first whole hour not before `moment`."""
    floor = hour_floor(moment)
    return floor if floor == moment else floor + HOUR


def rfc3339(moment: datetime | None) -> str | None:
    """`2026-11-24T10:00:00Z`, with milliseconds only when there are any."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def read_rfc3339(text: str) -> datetime:
    """What `rfc3339` wrote."""
    return datetime.fromisoformat(text)
